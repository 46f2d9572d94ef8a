"""Deploy an app with the unmodified Flyte SDK, wait until it is active, stop it. Needs `pip install 'flyte==2.12.*'`.

Start the stand-in with `flyteapps serve`, then run: python examples/deploy_with_sdk.py localhost:8090
"""

import sys

import flyte
from flyte.app import AppEnvironment
from flyte.remote import App

env = AppEnvironment(
    name="hello-sdk",
    image=flyte.Image.from_debian_base(python_version=(3, 12)),
    command=["python", "-m", "http.server", "8080"],
    # env_vars={"FLYTEAPPS_SCENARIO": "crash-loop"},  # shows how a deployment fails
)


def main(endpoint: str) -> None:
    """Deploy to the control plane at this endpoint."""
    # "remote": images are not built here, so that no Docker is needed.
    flyte.init(endpoint=endpoint, insecure=True, project="demo", domain="development", image_builder="remote")
    deployed = flyte.serve(env)  # returns when the app is active
    print(f"{deployed.name} is active: {deployed.url}")
    App.get(env.name).deactivate(wait=True)
    print(f"{env.name} is {'stopped' if App.get(env.name).is_deactivated() else 'still running'}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "localhost:8090")
