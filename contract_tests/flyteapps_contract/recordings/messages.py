"""Messages as recordings hold them, and back: proto3 JSON in snake_case, with what isn't kept left out.

A timestamp is `<time>`; `<N bytes>` stands for a text of N times "x", or, as the body of a raw request, for a Create of
N bytes; a batch of log lines shows its first line and `lines_in_this_batch`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from flyteapps_contract.session import LOGS_SERVICE, SERVICE

TIME = "<time>"
LINES = "lines_in_this_batch"
MAX_BYTES = 64 * 1024 * 1024
"""Maximum length of a text of which a recording keeps the length alone."""


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


def to_json(message: Message) -> dict[str, Any]:
    """Return the message as recordings hold it."""
    plain = MessageToDict(message, preserving_proto_field_name=True)
    if isinstance(message, logs.TailLogsResponse):
        for batch in plain.get("batches", {}).get("logs", []):
            if lines := batch.get("structured_lines"):
                batch |= {"structured_lines": lines[:1], LINES: len(lines)}
    return cast("dict[str, Any]", _mapped(plain, lambda text: TIME if _RFC3339.match(text) else text))


def to_message(value: Any, kind: type[Message], where: str) -> Message:
    """Return the message of what a recording holds, without its times. Raises BadRecording."""

    def filled(text: str) -> str | None:
        found = _BYTES.match(text)
        return "x" * _size(found[1], where) if found else None if text == TIME else text

    try:
        return ParseDict(_mapped(value, filled), kind())
    except ParseError as error:
        raise BadRecording(f"{where}: no {kind.DESCRIPTOR.name}: {error}") from None


def to_body(text: str, where: str) -> bytes:
    """Return the body of a raw request, from base64 or `<N bytes>`. Raises BadRecording."""
    if found := _BYTES.match(text):
        return _create_of(_size(found[1], where), where)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii's own is one; so is that of a text that isn't ASCII
        raise BadRecording(f"{where}: body_base64: {error}") from None


def _create_of(size: int, where: str) -> bytes:
    """Return a CreateRequest of so many bytes, which are an argument of its container."""
    app_id = model.Identifier(org="org1", project="proj", domain="dev", name="big")
    request = rpc.CreateRequest(app=model.App(metadata=model.Meta(id=app_id)))
    request.app.spec.desired_state = model.Spec.DESIRED_STATE_STARTED
    request.app.spec.container.image = "img:1"
    request.app.spec.container.args.extend(("serve", "x" * size))
    request.app.spec.container.args[1] = "x" * max(2 * size - request.ByteSize(), 0)
    if request.ByteSize() != size:
        raise BadRecording(f"{where}: no Create is {size} bytes long")
    return request.SerializeToString()


def _size(digits: str, where: str) -> int:
    """Return the number of `<N bytes>`. Raises BadRecording."""
    if len(digits) > 9 or int(digits) > MAX_BYTES:
        raise BadRecording(f"{where}: <{digits} bytes>: at most {MAX_BYTES:,} are made up")
    return int(digits)


def _mapped(value: Any, change: Callable[[str], str | None]) -> Any:
    """Return the value with each text changed; what becomes None is left out of objects."""
    if isinstance(value, dict):
        pairs = {key: _mapped(inner, change) for key, inner in cast("dict[str, Any]", value).items()}
        return {key: inner for key, inner in pairs.items() if inner is not None}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in cast("list[Any]", value)]
    return change(value) if isinstance(value, str) else value
