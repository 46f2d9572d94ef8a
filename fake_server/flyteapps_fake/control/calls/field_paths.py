"""The value at a path in a request, such as "spec.env.0.name", in the form that JSON has for it.

Only what is at the path is converted: a query looks at every recorded call, and a request may have thousands of values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

MAX_DIGITS = 9
"""Digits of an index in a path."""
MISSING = object()
"""The result where nothing is at a path."""
ROOTS = ("app",)
"""Fields of a request at which a path may begin, as at the request itself."""
_OWN_FORM = "google.protobuf."
"""Well-known types have JSON forms of their own."""


def value_at(request: Message, path: str) -> Any:
    """Return the value at a path, which begins at the request or at its app; MISSING where there is none."""
    names = path.split(".")
    found = _in_message(request, names)
    for name in ROOTS:
        field = _fields(request).get(name)
        if found is MISSING and field is not None and _is_message(field) and request.HasField(name):
            found = _in_message(getattr(request, name), names)
    return found


def field_at(shape: Descriptor, path: str) -> FieldDescriptor | None:
    """Return the field at a path in a message of that type, or in its app; None where there is none."""
    roots = [shape, *(field.message_type for field in shape.fields if field.name in ROOTS and field.message_type)]
    found = (_reached(root, path.split(".")) for root in roots)
    return next((field for field in found if field is not None), None)


def _reached(shape: Descriptor, names: Sequence[str]) -> FieldDescriptor | None:
    field: FieldDescriptor | None = shape.fields_by_name.get(names[0])
    if field is None:
        return None
    rest = names[1:]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return field.message_type.fields_by_name["value"] if rest else field
    if field.is_repeated and rest and rest[0].isdecimal():
        rest = rest[1:]
    if not rest:
        return field
    if field.message_type is None:
        return None
    if field.message_type.full_name.startswith(_OWN_FORM):
        return field
    return _reached(field.message_type, rest)


def _fields(message: Message) -> Mapping[str, FieldDescriptor]:
    return cast("Descriptor", message.DESCRIPTOR).fields_by_name


def _is_message(field: FieldDescriptor) -> bool:
    """Return whether it is one message, whose fields JSON names."""
    return not field.is_repeated and field.message_type is not None and not _has_own_form(field)


def _has_own_form(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name.startswith(_OWN_FORM)


def _in_message(message: Message, names: Sequence[str]) -> Any:
    field = _fields(message).get(names[0])
    if field is None or (field.has_presence and not message.HasField(field.name)):
        return MISSING
    value, rest = getattr(message, field.name), names[1:]
    if _is_message(field):
        return _in_message(value, rest) if rest else _data(message, field, value)
    if not field.is_repeated or not rest:
        return _inside(_data(message, field, value), rest)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _in_map(message, field, rest)
    if not _is_index(rest[0], len(value)):
        return MISSING
    element = value[int(rest[0])]
    if len(rest) > 1 and field.message_type is not None and not _has_own_form(field):
        return _in_message(element, rest[1:])
    return _inside(_data(message, field, (element,))[0], rest[1:])


def _in_map(message: Message, field: FieldDescriptor, names: Sequence[str]) -> Any:
    """Return what is below a key, which may have dots."""
    entry, value = cast("Descriptor", field.message_type), getattr(message, field.name)
    if entry.fields_by_name["key"].cpp_type != FieldDescriptor.CPPTYPE_STRING:
        return _inside(_data(message, field, value), names)
    keys = (".".join(names[:count]) for count in range(1, len(names) + 1))
    return _inside(_data(message, field, {key: value[key] for key in keys if key in value}), names)


def _data(message: Message, field: FieldDescriptor, value: Any) -> Any:
    """Return a value of one field as JSON's data."""
    alone = type(message)()
    if not field.is_repeated:
        if field.message_type is None:
            setattr(alone, field.name, value)
        else:
            getattr(alone, field.name).CopyFrom(value)
    elif field.message_type is None or not field.message_type.GetOptions().map_entry:
        getattr(alone, field.name).extend(value)
    elif field.message_type.fields_by_name["value"].message_type is None:
        getattr(alone, field.name).update(value)
    else:
        for key in value:
            getattr(alone, field.name)[key].CopyFrom(value[key])
    shown = MessageToDict(alone, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return shown[field.name]


def _inside(value: Any, names: Sequence[str]) -> Any:
    """Return what is at a path in data; a key of a map may have dots."""
    if not names:
        return value
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        return _inside(elements[int(names[0])], names[1:]) if _is_index(names[0], len(elements)) else MISSING
    if isinstance(value, dict):
        data = cast("dict[str, Any]", value)
        for count in range(1, len(names) + 1):
            key = ".".join(names[:count])
            if key in data and (found := _inside(data[key], names[count:])) is not MISSING:
                return found
    return MISSING


def _is_index(name: str, length: int) -> bool:
    return name.isdecimal() and len(name) <= MAX_DIGITS and int(name) < length
