"""Messages from JSON, as Go's protojson decodes them where unknown fields are dropped.

A field may come once, whichever of its two names it has; so may each key of a map. Unknown names of an enum's values,
and fields in brackets, are dropped. Nesting ends where Python's protobuf ends: the backend takes a hundred times more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message

from flyteapps_fake.flyte_oss.go_json import scalars
from flyteapps_fake.flyte_oss.go_json.reader import GoJsonError, Kind, Reader, Token

TOO_DEEP = "exceeded max recursion depth"
_MAX_LEVELS = 100
"""Levels of messages, entries of maps included, that Python's protobuf decodes."""
_CHECKED_LEVELS = 90
"""Levels from which it is asked whether it does."""
_VALUE = "google.protobuf.Value"
_KINDS = {
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_FIXED64: "fixed64",
    FieldDescriptor.TYPE_FIXED32: "fixed32",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_ENUM: "enum",
    FieldDescriptor.TYPE_SFIXED32: "sfixed32",
    FieldDescriptor.TYPE_SFIXED64: "sfixed64",
    FieldDescriptor.TYPE_SINT32: "sint32",
    FieldDescriptor.TYPE_SINT64: "sint64",
}
"""The names of types in Go's errors."""
_DROPPED = object()
"""In place of a value that is dropped."""


NEWER_FIELDS = frozenset({"flyteidl2.app.Spec.cluster"})
"""Fields of flyteidl2 that the backend's version doesn't know, so that in JSON they are unknown ones: 2.0.49 has it."""


def decode_json(text: str, message: Message) -> None:
    """Fill an empty message. Raises GoJsonError. Invalid bytes in the text are surrogates."""
    decoder = _Decoder(text)
    decoder.message(message, 1)
    end = decoder.reader.read()
    if end.kind is not Kind.END:
        raise decoder.reader.unexpected(end)
    if decoder.deepest >= _CHECKED_LEVELS:
        try:
            type(message).FromString(message.SerializeToString())
        except DecodeError:
            raise GoJsonError(TOO_DEEP) from None


