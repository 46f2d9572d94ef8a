"""The app of bench_run.py; as a program it deploys that, and prints the seconds since 1970 of what it sees."""
# pyright: basic

import json
import os
import time
import urllib.request

import flyte
from fastapi import FastAPI
from flyte.app.extras import FastAPIAppEnvironment

app = FastAPI()
NAME = os.environ["BENCH_APP"]
env = FastAPIAppEnvironment(name=NAME, app=app, image="none", requires_auth=False, env_vars={"BENCH_APP": NAME})


@app.get("/")
async def root() -> str:
    """Greet."""
    return "hello"


if __name__ == "__main__":
    flyte.init_from_config()
    times = {"begun": time.time()}
    served = flyte.serve(env)
    times["returned"] = time.time()
    with urllib.request.urlopen(served.endpoint) as response:
        assert response.read() == b'"hello"'
    print(json.dumps(times))
