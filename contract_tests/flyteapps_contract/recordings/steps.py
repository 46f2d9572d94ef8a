"""The format of a recording: one JSON object a line, each a step. Nothing here calls a plane.

docs/recordings.md describes it. Messages are proto3 JSON in snake_case; a timestamp is `<time>`, and `<N bytes>` stands
for a text of N times "x".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from flyteidl2.app import app_logs_payload_pb2 as logs
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from flyteapps_contract.session import SERVICE

LOGS_SERVICE = "flyteidl2.app.AppLogsService"
TIME = "<time>"
KINDS = ("call", "open", "close", "wait", "http")


@dataclass(frozen=True, slots=True)
class Method:
    """A method as recordings name it."""

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    streaming: bool = False


METHODS: dict[str, Method] = {
    "create": Method(SERVICE, "Create", rpc.CreateRequest, rpc.CreateResponse),
    "get": Method(SERVICE, "Get", rpc.GetRequest, rpc.GetResponse),
    "update": Method(SERVICE, "Update", rpc.UpdateRequest, rpc.UpdateResponse),
    "update_status": Method(SERVICE, "UpdateStatus", rpc.UpdateStatusRequest, rpc.UpdateStatusResponse),
    "delete": Method(SERVICE, "Delete", rpc.DeleteRequest, rpc.DeleteResponse),
    "list": Method(SERVICE, "List", rpc.ListRequest, rpc.ListResponse),
    "watch": Method(SERVICE, "Watch", rpc.WatchRequest, rpc.WatchResponse, streaming=True),
    "lease": Method(SERVICE, "Lease", rpc.LeaseRequest, rpc.LeaseResponse, streaming=True),
    "tail_logs": Method(LOGS_SERVICE, "TailLogs", logs.TailLogsRequest, logs.TailLogsResponse, streaming=True),
}

_BYTES = re.compile(r"<(\d+) bytes>\Z")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")


class BadRecording(ValueError):  # noqa: N818  # reads as what is wrong
    """A file that is no recording; the text says where."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line: its group, its name, its kind (one of KINDS), and everything that it says."""

    group: str
    name: str
    kind: str
    fields: dict[str, Any]


def load(path: Path) -> list[Step]:
    """The steps of a file. Raises BadRecording, which names the line."""
    steps: list[Step] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            fields: Any = json.loads(line)
        except ValueError as error:
            raise BadRecording(f"{path}, line {number}: no JSON: {error}") from None
        steps.append(_step(fields, f"{path}, line {number}"))
    return steps


def save(path: Path, steps: Iterable[Step]) -> None:
    """Writes the steps, one a line."""
    lines = [json.dumps({"group": each.group, "step": each.name, **each.fields}) for each in steps]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def groups(steps: Iterable[Step]) -> Iterator[tuple[str, list[Step]]]:
    """The groups in their order; each was recorded on a fresh plane."""
    for name, members in groupby(steps, key=lambda step: step.group):
        yield name, list(members)


def to_json(message: Message) -> dict[str, Any]:
    """The message as recordings hold it: times are hidden."""
    plain = MessageToDict(message, preserving_proto_field_name=True)
    return cast("dict[str, Any]", _hidden(plain))


def to_message(value: Any, kind: type[Message], where: str) -> Message:
    """The message of a recorded request. Raises BadRecording."""
    try:
        return ParseDict(_filled(value), kind())
    except ParseError as error:
        raise BadRecording(f"{where}: no {kind.DESCRIPTOR.name}: {error}") from None


def _step(fields: Any, where: str) -> Step:
    if not isinstance(fields, dict):
        raise BadRecording(f"{where}: not an object")
    rest = dict(cast("dict[str, Any]", fields))
    group, name = rest.pop("group", None), rest.pop("step", None)
    if not isinstance(group, str) or not isinstance(name, str):
        raise BadRecording(f"{where}: lacks `group` or `step`")
    kinds = [kind for kind in KINDS if kind in rest]
    if len(kinds) != 1:
        raise BadRecording(f"{where}: a step has one of {', '.join(KINDS)}, this has {', '.join(kinds) or 'none'}")
    if kinds == ["call"] and rest["call"] not in METHODS:
        raise BadRecording(f"{where}: no such call {rest['call']!r}; there are {', '.join(METHODS)}")
    return Step(group, name, kinds[0], rest)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in cast("list[Any]", value)]
    return TIME if isinstance(value, str) and _RFC3339.match(value) else value


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: _filled(inner) for key, inner in pairs if inner != TIME}
    if isinstance(value, list):
        return [_filled(inner) for inner in cast("list[Any]", value)]
    found = _BYTES.match(value) if isinstance(value, str) else None
    return "x" * int(found[1]) if found else value
