"""The JSON of a document, in a third of the time of protobuf's printer, and the same: a plane may have many apps.

Messages of texts, bytes, integers and further messages are printed here; those with anything else by protobuf itself.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from flyteapps_control.v1.state_pb2 import PlaneState


def document_text(document: PlaneState) -> bytes:
    """Return a document as a file has it."""
    return _text(document, "\n").encode() + b"\n"


class _Printed(NamedTuple):
    """The printing of a field. `head`: its name. `value`: returns one value as text; None for a message."""

    head: str
    is_repeated: bool
    value: Callable[[Any], str] | None


def _bytes_text(value: bytes) -> str:
    return f'"{b64encode(value).decode()}"'


def _quoted(value: int) -> str:
    return f'"{value}"'


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


_SCALARS: dict[int, Callable[[Any], str]] = {
    FieldDescriptor.CPPTYPE_STRING: encode_basestring_ascii,
    FieldDescriptor.CPPTYPE_BOOL: _bool_text,
    FieldDescriptor.CPPTYPE_INT32: str,
    FieldDescriptor.CPPTYPE_UINT32: str,
    FieldDescriptor.CPPTYPE_INT64: _quoted,
    FieldDescriptor.CPPTYPE_UINT64: _quoted,
}


def _text(message: Message, line: str) -> str:
    """Return a message as text; `line`: the end of a line, and the indent of the next one."""
    fields = _fields(message.DESCRIPTOR)
    if fields is None:
        return json.dumps(MessageToDict(message), indent=1).replace("\n", line)
    inner = line + " "
    parts: list[str] = []
    for field, value in message.ListFields():
        head, is_repeated, printed = fields[field.number]
        if not is_repeated:
            parts.append(head + (_text(value, inner) if printed is None else printed(value)))
            continue
        item = inner + " "
        texts = [_text(each, item) for each in value] if printed is None else map(printed, value)
        parts.append(f"{head}[{item}{f',{item}'.join(texts)}{inner}]")
    return f"{{{inner}{f',{inner}'.join(parts)}{line}}}" if parts else "{}"


@cache
def _fields(message: Descriptor) -> dict[int, _Printed] | None:
    """Return the printing of the fields of a message by their numbers, None for one that protobuf has to print."""
    if message.file.package == "google.protobuf" or message.is_extendable:
        return None
    found: dict[int, _Printed] = {}
    for field in message.fields:
        kind, inner = field.cpp_type, field.message_type
        printed = _bytes_text if field.type == FieldDescriptor.TYPE_BYTES else _SCALARS.get(kind)
        if (printed is None and inner is None) or (inner is not None and inner.GetOptions().map_entry):
            return None
        found[field.number] = _Printed(f'"{field.json_name}": ', field.is_repeated, printed)
    return found
