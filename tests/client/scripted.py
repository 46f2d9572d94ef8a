"""Scripts for a transport without a plane, and the messages that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import DeploymentStatus, Substate
from flyteapps.testing import SILENCE, Call, MockTransport

END = EOFError("the stream ended")


def scripted(answers: Mapping[str, Callable[[Any], Any]], *streams: list[Any]) -> MockTransport:
    """Return a transport whose calls are answered by `answers[METHOD](request)`, and its streams by one script each.

    A script is a list of messages and exceptions; after its last entry a stream stays silent.
    """
    left = list(streams)

    def answer(call: Call) -> Any:
        if call.streaming:
            return [*(left.pop(0) if left else []), SILENCE]
        return answers[call.rpc](call.request)

    return MockTransport(answer)


def state(
    *conditions: tuple[DeploymentStatus, str],
    revision: int = 0,
    desired: int = definition.Spec.DESIRED_STATE_ACTIVE,
    substate: Substate = Substate.UNSPECIFIED,
    counters: bool = False,
) -> definition.App:
    """Return an app in a state: its conditions, and on planes that count them its revision and their counters."""
    app = definition.App()
    app.metadata.id.org, app.metadata.id.project = "flyte", "demo"
    app.metadata.id.domain, app.metadata.id.name = "development", "hello"
    app.metadata.revision = revision
    app.spec.container.image = "example.org/hello:1"
    app.spec.desired_state = desired  # pyright: ignore[reportAttributeAccessIssue]  # an open enum
    app.status.created_at.seconds = 1
    for number, (status, message) in enumerate(conditions):
        app.status.conditions.add(
            deployment_status=status.value,  # pyright: ignore[reportArgumentType]  # an open enum
            message=message,
            revision=number + 1 if counters else 0,
            substate=substate.value,  # pyright: ignore[reportArgumentType]  # an open enum
        )
    return app


def created(app: definition.App) -> payload.WatchResponse:
    """Return a snapshot's event."""
    return payload.WatchResponse(create_event={"app": app})


def updated(app: definition.App) -> payload.WatchResponse:
    """Return a change."""
    return payload.WatchResponse(update_event={"updated_app": app})


def deleted(app: definition.App) -> payload.WatchResponse:
    """Return a deletion."""
    return payload.WatchResponse(delete_event={"app": app})
