"""Requests that the tests of serving send."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload


def identifier(name: str) -> definition.Identifier:
    return definition.Identifier(org="flyte", project="p", domain="development", name=name)


def create(name: str, stopped: bool = False) -> payload.CreateRequest:
    """Return a request that creates the app `name`, meant to run unless `stopped`."""
    app = definition.App(metadata=definition.Meta(id=identifier(name)))
    app.spec.container.image = "example.invalid/image"
    app.spec.ingress.SetInParent()
    states = definition.Spec
    app.spec.desired_state = states.DESIRED_STATE_STOPPED if stopped else states.DESIRED_STATE_ACTIVE
    return payload.CreateRequest(app=app)


def get(name: str) -> payload.GetRequest:
    return payload.GetRequest(app_id=identifier(name))


def watch(name: str) -> payload.WatchRequest:
    return payload.WatchRequest(app_id=identifier(name))
