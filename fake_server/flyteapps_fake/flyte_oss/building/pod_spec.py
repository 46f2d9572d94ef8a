"""A pod_spec as the backend decodes it: from a Struct to JSON, and from there, by Go's encoding/json, to a PodSpec.

Unknown fields are ignored, names match in any case, null is nothing. Of several values of a wrong type the first in
order of keys is reported, but what a type's own decoder refuses (quantities, times) ends the decoding at once.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from google.protobuf.struct_pb2 import Struct, Value

from flyteapps_fake.flyte_oss.building.go_numbers import number_text
from flyteapps_fake.flyte_oss.building.pod_types import STRUCTS
from flyteapps_fake.flyte_oss.building.quantities import FORMAT, quantity_error

_ROOT = "PodSpec"
_KINDS = {
    "number_value": "number",
    "string_value": "string",
    "bool_value": "bool",
    "struct_value": "object",
    "list_value": "array",
}
"""The names in Go's errors of what is in a Value."""
_BITS = {"int32": 32, "int64": 64}
_MAPS = {"v1.ResourceList": "resource.Quantity"}
"""The types of the values of named maps."""
_ESCAPED = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029]')
"""Characters that Go escapes in JSON. A quantity is parsed as it is written there."""
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MARSHALING = "json: error calling MarshalJSON for type *structpb.Struct: proto: "


class PodSpecError(ValueError):
    """The error that the backend has with a pod_spec, in its words."""


class _Field(NamedTuple):
    """A field of a struct: its type in Go, and its path from the struct, with the names of embedded structs."""

    type: str
    path: tuple[str, ...]


class _Place(NamedTuple):
    """A place in a document: the name of the innermost struct, and the path of fields from the root."""

    struct: str = ""
    path: tuple[str, ...] = ()


def check_pod_spec(pod_spec: Struct) -> None:
    """Reject a pod_spec that can't be decoded. Raises PodSpecError."""
    _check_values(pod_spec)
    decoder = _Decoder()
    decoder.struct(pod_spec, _ROOT, _Place())
    if decoder.first:
        raise PodSpecError(decoder.first)


def _check_values(struct: Struct) -> None:
    """Reject what has no form in JSON."""
    for _, value in sorted(struct.fields.items()):
        _check_value(value)


def _check_value(value: Value) -> None:
    match value.WhichOneof("kind"):
        case "struct_value":
            _check_values(value.struct_value)
        case "list_value":
            for each in value.list_value.values:
                _check_value(each)
        case "number_value" if not math.isfinite(value.number_value):
            number = "NaN" if math.isnan(value.number_value) else "+Inf" if value.number_value > 0 else "-Inf"
            raise PodSpecError(f"{_MARSHALING}google.protobuf.Value.number_value: invalid {number} value")
        case None:
            raise PodSpecError(f"{_MARSHALING}google.protobuf.Value: none of the oneof fields is set")
        case _:
            pass


