"""The common part of recorder and replayer: call, open, wait, and read a stream while time passes.

They wait by streams alone, never by Get: a plane may answer that from a cache.
"""

from __future__ import annotations

import time
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.message import Message
from pyqwest import ReadError, RemoteProtocolError, WriteError

from flyteapps_contract.outcomes import Refused, StreamEnded
from flyteapps_contract.recordings.messages import METHODS, to_body, to_json
from flyteapps_contract.session import SERVICE
from flyteapps_contract.targets.target import CALL_SECONDS, Plane, QueueStream
from flyteapps_contract.waiting import Waiting, opened, watched

QUIET = 0.5
"""Seconds without a message after which a stream that is left open has no more to say."""
OPEN = "DEADLINE_EXCEEDED"
"""The end of a stream that was still open."""
DONE = "OK"
"""The end of a stream that ended by itself, without an error."""


def invoke(plane: Plane, call: str, request: Message) -> dict[str, Any]:
    """Return what a unary call, by its name in recordings, is answered."""
    method = METHODS[call]
    try:
        answer = plane.link.unary(method.service, method.name, request, method.response, CALL_SECONDS)
    except Refused as error:
        return {"error": error.code, "message": error.message, "details": len(error.details)}
    return {"ok": to_json(answer)}


def open_stream(plane: Plane, call: str, request: Message) -> QueueStream:
    """Return a stream by its name in recordings, open at the plane as far as is known."""
    method = METHODS[call]
    return opened(plane, method.service, method.name, request, method.response)


def pass_time(plane: Plane, seconds: float) -> None:
    """Let so much of the plane's time pass; real time where its clock can't be moved."""
    if plane.capabilities.clock:
        plane.advance(seconds)
    else:
        time.sleep(seconds)


def await_status(plane: Plane, app_id: model.Identifier, status: str) -> bool:
    """Return whether the app came to that status in time: all its conditions, or the last where they are a history."""
    wanted = model.Status.DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{status}")
    try:
        return watched(plane, SERVICE, app_id, lambda app: _stands(app, wanted)) is not None
    except (Refused, StreamEnded):
        return False


def drain(
    plane: Plane, queue_stream: QueueStream, events: int, *, ends: bool = False, repeats: bool = False
) -> tuple[list[dict[str, Any]], str, str]:
    """Return so many events of a stream, what else comes in QUIET seconds, and its end: the code and the message.

    `ends`: the end is waited for. `repeats`: equal consecutive events count as one.
    """
    seen: list[dict[str, Any]] = []
    counted = 0
    waiting = Waiting(plane)
    try:
        while not waiting.over:
            message = queue_stream.next(waiting.patience)
            if message is not None:
                event = to_json(message)
                counted += not (repeats and seen and seen[-1] == event)
                seen.append(event)
                waiting.passed = 0.0
                continue
            if counted >= events and not ends and waiting.passed >= QUIET:
                break
            waiting.go_on()
    except Refused as error:
        return seen, error.code, error.message
    except StreamEnded:
        return seen, DONE, ""
    finally:
        queue_stream.close()
    return seen, OPEN, ""


def send(plane: Plane, request: dict[str, Any], where: str) -> dict[str, Any] | str:
    """Return what a raw HTTP request is answered; why it isn't, where nothing comes back."""
    wire = plane.link.wire
    body = to_body(request.get("body_base64", ""), where)
    try:
        answer = wire.sync_client().execute(
            request["method"], wire.url + request["path"], request.get("headers"), body, timeout=CALL_SECONDS
        )
    except (OSError, TimeoutError, ReadError, WriteError, RemoteProtocolError) as error:
        return f"no answer: {error!r}"
    return {
        "status": answer.status,
        "content_type": answer.headers.get("content-type"),
        "body": answer.content.decode("utf-8", "replace"),
        "has_body": bool(answer.content),
    }


def _stands(app: model.App, status: int) -> bool:
    conditions = app.status.conditions
    if any(each.revision for each in conditions):  # they are counted, so a history
        conditions = conditions[-1:]
    return bool(conditions) and all(each.deployment_status == status for each in conditions)
