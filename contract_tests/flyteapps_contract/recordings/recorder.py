"""A recorder: calls go through it to a plane, and are kept with their responses as steps."""

from __future__ import annotations

from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.message import Message

from flyteapps_contract.recordings.conversation import await_status, drain, invoke, open_stream
from flyteapps_contract.recordings.messages import METHODS, to_json, to_message
from flyteapps_contract.recordings.steps import Step
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.targets.target import Plane, QueueStream


class Recorder:
    """One group of a recording, on one plane; close it at the end."""

    def __init__(self, plane: Plane, group: str) -> None:
        self.plane = plane
        self.group = group
        self.steps: list[Step] = []
        self._streams: dict[str, QueueStream] = {}

    def call(self, step: str, call: str, request: Message) -> Message | None:
        """Return a unary call; None where it was refused."""
        answer = invoke(self.plane, call, request)
        self._keep(step, "call", {"call": call, "request": to_json(request), **answer})
        return to_message(answer["ok"], METHODS[call].response, step) if "ok" in answer else None

    def open(self, stream: str, request: Message) -> None:
        """Open a Watch, which stays open until `close`."""
        self._streams[stream] = open_stream(self.plane, "watch", request)
        fields = {"open": stream, "request": to_json(request), "deadline_ms": int(PATIENCE * 1000)}
        self._keep(f"open {stream}", "open", fields)

    def wait(self, app_id: model.Identifier, status: str) -> None:
        """Wait until every condition, or the last of a history, has that status."""
        reached = await_status(self.plane, app_id, status)
        fields = {"wait": to_json(app_id), "until_all_conditions": status, "reached": reached}
        self._keep(f"wait {app_id.name} {status}", "wait", fields)

    def close(self, stream: str, events: int) -> None:
        """End a Watch after so many events, and what else comes until it is quiet."""
        seen, end, message = drain(self.plane, self._streams.pop(stream), events)
        fields: dict[str, Any] = {"close": stream, "events": seen, "end": end}
        if message:
            fields["message"] = message
        self._keep(f"close {stream}", "close", fields)

    def _keep(self, step: str, kind: str, fields: dict[str, Any]) -> None:
        self.steps.append(Step(self.group, step, kind, fields))
