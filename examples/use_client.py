"""Create, follow, list, stop and delete an app with this project's client. Needs nothing else of it.

Start the stand-in with `flyteapps serve`, then run: python examples/use_client.py localhost:8090
"""

import sys

import flyteapps
from flyteapps import App, DeploymentFailed, new_app


def main(endpoint: str) -> None:
    """Use the control plane at this endpoint."""
    flyteapps.init(endpoint, insecure=True, project="demo", domain="development")

    app = App.create(new_app("hello-client", image="example.org/hello:1", port=8080))
    app.watch(timeout=60)  # returns when the app is active
    print(f"{app.name} is active: {app.endpoint}")
    print("active:", [each.name for each in App.listall(in_status="active")])
    app.deactivate(wait=True)
    App.delete(app.name)

    # The stand-in simulates a cluster: an app chooses what happens to it by this variable.
    broken = App.create(
        new_app("broken", image="example.org/hello:1", port=8080, env={"FLYTEAPPS_SCENARIO": "image-pull-error"})
    )
    try:
        broken.watch(timeout=60)
    except DeploymentFailed as error:
        print(f"{broken.name} failed: {error}")
    broken.deactivate(wait=True)  # an app is deleted once it has stopped
    App.delete(broken.name)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "localhost:8090")
