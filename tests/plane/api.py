"""The helpers of the plane's tests: one client's calls, which create, change and watch apps.

Nothing here asserts; a helper only fills in the boring half of a request. Watches go through `plane.open`, which never
blocks, so that a missing event is a failed comparison and not a hang.
"""

from __future__ import annotations

from typing import Any

from connectrpc.code import Code
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2, list_pb2
from flyteidl2.core import tasks_pb2

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import OPERATIONS

WATCH = OPERATIONS["/flyteidl2.app.AppService/Watch"]
ABORT_OPENING = "Either the change has already been applied, or"
SETTLED = 60.0

RUN = model.Spec.DESIRED_STATE_ACTIVE
STARTED = model.Spec.DESIRED_STATE_STARTED
STOP = model.Spec.DESIRED_STATE_STOPPED

NOT_FOUND = Code.NOT_FOUND
INVALID = Code.INVALID_ARGUMENT


def app_id(name: str = "demo", *, org: str = "", project: str = "proj", domain: str = "dev") -> model.Identifier:
    """Return an id; without an org, as the SDK sends it."""
    return model.Identifier(org=org, project=project, domain=domain, name=name)


def new_app(name: str = "demo", *, image: str = "img:1", state: int = RUN, **where: str) -> model.App:
    """Return a small valid container app."""
    app = model.App(metadata=model.Meta(id=app_id(name, **where)))
    app.spec.container.CopyFrom(tasks_pb2.Container(image=image, args=["serve"]))
    app.spec.desired_state = state  # type: ignore[assignment]  # an enum value of protobuf is a plain int
    return app


def statuses(app: model.App) -> list[str]:
    """Return the short names of the app's conditions, oldest first."""
    prefix = len("DEPLOYMENT_STATUS_")
    return [model.Status.DeploymentStatus.Name(c.deployment_status)[prefix:] for c in app.status.conditions]


def kind(event: rpc.WatchResponse) -> str:
    """Return the kind of an event: create, update or delete."""
    return (event.WhichOneof("event") or "none").removesuffix("_event")


def app_of(event: rpc.WatchResponse) -> model.App:
    """Return the app as an event leaves it."""
    match kind(event):
        case "create":
            return event.create_event.app
        case "update":
            return event.update_event.updated_app
        case _:
            return event.delete_event.app


class Stream:
    """A watch that is read without blocking."""

    def __init__(self, plane: FakeControlPlane, request: rpc.WatchRequest) -> None:
        self._subscription = plane.open(Call(WATCH, request))

    def next(self) -> rpc.WatchResponse | None:
        """Return the next event, None if there is none now."""
        taken = self._subscription.take()
        return None if taken is None else rpc.WatchResponse.FromString(taken)

    def drain(self) -> list[rpc.WatchResponse]:
        """Return all events that are there now."""
        events: list[rpc.WatchResponse] = []
        while (event := self.next()) is not None:
            events.append(event)
        return events

    def close(self) -> None:
        """Close the subscription."""
        self._subscription.close()


class Api:
    """One client of one plane."""

    def __init__(self, plane: FakeControlPlane) -> None:
        self.plane = plane
        self.stub = plane.stub()
        self._streams: list[Stream] = []

    def create(self, app: model.App | None = None, /, name: str = "demo", **options: Any) -> model.App:
        """Create the app (by default a small valid one) and return what the plane returned."""
        return self.stub.create(rpc.CreateRequest(app=app if app is not None else new_app(name, **options))).app

    def settle(self, seconds: float = SETTLED) -> None:
        """Let so much time pass that every start and stop has ended."""
        self.plane.advance(seconds)

    def running(self, name: str = "demo", **options: Any) -> model.App:
        """Create an app, wait until it is at rest, return it."""
        self.create(name=name, **options)
        self.settle()
        return self.get(name)

    def get(self, name: str = "demo", **where: str) -> model.App:
        """Return the app by its id."""
        return self.stub.get(rpc.GetRequest(app_id=app_id(name, **where))).app

    def update(self, app: model.App, reason: str = "") -> model.App:
        """Update the app and return what the plane returned."""
        return self.stub.update(rpc.UpdateRequest(app=app, reason=reason)).app

    def stop(self, name: str = "demo") -> model.App:
        """Ask the app to stop, without waiting."""
        app = self.get(name)
        app.spec.desired_state = STOP
        return self.update(app)

    def delete(self, name: str = "demo", **where: str) -> None:
        """Delete the app by its id."""
        self.stub.delete(rpc.DeleteRequest(app_id=app_id(name, **where)))

    def list(self, request: list_pb2.ListRequest | None = None, **scope: Any) -> rpc.ListResponse:
        """Return one page of a list."""
        return self.stub.list(rpc.ListRequest(request=request, **scope))

    def names(self, *filters: list_pb2.Filter, sort_by: list_pb2.Sort | None = None, **scope: Any) -> list[str]:
        """Return the names on the first page of a list."""
        page = self.list(list_pb2.ListRequest(filters=filters, sort_by=sort_by), **scope)
        return [app.metadata.id.name for app in page.apps]

    def watch(self, **target: Any) -> Stream:
        """Open a watch, closed at the end of the test."""
        stream = Stream(self.plane, rpc.WatchRequest(**target))
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        """Close the watches."""
        for stream in self._streams:
            stream.close()


def project(name: str = "proj", domain: str = "dev", organization: str = "") -> identifier_pb2.ProjectIdentifier:
    """Return a project's id; without an org, as the SDK sends it."""
    return identifier_pb2.ProjectIdentifier(organization=organization, domain=domain, name=name)


def shown(api: Api, app: model.App) -> model.App:
    """Return the app as a Watch shows it now: flyte-oss may answer a Get from its cache."""
    stream = api.watch(app_id=app.metadata.id)
    try:
        return app_of(stream.drain()[0])
    finally:
        stream.close()
