"""Makes a recording: calls go through it to a plane, and what came back is kept as steps."""

from __future__ import annotations

from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Broken, Refused, StreamEnded
from flyteapps_contract.recordings.steps import METHODS, Step, to_json
from flyteapps_contract.session import Run, Session
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.targets.target import CALL_SECONDS, Inbox, Plane


class Recorder:
    """One group of a recording, on one plane; close it at the end."""

    def __init__(self, plane: Plane, group: str) -> None:
        self.plane = plane
        self.group = group
        self.steps: list[Step] = []
        self._streams: dict[str, Inbox] = {}

    def call(self, step: str, call: str, request: Message) -> Message | None:
        """A unary call; None where it was refused."""
        fields: dict[str, Any] = {"call": call, "request": to_json(request)}
        answer = None
        try:
            answer = invoke(self.plane, call, request)
            fields["ok"] = to_json(answer)
        except Refused as error:
            fields |= {"error": error.code, "message": error.message, "details": len(error.details)}
        self.steps.append(Step(self.group, step, "call", fields))
        return answer

    def open(self, stream: str, request: Message) -> None:
        """Opens a Watch, which stays open until `close`."""
        self._streams[stream] = open_stream(self.plane, "watch", request)
        fields = {"open": stream, "request": to_json(request), "deadline_ms": int(PATIENCE * 1000)}
        self.steps.append(Step(self.group, f"open {stream}", "open", fields))

    def wait(self, app_id: model.Identifier, status: str) -> None:
        """Waits until every condition, or the last of a history, has that status."""
        reached = await_status(self.plane, app_id, status)
        fields = {"wait": to_json(app_id), "until_all_conditions": status, "reached": reached}
        self.steps.append(Step(self.group, f"wait {app_id.name} {status}", "wait", fields))

    def close(self, stream: str, events: int) -> None:
        """Ends a Watch after so many events."""
        seen, end, message = drain(self._streams.pop(stream), events)
        fields: dict[str, Any] = {"close": stream, "events": seen, "end": end}
        if message:
            fields["message"] = message
        self.steps.append(Step(self.group, f"close {stream}", "close", fields))


def invoke(plane: Plane, call: str, request: Message) -> Message:
    """A unary call by its name in recordings. Raises Refused."""
    method = METHODS[call]
    return plane.link.unary(method.service, method.name, request, method.response, CALL_SECONDS)


def open_stream(plane: Plane, call: str, request: Message) -> Inbox:
    """A stream by its name in recordings."""
    method = METHODS[call]
    return plane.link.stream(method.service, method.name, request, method.response)


def await_status(plane: Plane, app_id: model.Identifier, status: str) -> bool:
    """Whether the app came to that status in time: all its conditions, or the last where they are a history."""
    wanted = model.Status.DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{status}")

    def reached(app: model.App) -> bool:
        found = [each.deployment_status for each in app.status.conditions]
        return bool(found) and found[-1] == wanted

    session = Session(plane, Run(prefix="replay", org=app_id.org))
    try:
        session.until(app_id, reached)
    except Broken:
        return False
    return True


def drain(
    inbox: Inbox, events: int, *, ends: bool = False, repeats: bool = False
) -> tuple[list[dict[str, Any]], str, str]:
    """So many events of a stream and how it stands then: its end's code and message; open is DEADLINE_EXCEEDED.

    `ends`: the end is waited for, too. `repeats`: equal consecutive events count as one.
    """
    seen: list[dict[str, Any]] = []
    counted = 0
    try:
        while counted < events:
            message = inbox.next(PATIENCE)
            if message is None:
                break
            event = to_json(message)
            counted += not (repeats and seen and seen[-1] == event)
            seen.append(event)
        extra = inbox.next(PATIENCE if ends else 0)
        if extra is not None:
            seen.append(to_json(extra))
    except Refused as error:
        return seen, error.code, error.message
    except StreamEnded:
        return seen, "OK", ""
    finally:
        inbox.close()
    return seen, "DEADLINE_EXCEEDED", ""
