"""A pytest suite against the stand-in: no server, no thread, no sleep. Run: pytest examples/test_with_stand_in.py

`plane` is a fresh control plane inside the test process, from the plugin that comes with the package. Its clock moves
by itself as soon as a test waits for an app.
"""

import pytest

from flyteapps import Client, Conflict, DeploymentFailed, DeploymentStatus, new_app
from flyteapps_fake import FakeControlPlane


@pytest.fixture
def client(plane: FakeControlPlane) -> Client:
    """Return a client of the plane."""
    return Client(transport=plane.transport(), project="demo", domain="development")


def deploy(client: Client, name: str, scenario: str = "healthy") -> str:
    """Stand for the code under test: deploy an app and return its URL."""
    app = client.apps.create(new_app(name, image="example.org/web:1", port=8080, env={"FLYTEAPPS_SCENARIO": scenario}))
    return app.watch(timeout=60).endpoint


def test_a_deployed_app_has_a_url(client: Client) -> None:
    """A deployment ends when the app is active, and returns its URL."""
    assert deploy(client, "web").startswith("http")
    assert client.apps.get("web").deployment_status is DeploymentStatus.ACTIVE


def test_a_failed_deployment_is_an_error(client: Client) -> None:
    """An image that can't be pulled fails the deployment, and the error says so."""
    with pytest.raises(DeploymentFailed, match="image"):
        deploy(client, "web", scenario="image-pull-error")


def test_an_update_from_a_stale_copy_is_a_conflict(client: Client) -> None:
    """The second of two updates from the same copy is refused."""
    deploy(client, "web")
    mine, theirs = client.apps.get("web").pb2, client.apps.get("web").pb2
    theirs.spec.container.image = "example.org/web:2"
    mine.spec.container.image = "example.org/web:3"
    client.apps.update(theirs, reason="first")
    with pytest.raises(Conflict):
        client.apps.update(mine, reason="second")


def test_an_hour_passes_at_once() -> None:
    """With a manual clock the test moves time: an idle app goes to zero replicas."""
    with FakeControlPlane(clock="manual") as plane:
        client = Client(transport=plane.transport(), project="demo", domain="development")
        client.apps.create(new_app("web", image="example.org/web:1", port=8080))
        plane.advance(3600)
        assert client.apps.get("web").pb2.status.current_replicas == 0
