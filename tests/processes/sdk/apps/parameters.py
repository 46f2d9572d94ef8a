"""An app whose parameters are a text, files and a directory; it answers with what it got."""
# pyright: basic

import json
import os
from pathlib import Path

import flyte
import flyte.app
import flyte.remote
from flyte.app import Parameter
from flyte.io import Dir, File

env = flyte.app.AppEnvironment(name="parameters", image="none", requires_auth=False)


def values() -> list[Parameter]:
    """Upload what is in the folder, and return the parameters."""
    _, kept = flyte.remote.upload_file(Path("kept.txt"))
    folder = flyte.remote.upload_dir(Path("folder"))
    return [
        Parameter(name="word", value="plain", env_var="WORD"),
        Parameter(name="kept", value=File(path=kept), env_var="KEPT"),
        Parameter(name="mounted", value=File(path=kept), mount=str(Path.cwd()) + "/mounted/"),
        Parameter(name="folder", value=Dir(path=folder), env_var="FOLDER", mount="folder"),
        Parameter(name="distant", value=File(path=kept), download=False),
    ]


@env.server
async def server(word: str, kept: File, mounted: File, folder: Dir, distant: File) -> None:
    """Answer with the contents."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/")
    def root() -> dict:
        found = Path(folder.path)
        files = {str(each.relative_to(found)): each.read_text() for each in found.rglob("*.txt")}
        far = Path(distant.path.removeprefix("file://")).read_text()
        names = sorted(json.loads(Path("flyte-parameters.json").read_text()))
        return {
            "word": word,
            "variable": os.environ["WORD"],
            "kept": Path(kept.path).read_text(),
            "variable_of_kept": Path(os.environ["KEPT"]).read_text(),
            "mounted": Path(mounted.path).read_text(),
            "files": files,
            "distant": far,
            "names": names,
        }

    await uvicorn.Server(uvicorn.Config(app, port=env.get_port().port)).serve()


if __name__ == "__main__":
    flyte.init_from_config()
    env.parameters = values()
    served = flyte.serve(env)
    print("at", served.endpoint)
