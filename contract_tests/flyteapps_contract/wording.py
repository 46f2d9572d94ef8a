"""The words of verdicts: messages, their differences and calls, as a reader of a report needs them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.text_format import MessageToString
from google.protobuf.timestamp_pb2 import Timestamp

MAX_DIFFERENCES = 12
"""Fields that a text lists."""
MAX_CHARACTERS = 160
"""Characters of one value."""
NOTHING = "nothing"

Difference = tuple[str, str, str]
"""The path of a field, its expected and its observed value."""


def differing(expected: Message, actual: Message) -> str:
    """Return the fields that differ, a line each, such as "metadata.revision: expected 1, got 2"."""
    found = list(_fields(expected, actual, ""))
    lines = [f"  {path}: expected {wanted}, got {got}" for path, wanted, got in found[:MAX_DIFFERENCES]]
    more = len(found) - MAX_DIFFERENCES
    return "\n".join([*lines, *([f"  ... fields more: {more}"] if more > 0 else [])])


def shown(value: object) -> str:
    """Return a value in one line."""
    if isinstance(value, (Timestamp, Duration)):
        return value.ToJsonString()
    if isinstance(value, Message):
        return _short("{" + " ".join(MessageToString(value, as_one_line=True).split()) + "}")
    return _short(repr(value))


def call(method: str, request: Message) -> str:
    """Return a call by its name and what it says, such as "Create a: desired_state STOPPED, image img:0"."""
    fields = cast("Any", request)
    if not hasattr(fields, "app"):
        return f"{method} {_target(fields)}".rstrip()
    said = [f"{path} {value}" for path, value in _sent(fields.app)]
    reason = getattr(fields, "reason", "")
    return f"{method} {fields.app.metadata.id.name}: {', '.join([*said, *([f'reason {reason!r}'] if reason else [])])}"


def _sent(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the fields of an app in a request: short values by their names."""
    if app.metadata.revision:
        yield "revision", str(app.metadata.revision)
    if app.metadata.labels:
        yield "labels", shown(dict(app.metadata.labels))
    yield "desired_state", _enum(app.spec, "desired_state").removeprefix("DESIRED_STATE_")
    if app.spec.container.image:
        yield "image", app.spec.container.image
    for field, value in app.spec.ListFields():
        if field.name not in ("desired_state", "container", "creator"):
            yield field.name, shown(value)
    if app.status.assigned_cluster:
        yield "assigned_cluster", app.status.assigned_cluster
    for condition in app.status.conditions[-1:]:
        yield "status", _enum(condition, "deployment_status").removeprefix("DEPLOYMENT_STATUS_")


def _target(request: Any) -> str:
    """Return the app, scope or cluster that a request names."""
    parts: list[str] = []
    for field, value in request.ListFields():
        name = getattr(value, "name", "") if isinstance(value, Message) else ""
        parts.append(name if name and field.name == "app_id" else f"{field.name} {name or shown(value)}")
    return ", ".join(parts)


def _fields(expected: Message, actual: Message, path: str) -> Iterator[Difference]:
    descriptor = cast("Descriptor", expected.DESCRIPTOR)  # two classes with one interface
    for field in descriptor.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            yield from _elements(field, getattr(expected, field.name), getattr(actual, field.name), here)
            continue
        wanted, got = _value(field, expected), _value(field, actual)
        if isinstance(wanted, Message) and isinstance(got, Message) and not isinstance(wanted, (Timestamp, Duration)):
            yield from _fields(wanted, got, here)
        elif wanted != got:
            yield here, _shown(wanted), _shown(got)


def _elements(field: FieldDescriptor, wanted: Any, got: Any, path: str) -> Iterator[Difference]:
    """Yield the differences of two lists, or maps, element by element."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        one, other = cast("Mapping[Any, object]", wanted), cast("Mapping[Any, object]", got)
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                yield f"{path}[{key!r}]", _shown(one.get(key)), _shown(other.get(key))
        return
    first, second = cast("Sequence[object]", wanted), cast("Sequence[object]", got)
    for place in range(max(len(first), len(second))):
        one_, other_ = (each[place] if place < len(each) else None for each in (first, second))
        if isinstance(one_, Message) and isinstance(other_, Message):
            yield from _fields(one_, other_, f"{path}[{place}]")
        elif one_ != other_:
            yield f"{path}[{place}]", _shown(one_), _shown(other_)


def _value(field: FieldDescriptor, message: Message) -> object:
    """Return a field's value, an enum's by its name; None where it isn't there."""
    if field.has_presence and not message.HasField(field.name):
        return None
    if field.enum_type is not None:
        return _Name(_enum(message, field.name))
    return cast("object", getattr(message, field.name))


class _Name(str):
    """A value that is shown without quotes."""


def _enum(message: Message, name: str) -> str:
    number = getattr(message, name)
    found = cast("Any", message).DESCRIPTOR.fields_by_name[name].enum_type.values_by_number.get(number)
    return found.name if found is not None else str(number)


def _shown(value: object) -> str:
    if value is None:
        return NOTHING
    return str(value) if isinstance(value, _Name) else shown(value)


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}..."
