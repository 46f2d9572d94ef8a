"""The JSON of a document is what protobuf's printer makes of it, whatever is in it."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake.seeding.document_text import document_text

from .test_edited_documents import VALUES, driven, edited, operated

TEXTS = ("", "x", 'é\n\u2028 "quoted" \\ \0', "😀")
BYTES = (b"", b"\xff\xfe\0", b"\n\2hi")
MAX_DEPTH = 8


def values_of(field: FieldDescriptor) -> tuple[Any, ...]:
    """Return the values that a field may get, which holds no messages."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return BYTES if field.type == FieldDescriptor.TYPE_BYTES else TEXTS
    return (0, 1, 7) if field.cpp_type == FieldDescriptor.CPPTYPE_UINT32 else VALUES[field.cpp_type]


def fill(message: Any, draws: random.Random, depth: int = 0) -> None:
    """Set all fields of a message, and of those in it, to drawn values; those of protobuf itself stay empty."""
    if depth > MAX_DEPTH or message.DESCRIPTOR.file.package == "google.protobuf":
        return
    for field in message.DESCRIPTOR.fields:
        place, inner = getattr(message, field.name), field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            key, value = (draws.choice(values_of(inner.fields_by_name[each])) for each in ("key", "value"))
            place[key] = value
        elif inner is not None:
            for each in [place.add() for _ in range(draws.randrange(3))] if field.is_repeated else [place]:
                each.SetInParent()
                fill(each, draws, depth + 1)
        elif field.is_repeated:
            place.extend(draws.choices(values_of(field), k=draws.randrange(3)))
        else:
            setattr(message, field.name, draws.choice(values_of(field)))


def printed(message: Message) -> bytes:
    """Return a message as protobuf prints it."""
    return MessageToJson(message, indent=1).encode() + b"\n"


def test_a_document_of_a_plane() -> None:
    """It is the same for planes of both dialects, and as documents are edited."""
    for document in (driven(), operated()):
        draws = random.Random(0)
        for _ in range(10):
            assert document_text(document) == printed(document)
            edited(document, draws)


def test_a_document_with_all_fields() -> None:
    """It is the same where each field has any value, texts of all kinds included."""
    assert document_text(PlaneState()) == printed(PlaneState())
    for seed in range(5):
        document = PlaneState()
        fill(document, random.Random(seed))
        assert document_text(document) == printed(document)
