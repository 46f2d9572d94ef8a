"""The app that Create stores: computed from the request alone, never read from a plane.

Pure functions on messages. What only the plane can know stands as a hole, which `settled` fills from an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import cast

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common.identity_pb2 import EnrichedIdentity
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

HOLE = "?"
"""Stands for the generated subdomain; no DNS label looks like it."""
LABEL_LENGTH = 63
HASH = "[0-9A-Za-z]{8}"


def created(sent: model.App, org: str, caller: EnrichedIdentity) -> model.App:
    """Return the app that a Create of `sent` by `caller` stores, without its status."""
    app = model.App(metadata=sent.metadata, spec=sent.spec)
    app.metadata.revision = 1
    if not app.metadata.id.org:
        app.metadata.id.org = org
    if generates(sent.spec):
        app.spec.ingress.subdomain = HOLE
    if not app.spec.HasField("creator"):
        app.spec.creator.CopyFrom(caller)
    return app


def generates(spec: model.Spec) -> bool:
    """Return whether the plane stores an ingress of its own: none was sent, or one without a field set."""
    return spec.ingress == model.IngressConfig()


def settled(expected: model.App, answer: model.App) -> model.App:
    """Return the expected app with its hole filled from `answer`, where that has something to fill it with."""
    app = model.App()
    app.CopyFrom(expected)
    if app.spec.ingress.subdomain == HOLE and answer.spec.ingress.subdomain:
        app.spec.ingress.subdomain = answer.spec.ingress.subdomain
    return app


def is_generated(subdomain: str, name: str) -> bool:
    """Return whether it looks like what a plane generates for an app of that name, and is one DNS label."""
    shape = re.escape(name.lower()) + "-" + HASH
    return re.fullmatch(shape, subdomain) is not None and len(subdomain) <= LABEL_LENGTH


def fill(message: Message, choice: int) -> None:
    """Set every field, at any depth, each to another value; of a oneof the `choice`-th member (the last, if fewer).

    No message is put into one of its own type, so it ends.
    """
    _fill(message, choice, count(1), frozenset())


def _fill(message: Message, choice: int, numbers: Iterator[int], above: frozenset[str]) -> None:
    descriptor = cast("Descriptor", message.DESCRIPTOR)  # two classes with one interface
    if isinstance(message, Struct):
        message.update({f"key{next(numbers)}": [{"a": next(numbers)}, None, True, "b"]})
        return
    if isinstance(message, Duration):
        message.seconds = 60 + next(numbers) % 60  # request_timeout has an upper bound
        return
    above |= {descriptor.full_name}
    for field in _chosen(descriptor, choice):
        kind = field.message_type
        if kind is not None and kind.full_name in above:
            continue
        if kind is not None and kind.GetOptions().map_entry:
            entries, key, value = getattr(message, field.name), f"k{next(numbers)}", kind.fields_by_name["value"]
            if value.message_type is None:
                entries[key] = _value(value, numbers)
            else:
                _fill(entries[key], choice, numbers, above)  # reading a missing key of such a map makes it
        elif kind is not None and field.is_repeated:
            for _ in range(2):
                _fill(getattr(message, field.name).add(), choice, numbers, above)
        elif kind is not None:
            getattr(message, field.name).SetInParent()
            _fill(getattr(message, field.name), choice, numbers, above)
        elif field.is_repeated:
            getattr(message, field.name).extend(_value(field, numbers) for _ in range(2))
        else:
            setattr(message, field.name, _value(field, numbers))


def _chosen(descriptor: Descriptor, choice: int) -> Iterator[FieldDescriptor]:
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if oneof is None or oneof.fields[min(choice, len(oneof.fields) - 1)] is field:
            yield field


def _value(field: FieldDescriptor, numbers: Iterator[int]) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            text = f"v{next(numbers)}"
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_ENUM:
            assert field.enum_type is not None
            return field.enum_type.values[-1].number
        case _:
            return next(numbers)