class _Decoder:
    """One decoding."""

    def __init__(self, text: str) -> None:
        self.reader = Reader(text)
        self.deepest = 0

    def message(self, message: Message, level: int) -> None:
        """Decode the next value into a message, which is at that level."""
        self.deepest = max(self.deepest, level)
        if level > _MAX_LEVELS:
            raise GoJsonError(TOO_DEEP)
        name = message.DESCRIPTOR.full_name
        match name:
            case "google.protobuf.Struct":
                self._map(message, _fields(message.DESCRIPTOR)["fields"], level)
            case "google.protobuf.ListValue":
                self._list(message, _fields(message.DESCRIPTOR)["values"], level)
            case "google.protobuf.Value":
                self._value(message, level)
            case "google.protobuf.Timestamp" | "google.protobuf.Duration":
                self._time(message, name)
            case _ if name.startswith("google.protobuf."):
                ParseDict(json.loads(self.reader.skip_value()), message, ignore_unknown_fields=True)
            case _:
                self._members(message, level)

    def _members(self, message: Message, level: int) -> None:
        reader = self.reader
        if (token := reader.read()).kind is not Kind.OBJECT:
            raise reader.unexpected(token)
        fields = _fields(message.DESCRIPTOR)
        seen: set[object] = set()
        while (name := reader.read()).kind is not Kind.OBJECT_END:
            if name.kind is not Kind.NAME:
                raise reader.unexpected(name)
            field = fields.get(name.value)
            if field is None:
                reader.skip_value()
                continue
            if field.number in seen:
                raise reader.error(name.at, f"duplicate field {name.text}")
            seen.add(field.number)
            if reader.peek().kind is Kind.NULL and not _takes_null(field):
                reader.read()
                continue
            self._field(message, field, name, seen, level)

    def _field(self, message: Message, field: FieldDescriptor, name: Token, seen: set[object], level: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._map(message, field, level)
        elif field.is_repeated:
            self._list(message, field, level)
        else:
            oneof = field.containing_oneof
            if oneof is not None:
                if oneof.full_name in seen:
                    what = f"error parsing {name.text}, oneof {oneof.full_name} is already set"
                    raise self.reader.error(name.at, what)
                seen.add(oneof.full_name)
            if field.message_type is not None:
                inner = getattr(message, field.name)
                inner.SetInParent()
                self.message(inner, level + 1)
            elif (value := self._scalar(field)) is not _DROPPED:
                setattr(message, field.name, value)

    def _list(self, message: Message, field: FieldDescriptor, level: int) -> None:
        reader = self.reader
        if (token := reader.read()).kind is not Kind.LIST:
            raise reader.unexpected(token)
        values: Any = getattr(message, field.name)
        while reader.peek().kind is not Kind.LIST_END:
            if field.message_type is not None:
                self.message(values.add(), level + 1)
            elif (value := self._scalar(field)) is not _DROPPED:
                values.append(value)
        reader.read()

    def _map(self, message: Message, field: FieldDescriptor, level: int) -> None:
        reader = self.reader
        if (token := reader.read()).kind is not Kind.OBJECT:
            raise reader.unexpected(token)
        assert field.message_type is not None
        key_field, value_field = (field.message_type.fields_by_name[each] for each in ("key", "value"))
        values: Any = getattr(message, field.name)
        while (name := reader.read()).kind is not Kind.OBJECT_END:
            if name.kind is not Kind.NAME:
                raise reader.unexpected(name)
            key = self._key(name, key_field)
            if key in values:
                raise reader.error(name.at, f"duplicate map key {name.text}")
            if value_field.message_type is not None:
                self.message(values[key], level + 2)
            elif (value := self._scalar(value_field)) is not _DROPPED:
                values[key] = value

    def _key(self, name: Token, field: FieldDescriptor) -> object:
        kind = _KINDS[field.type]
        key: object = None
        if kind == "string":
            return name.value
        if kind == "bool":
            key = {"true": True, "false": False}.get(name.value)
        elif name.value.isascii() and name.value.lstrip("-+").isdigit():
            key = scalars.whole(name.value.lstrip("+"), int(kind[-2:]), signed=not kind.startswith(("u", "fixed")))
        if key is None:
            raise self.reader.error(name.at, f"invalid value for {kind} key: {name.text}")
        return key

    def _scalar(self, field: FieldDescriptor) -> object:
        """Return the next value as the field has it, _DROPPED for an unknown name of an enum's value."""
        token = self.reader.read()
        kind = _KINDS[field.type]
        value = _enum(token, field) if kind == "enum" else _scalar(token, kind)
        if value is None:
            what = f"invalid value for {kind} field {field.json_name}: {token.text}"
            raise self.reader.error(token.at, what)
        return value

    def _value(self, message: Any, level: int) -> None:
        """Decode into a google.protobuf.Value."""
        reader = self.reader
        token = reader.peek()
        match token.kind:
            case Kind.OBJECT:
                message.struct_value.SetInParent()
                self.message(message.struct_value, level + 1)
            case Kind.LIST:
                message.list_value.SetInParent()
                self.message(message.list_value, level + 1)
            case Kind.NULL:
                reader.read()
                message.null_value = 0
            case Kind.BOOL:
                message.bool_value = reader.read().text == "true"
            case Kind.STRING:
                message.string_value = reader.read().value
            case _:
                reader.read()
                number = scalars.floating(token.text, 64) if token.kind is Kind.NUMBER else None
                if number is None:
                    raise reader.error(token.at, f"invalid {_VALUE}: {token.text}")
                message.number_value = number

    def _time(self, message: Any, name: str) -> None:
        """Decode into a Timestamp or a Duration."""
        token = self.reader.read()
        if token.kind is not Kind.STRING:
            raise self.reader.unexpected(token)
        is_duration = name.endswith("Duration")
        found = scalars.duration(token.value) if is_duration else scalars.timestamp(token.value)
        if found is None:
            raise self.reader.error(token.at, f"invalid {name} value {token.text}")
        most = scalars.MAX_DURATION_SECONDS
        least, most = (-most, most) if is_duration else (scalars.FIRST_SECOND, scalars.LAST_SECOND)
        if not least <= found[0] <= most:
            raise self.reader.error(token.at, f"{name} value out of range: {token.text}")
        message.seconds, message.nanos = found


def _enum(token: Token, field: FieldDescriptor) -> object:
    assert field.enum_type is not None
    if token.kind is Kind.STRING:
        value = field.enum_type.values_by_name.get(token.value)
        return value.number if value is not None else _DROPPED
    if token.kind is Kind.NUMBER:
        return scalars.whole(token.text, 32, signed=True)
    return 0 if token.kind is Kind.NULL and _takes_null(field) else None


def _scalar(token: Token, kind: str) -> object:
    match kind, token.kind:
        case "bool", Kind.BOOL:
            return token.text == "true"
        case "string", Kind.STRING:
            return token.value
        case "bytes", Kind.STRING:
            return scalars.octets(token.value)
        case (("bool" | "string" | "bytes"), _):
            return None
        case _, Kind.NUMBER:
            number = token.text
        case (("double" | "float"), Kind.STRING) if (named := scalars.named_float(token.value)) is not None:
            return named
        case _, Kind.STRING if (found := scalars.number_in(token.value)) is not None:
            number = found
        case _:
            return None
    if kind in ("double", "float"):
        return scalars.floating(number, 64 if kind == "double" else 32)
    return scalars.whole(number, int(kind[-2:]), signed=not kind.startswith(("u", "fixed")))


def _takes_null(field: FieldDescriptor) -> bool:
    """Return whether null is a value of the field."""
    names = [each.full_name for each in (field.message_type, field.enum_type) if each is not None]
    return _VALUE in names or "google.protobuf.NullValue" in names


@cache
def _fields(shape: Descriptor) -> Mapping[str, FieldDescriptor]:
    """Return the fields of a message by both of their names in JSON."""
    known = [field for field in shape.fields if field.full_name not in NEWER_FIELDS]
    return {field.name: field for field in known} | {field.json_name: field for field in known}
