"""Apps whose code is more than one file: a local package, files that are included, and one that is pickled."""
# pyright: basic

import sys
from pathlib import Path

import flyte
from fastapi import FastAPI
from flyte.app.extras import FastAPIAppEnvironment
from local_package.greetings import GREETING

OPTIONS = {"image": "none", "requires_auth": False}
included, pickled = FastAPI(), FastAPI()
env = FastAPIAppEnvironment(name="included", app=included, include=["data/*.txt"], **OPTIONS)
pickled_env = FastAPIAppEnvironment(name="pickled", app=pickled, **OPTIONS)
state = []


@included.get("/")
def read() -> dict[str, str]:
    """Return what the files have."""
    return {"package": GREETING, "file": Path(__file__).with_name("data").joinpath("included.txt").read_text()}


@pickled_env.on_startup
def start() -> None:
    state.append("started")


@pickled.get("/")
def root() -> str:
    """Return what was pickled."""
    return f"{GREETING} {state}"


if __name__ == "__main__":
    flyte.init_from_config()
    interactive = sys.argv[1] == "pickled"
    served = flyte.with_servecontext(interactive_mode=interactive).serve(pickled_env if interactive else env)
    print("at", served.endpoint)
