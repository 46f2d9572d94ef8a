"""A client that writes, and opens its Watch after the app has got there, sees the update that it waits for."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec, Status
from flyteidl2.app.app_payload_pb2 import CreateRequest, UpdateRequest, WatchRequest, WatchResponse

from flyteapps import new_app
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, UPDATE, WATCH

from .running import SERVE, Apps, body, script, until


class Watch:
    """A Watch as the Flyte SDK reads it: the snapshot that it opens with doesn't count."""

    def __init__(self, apps: Apps, identifier: Identifier) -> None:
        self._stream = apps.plane.open(Call(WATCH, WatchRequest(app_id=identifier)))

    def next(self) -> int:
        """Wait for the next update, and return the status in it."""
        while True:
            response = WatchResponse.FromString(until(self._stream.take))
            if response.HasField("update_event"):
                return response.update_event.updated_app.status.conditions[-1].deployment_status


def create(apps: Apps, command: list[str]) -> App:
    """Create an app, and look at it no more."""
    app = new_app("web", command=command, image="img", port=8080)
    app.metadata.id.project, app.metadata.id.domain = "p", "d"
    apps.plane.call(Call(CREATE, CreateRequest(app=app)))
    return app


def test_an_app_that_runs(apps: Apps) -> None:
    app = create(apps, script(SERVE))
    until(lambda: apps.replica().is_ready)
    assert Watch(apps, app.metadata.id).next() == Status.DEPLOYMENT_STATUS_ACTIVE


def test_an_app_that_cannot_start(apps: Apps) -> None:
    app = create(apps, ["nowhere"])
    until(lambda: apps.replica().failure)
    assert Watch(apps, app.metadata.id).next() == Status.DEPLOYMENT_STATUS_FAILED


def test_an_app_that_failed_and_runs_by_now(apps: Apps) -> None:
    """The state of now is reported, and not the one before."""
    app = create(apps, ["nowhere"])
    until(lambda: apps.replica().failure)
    app.spec.container.command[:] = script(SERVE)
    apps.plane.call(Call(UPDATE, UpdateRequest(app=app)))
    until(lambda: apps.replica().is_ready)
    assert Watch(apps, app.metadata.id).next() == Status.DEPLOYMENT_STATUS_ACTIVE


def test_an_app_that_is_stopped(apps: Apps) -> None:
    app = create(apps, script(SERVE))
    until(lambda: apps.replica().is_ready)
    assert Watch(apps, app.metadata.id).next() == Status.DEPLOYMENT_STATUS_ACTIVE
    app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
    apps.plane.call(Call(UPDATE, UpdateRequest(app=app)))
    until(lambda: not apps.processes())
    assert Watch(apps, app.metadata.id).next() == Status.DEPLOYMENT_STATUS_STOPPED


def test_requests_are_answered_meanwhile(apps: Apps) -> None:
    """The app answers as soon as it runs, whether a client watches or not."""
    create(apps, script(SERVE))
    until(lambda: apps.replica().is_ready)
    assert body(apps.client.apps.get("web")) == b"ok"