class _Decoder:
    """One decoding: `first` is the first error about a type, with which it goes on."""

    def __init__(self) -> None:
        self.first = ""

    def struct(self, struct: Struct, name: str, place: _Place) -> None:
        """Decode an object as a struct."""
        for key, value in sorted(struct.fields.items()):
            field = _field_of(name, key)
            if field is not None:
                self.value(value, field.type, _Place(name, (*place.path, *field.path)))

    def value(self, value: Value, of: str, place: _Place) -> None:
        """Decode a value as that type of Go. Raises PodSpecError where that ends the decoding."""
        kind = value.WhichOneof("kind")
        if kind == "null_value" or of == "v1.FieldsV1":
            return
        name = _name_of(of)
        match of:
            case "resource.Quantity":
                self._quantity(value)
            case "intstr.IntOrString":
                if kind != "string_value":
                    self._number(value, "int32", place, fatal=True)
            case "v1.Time":
                self._time(value, place)
            case "int32" | "int64":
                self._number(value, of, place)
            case _ if of.startswith("[]"):
                if kind == "list_value":
                    for each in value.list_value.values:
                        self.value(each, of[2:], place)
                else:
                    self._mismatch(value, of, place)
            case _ if of in _MAPS or of.startswith("map["):
                if kind == "struct_value":
                    inner = _MAPS.get(of) or of.partition("]")[2]
                    for _, each in sorted(value.struct_value.fields.items()):
                        self.value(each, inner, place)
                else:
                    self._mismatch(value, of, place)
            case _ if name in _structs():
                if kind == "struct_value":
                    self.struct(value.struct_value, name, place)
                else:
                    self._mismatch(value, of, place)
            case _:
                if kind != ("bool_value" if of == "bool" else "string_value"):
                    self._mismatch(value, of, place)

    def _mismatch(self, value: Value, of: str, place: _Place, what: str = "") -> None:
        self.first = self.first or _mismatch(what or _kind_of(value), of, place)

    def _number(self, value: Value, of: str, place: _Place, *, fatal: bool = False) -> None:
        what = _kind_of(value)
        if value.HasField("number_value"):
            text = number_text(value.number_value)
            bound = 2 ** (_BITS[of] - 1)
            if re.fullmatch("-?[0-9]+", text, re.ASCII) and -bound <= int(text) < bound:
                return
            what = f"number {text}"
        if fatal:
            raise PodSpecError(_mismatch(what, of, place))
        self._mismatch(value, of, place, what)

    def _quantity(self, value: Value) -> None:
        if value.HasField("number_value"):
            error = quantity_error(number_text(value.number_value))
        elif not value.HasField("string_value") or _ESCAPED.search(value.string_value):
            error = FORMAT
        else:
            error = quantity_error(value.string_value.strip())
        if error:
            raise PodSpecError(error)

    def _time(self, value: Value, place: _Place) -> None:
        if not value.HasField("string_value"):
            raise PodSpecError(_mismatch(_kind_of(value), "string", place))
        text = value.string_value
        found = _TIME.fullmatch(text)
        if found is None:
            raise PodSpecError(f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{text}" as "2006"')
        year, month, day = map(int, found.groups())
        if not 1 <= month <= 12:
            raise PodSpecError(f'parsing time "{text}": month out of range')
        if not 1 <= day <= monthrange(year or 4, month)[1]:  # year 0 is a leap year, as 4 is
            raise PodSpecError(f'parsing time "{text}": day out of range')


def _kind_of(value: Value) -> str:
    return _KINDS[value.WhichOneof("kind") or ""]


def _mismatch(what: str, of: str, place: _Place) -> str:
    field = ".".join((place.struct, *place.path))
    return f"json: cannot unmarshal {what} into Go struct field {field} of type {of}"


def _name_of(of: str) -> str:
    return of.removeprefix("v1.")


def _field_of(struct: str, key: str) -> _Field | None:
    """Return the field of a struct that a key names: exactly, else in another case."""
    exact, folded = _fields_of(struct)
    return exact.get(key) or folded.get(_folded(key))


@cache
def _fields_of(struct: str) -> tuple[Mapping[str, _Field], Mapping[str, _Field]]:
    """Return the fields of a struct by name, and by folded name; those of embedded structs are its own."""
    found: dict[str, _Field] = {}
    for name, of in _structs()[struct]:
        if of:
            found[name] = _Field(of, (name,))
        else:
            inner = _fields_of(name)[0].items()
            found.update((each, _Field(field.type, (name, *field.path))) for each, field in inner)
    folded: dict[str, _Field] = {}
    for name, field in found.items():
        folded.setdefault(_folded(name), field)
    return found, folded


def _folded(name: str) -> str:
    """Return a name with each character by itself in one case, as Go compares names."""
    return name.lower() if name.isascii() else "".join(map(_folded_character, name))


def _folded_character(character: str) -> str:
    folded = character.casefold()
    return folded if len(folded) == 1 else character


@cache
def _structs() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return the fields of each struct in order, (NAME, TYPE), an embedded one with the type ""."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for line in STRUCTS.strip().splitlines():
        words = line.split()
        if not line.startswith(" "):
            current = found[words.pop(0)] = []
        for word in words:
            name, _, of = word.partition(":")
            current.append((name.removeprefix("+"), of))
    return {name: tuple(fields) for name, fields in found.items()}
