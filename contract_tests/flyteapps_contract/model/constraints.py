"""The rules that the .proto files state of their fields (buf.validate), and messages that keep or break them.

All is read from the descriptors; nothing here knows what a message is for, or calls a plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

DEEPEST = 6
"""Levels of messages in messages that are filled."""
_ODDS = (4, 4, 3, 3, 2, 2)
"""By level: of so many draws one leaves a field empty."""
KEPT = ("a", "b-c", "D9")
"""Texts that keep every rule of a name."""
URIS = ("https://x.example", "ftp://y/z?a=b")
LONG = 40
"""Characters up to which a text without a longest length is drawn."""
SCALED = {
    FieldDescriptor.CPPTYPE_INT32: (0, 1, 2**31 - 1, -1),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, 2**62, -1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2**63),
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, 1.5),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, 1.5),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
}
"""Numbers that may be drawn; fields with rules of their own have theirs."""

Draw = Callable[[int], int]
"""A number below the given one; 0 is the plainest."""


@dataclass(frozen=True, slots=True)
class Break:
    """One step beyond one rule: in words, the path of the field that has to be named, and what makes it so."""

    what: str
    path: str
    make: Callable[[], object]


class Grammar:
    """The valid content of messages of these types. `left_out`: full names of fields never filled, nor broken."""

    def __init__(self, left_out: frozenset[str] = frozenset()) -> None:
        self._left_out = left_out

    def fill(self, message: Message, draw: Draw, depth: int = 0) -> None:
        """Set fields so that all rules are kept; what is set already stays."""
        descriptor = _descriptor(message)
        chosen: set[str] = set()
        for oneof in descriptor.oneofs:
            if message.WhichOneof(oneof.name) is not None:
                continue
            names = [field.name for field in oneof.fields if field.full_name not in self._left_out]
            if names and (_is_required_oneof(oneof) or (depth < DEEPEST and draw(_ODDS[depth]))):
                chosen.add(names[draw(len(names))])
        for field in descriptor.fields:
            if field.full_name in self._left_out:
                continue
            if field.containing_oneof is not None:
                if field.name not in chosen:
                    continue
            elif not field.is_repeated and field.message_type is not None and message.HasField(field.name):
                self.fill(getattr(message, field.name), draw, depth + 1)
                continue
            elif not _must(field) and (depth >= DEEPEST or draw(_ODDS[depth]) == 0):
                continue
            self._set(message, field, draw, depth)

    def _set(self, message: Message, field: FieldDescriptor, draw: Draw, depth: int) -> None:
        here = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            if value.message_type is None and value.cpp_type == FieldDescriptor.CPPTYPE_STRING:
                here[KEPT[draw(len(KEPT))]] = KEPT[draw(len(KEPT))]
        elif field.is_repeated:
            for number in range(draw(3)):
                if field.message_type is not None:
                    each = here.add()
                    self.fill(each, draw, depth + 1)
                    _tell_apart(each, number)
                elif not here:
                    here.append(self._value(field, draw))
        elif field.message_type is not None:
            here.SetInParent()
            if field.message_type.full_name == "google.protobuf.Duration":
                here.seconds = (0, 1, 3600)[draw(3)]
            elif not field.message_type.full_name.startswith("google.protobuf."):
                self.fill(here, draw, depth + 1)
        elif not getattr(message, field.name):
            setattr(message, field.name, self._value(field, draw))

    def _value(self, field: FieldDescriptor, draw: Draw) -> Any:
        if field.enum_type is not None:
            numbers = [each.number for each in field.enum_type.values]
            return numbers[draw(len(numbers))]
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return (b"", b"x")[draw(2)]
            rules = rules_of(field).string
            if rules.uri:
                return URIS[draw(len(URIS))]
            if rules.pattern:
                return (*KEPT, "a" * (rules.max_len or LONG))[draw(4)]
            longest = "é" * (rules.max_len or LONG)
            return (*KEPT, longest, *(() if rules.min_len else ("",)))[draw(4 if rules.min_len else 5)]
        numbers = SCALED[field.cpp_type]
        if rules_of(field).uint32.HasField("gt"):
            return (1, 2**32 - 1)[draw(2)]
        return numbers[draw(len(numbers))]

    def breaks(self, message: Message, path: str = "") -> Iterator[Break]:
        """Return every step beyond a rule that the message allows: of fields that are set, and of required ones.

        `make` changes the message.
        """
        descriptor = _descriptor(message)
        for oneof in descriptor.oneofs:
            name = message.WhichOneof(oneof.name)
            whole = not any(each.full_name in self._left_out for each in oneof.fields)
            if name is not None and whole and _is_required_oneof(oneof):
                yield Break("none of a oneof", f"{path}{oneof.name}", lambda name=name: message.ClearField(name))
        for field in descriptor.fields:
            if field.full_name in self._left_out:
                continue
            here = f"{path}{field.name}"
            if rules_of(field).required and field.message_type is not None:
                yield Break("nothing", here, lambda field=field: message.ClearField(cast("Any", field.name)))
            if field.message_type is not None:
                yield from self._breaks_below(message, field, here)
            elif not field.is_repeated and (field.containing_oneof is None or message.HasField(field.name)):
                for value in _beyond(field):
                    yield Break(
                        f"{value!r}"[:60], here, lambda field=field, value=value: setattr(message, field.name, value)
                    )

    def _breaks_below(self, message: Message, field: FieldDescriptor, here: str) -> Iterator[Break]:
        assert field.message_type is not None
        if field.message_type.GetOptions().map_entry:
            return
        if field.is_repeated:
            for number, each in enumerate(getattr(message, field.name)):
                yield from self.breaks(each, f"{here}[{number}].")
        elif message.HasField(field.name):
            value = getattr(message, field.name)
            rules = rules_of(field).duration
            if rules.HasField("lte"):
                yield Break("a nanosecond too much", here, lambda: _set_duration(value, rules.lte.seconds, 1))
                yield Break("a nanosecond too little", here, lambda: _set_duration(value, 0, -1))
            yield from self.breaks(value, f"{here}.")


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """Return the field's own rules."""
    return field.GetOptions().Extensions[cast("Any", validate_pb2.field)]


def _beyond(field: FieldDescriptor) -> Iterator[Any]:
    """Values that break one of the field's rules, at the edge where it has one."""
    rules = rules_of(field)
    if rules.string.min_len:
        yield ""
    if rules.string.max_len:
        yield "a" * (rules.string.max_len + 1)
    if rules.string.pattern:
        yield "a b"
    if rules.string.uri:
        yield "not a URI"
    if rules.uint32.HasField("gt"):
        yield rules.uint32.gt


def _must(field: FieldDescriptor) -> bool:
    """Return whether the rules don't allow it to be empty."""
    rules = rules_of(field)
    return bool(rules.required or rules.string.min_len or rules.uint32.HasField("gt")) and not field.is_repeated


def _is_required_oneof(oneof: Any) -> bool:
    return bool(oneof.GetOptions().Extensions[validate_pb2.oneof].required)


def _tell_apart(message: Any, number: int) -> None:
    """Give the items of a list names of their own, where they have one."""
    name = _descriptor(message).fields_by_name.get("name")
    if name is not None and name.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        message.name = f"n{number}"


def _set_duration(duration: Any, seconds: int, nanos: int) -> None:
    duration.seconds, duration.nanos = seconds, nanos


def _descriptor(message: Message) -> Descriptor:
    return cast("Descriptor", message.DESCRIPTOR)  # two classes with one interface
