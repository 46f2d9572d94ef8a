"""Splicing of encoded messages: length-delimited fields put around bytes that are never parsed again.

Nothing here knows an app; it is the protobuf wire format and no more.
"""

from __future__ import annotations

from google.protobuf.message import Message

_HEADS = tuple(bytes((number << 3 | 2,)) for number in range(16))
"""How length-delimited fields begin, by number; those of a plane's messages are all below 16."""


def varint(value: int) -> bytes:
    """`value` as a protobuf varint."""
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


def field_head(number: int, payload: bytes) -> bytes:
    """What stands before the payload of a length-delimited field (message, string, bytes) with that number."""
    return _HEADS[number] + varint(len(payload))


def field(number: int, payload: bytes) -> bytes:
    """One length-delimited field."""
    return field_head(number, payload) + payload


def field_size(payload_bytes: int) -> int:
    """How long a field with a number below 16 and such a payload is."""
    return 1 + len(varint(payload_bytes)) + payload_bytes


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint that begins there, and where it ends."""
    value = shift = 0
    while data[at] >= 0x80:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
    return value | data[at] << shift, at + 1


def uint_field(number: int, value: int) -> bytes:
    """One varint field, nothing where the value is the default."""
    return varint(number << 3) + varint(value) if value else b""


def encode(message: Message) -> bytes:
    """The message's bytes, the same for equal messages in every process."""
    return message.SerializeToString(deterministic=True)
