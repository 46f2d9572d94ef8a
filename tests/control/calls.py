"""Requests of the tests of the control API."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, GetRequest, UpdateRequest, WatchRequest


def app_id(name: str = "demo", project: str = "proj") -> Identifier:
    """Return the id of an app."""
    return Identifier(project=project, domain="dev", name=name)


def create(name: str = "demo", project: str = "proj") -> CreateRequest:
    """Return a Create of a small app."""
    request = CreateRequest()
    request.app.metadata.id.CopyFrom(app_id(name, project))
    request.app.spec.container.image = "img"
    return request


def update(name: str = "demo", *, desired_state: int = 0) -> UpdateRequest:
    """Return an Update of an app to another image, or to a desired state."""
    request = UpdateRequest()
    request.app.CopyFrom(create(name).app)
    request.app.spec.container.image = "img:2"
    request.app.spec.desired_state = desired_state  # type: ignore[assignment]  # an enum value of protobuf is a plain int
    return request


def get(name: str = "demo", project: str = "proj") -> GetRequest:
    """Return a Get of an app."""
    return GetRequest(app_id=app_id(name, project))


def delete(name: str = "demo") -> DeleteRequest:
    """Return a Delete of an app."""
    return DeleteRequest(app_id=app_id(name))


def watch(name: str = "demo") -> WatchRequest:
    """Return a Watch of an app."""
    return WatchRequest(app_id=app_id(name))
