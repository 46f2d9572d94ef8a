"""Splicing of encoded messages: length-delimited fields put around bytes that are never parsed again.

And counting in them before they are parsed. Nothing here knows an app; it is the protobuf wire format and no more.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

VARINT, LENGTH_DELIMITED, END_GROUP = 0, 2, 4
FIXED = {1: 8, 5: 4}
"""Wire types, the last three bits of a tag; of the fixed ones their bytes."""
MAX_SHIFT = 63
"""Bits before those of a varint's tenth byte, its last."""


def varint(value: int) -> bytes:
    """Return `value` as a protobuf varint."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@lru_cache(maxsize=4096)  # apps have few sizes; computing the bytes takes as long as the rest of a Get's answer
def field_head(number: int, size: int) -> bytes:
    """Return the bytes before the payload of a length-delimited field with that number, below 16, and payload size."""
    return bytes((number << 3 | LENGTH_DELIMITED,)) + varint(size)


def field(number: int, payload: bytes) -> bytes:
    """Return one length-delimited field."""
    return field_head(number, len(payload)) + payload


def field_size(payload_bytes: int) -> int:
    """Return the size of a field with a number below 16 and a payload of that size."""
    return 1 + len(varint(payload_bytes)) + payload_bytes


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the varint that begins at `at`, and its end. Raises ValueError beyond 10 bytes, IndexError at the end."""
    value = shift = 0
    while data[at] >= 0x80:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if shift > MAX_SHIFT:
            raise ValueError("a varint of more than 10 bytes")
    return value | data[at] << shift, at + 1


@cache
def _inner(shape: Descriptor) -> dict[int, Descriptor | None]:
    """Return the fields that hold further values, by number: the type of a message, None for packed numbers."""
    return {
        field.number: field.message_type
        for field in shape.fields
        if field.message_type is not None or (field.is_repeated and field.cpp_type != FieldDescriptor.CPPTYPE_STRING)
    }


def count_values(message: type[Message], data: bytes, most: int) -> int:
    """Count the values of an encoded message: its fields, and those of the messages in it, elements one by one.

    Counting stops beyond `most`, so that it costs as much as the limit and not as the data. Unknown fields are values,
    too. Where the encoding is broken, what comes before is counted: no parser gets further.
    """
    count = 0
    waiting = [(_inner(cast("Any", message).DESCRIPTOR), 0, len(data))]
    while waiting:
        known, at, end = waiting.pop()
        try:
            while at < end:
                count += 1
                if count > most:
                    return count
                tag, at = read_varint(data, at)
                kind = tag & 7
                if kind == LENGTH_DELIMITED:
                    length, at = read_varint(data, at)
                    if at + length > end:
                        break
                    if length and tag >> 3 in known:
                        inner = known[tag >> 3]
                        if inner is None:
                            count += length  # as many as there can be
                        else:
                            waiting.append((_inner(inner), at, at + length))
                    at += length
                elif kind == VARINT:
                    _, at = read_varint(data, at)
                elif kind in FIXED:
                    at += FIXED[kind]
                elif kind > END_GROUP:
                    break
        except (ValueError, IndexError):
            continue
    return count


def uint_field(number: int, value: int) -> bytes:
    """Return one varint field, or nothing for the default value."""
    return varint(number << 3) + varint(value) if value else b""


def encode(message: Message) -> bytes:
    """Return the message's bytes, the same for equal messages in every process."""
    return message.SerializeToString(deterministic=True)
