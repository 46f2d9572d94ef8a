"""Apps that are too large, noticed in their bytes: to parse 300,000 labels takes seconds, and others wait meanwhile."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.message import Message

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.wire import read_varint

LENGTH_DELIMITED = 2
MOST_PIECES = 10_000
"""Fields that are looked at; who sends an app in more pieces than that has built it for the purpose."""
_COUNTED = frozenset((App.METADATA_FIELD_NUMBER, App.SPEC_FIELD_NUMBER))


def check_app(request: type[Message], data: bytes, most: int) -> None:
    """Refuses a request whose app has more than `most` bytes; bytes that are no message are let through."""
    if len(data) <= most:
        return
    field = request.DESCRIPTOR.fields_by_name.get("app")
    if field is None or field.message_type is not App.DESCRIPTOR:
        return
    size = _size(data, field.number)
    if size > most:
        raise RpcError(
            Code.RESOURCE_EXHAUSTED,
            f"the request's app has {size:,} bytes; a plane stores at most {most:,} an app",
        )


def _size(data: bytes, number: int) -> int:
    """Bytes of the metadata and the spec of the app in that field."""
    size = pieces = 0
    for key, start, end in _fields(data, 0, len(data)):
        if key == number:
            for inner, begin, finish in _fields(data, start, end):
                size += finish - begin if inner in _COUNTED else 0
                pieces += 1
        pieces += 1
        if pieces > MOST_PIECES:
            return len(data)
    return size


def _fields(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Number, start and end of the length-delimited fields of a message; as many as can be read, and not too many."""
    found: list[tuple[int, int, int]] = []
    try:
        while at < end and len(found) <= MOST_PIECES:
            tag, at = read_varint(data, at)
            if tag & 7 != LENGTH_DELIMITED:
                return found
            length, at = read_varint(data, at)
            found.append((tag >> 3, at, min(at + length, end)))
            at += length
    except IndexError:
        pass
    return found
