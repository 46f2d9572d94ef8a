"""Hypothesis strategies for messages of any type, from their descriptors; and for what becomes of their bytes."""

from __future__ import annotations

from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DEPTH = 4
"""Maximum depth to which messages are filled; Struct and its like nest without end."""
WORDS = {"org": ("", "flyte", "acme"), "organization": ("", "flyte", "acme"), "project": ("p",), "domain": ("d",)}
"""Fields that are mostly the same, so that calls meet: by name."""
NAMES = ("a", "b", "c")

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}


def messages(message_type: type[Message]) -> st.SearchStrategy[Message]:
    """Draw messages of that type: few fields set, those that name an app often to the same apps."""
    return _messages(cast("Any", message_type).DESCRIPTOR, DEPTH)


@st.composite
def _messages(draw: st.DrawFn, shape: Descriptor, depth: int) -> Message:
    message = GetMessageClass(shape)()
    for field in shape.fields:
        if draw(st.integers(0, 3)) < (3 if _names_an_app(field) else 1):
            _fill(draw, message, field, depth)
    return message


def _names_an_app(field: FieldDescriptor) -> bool:
    return field.name in ("app", "app_id", "id", "metadata", "spec", "status", "container", "image", *WORDS, "name")


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    shape = field.message_type
    if shape is not None and depth == 0:
        return
    target: Any = getattr(message, field.name)
    if shape is not None and shape.GetOptions().map_entry:
        key, value = shape.fields_by_name["key"], shape.fields_by_name["value"]
        for _ in range(draw(st.integers(0, 2))):
            if value.message_type is None:
                target[draw(_scalars(key))] = draw(_scalars(value))
            else:
                target[draw(_scalars(key))].CopyFrom(draw(_messages(value.message_type, depth - 1)))
    elif field.is_repeated:
        for _ in range(draw(st.integers(0, 2))):
            target.append(draw(_scalars(field) if shape is None else _messages(shape, depth - 1)))
    elif shape is not None:
        target.CopyFrom(draw(_messages(shape, depth - 1)))
        target.SetInParent()
    else:
        setattr(message, field.name, draw(_scalars(field)))


def _scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=8)
        usual = WORDS.get(field.name) or (NAMES if field.name == "name" else ())
        text = st.text(max_size=12)
        return st.one_of(*[st.sampled_from(usual)] * 8, text) if usual else text
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        enum = cast("Any", field.enum_type)
        return st.one_of(st.sampled_from([value.number for value in enum.values]), st.integers(0, 100))
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return st.floats(width=32)
    return st.one_of(st.integers(0, 3), _INTEGERS[kind])


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw the bytes with a few of them changed, left out, doubled or cut off."""
    result = bytearray(data)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(result)))
        match draw(st.sampled_from(("change", "insert", "delete", "cut", "double"))):
            case "change" if at < len(result):
                result[at] = draw(st.integers(0, 255))
            case "insert":
                result[at:at] = draw(st.binary(min_size=1, max_size=4))
            case "delete":
                del result[at : at + draw(st.integers(1, 8))]
            case "cut":
                del result[at:]
            case _:
                result += result[at:]
    return bytes(result)
