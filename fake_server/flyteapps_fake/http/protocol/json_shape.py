"""JSON before it becomes a message: the number of its values, and whether it has the shape of that message.

protobuf's parser, when it ignores unknown fields, reads a string instead of a message as no message.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_OWN_FORM = "google.protobuf."
"""Well-known types have JSON forms of their own, which protobuf's parser checks."""
_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string of JSON, up to the end of the data where it is unterminated; it never backtracks."""


def count_json(data: str, limit: int) -> int:
    """Count the values of a JSON document, or an upper bound of it within `limit`.

    It costs nearly nothing where commas and brackets, those within strings included, are few.
    """
    count = _marks(data)
    return count if count <= limit else _marks(_TEXT.sub("", data))


def _marks(data: str) -> int:
    """Count the commas and opening brackets, one of which precedes every value but the first."""
    return 1 + data.count(",") + data.count("{") + data.count("[")


def misfit(value: Any, shape: Descriptor, where: str = "the request") -> str:
    """Return which part of `value` should be an object or a list and isn't; "" for none."""
    if shape.full_name.startswith(_OWN_FORM):
        return ""
    if not isinstance(value, dict):
        return f"{where} must be an object"
    by_name = _messages(shape)
    for name, inner in cast("dict[str, Any]", value).items():
        field = by_name.get(name)
        if field is not None and inner is not None:
            found = _field_misfit(inner, field, name if where == "the request" else f"{where}.{name}")
            if found:
                return found
    return ""


@cache
def _messages(shape: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the fields of a message that are messages, by both of their names in JSON."""
    return {
        name: field
        for field in shape.fields
        if field.message_type is not None
        for name in (field.name, field.json_name)
    }


def _field_misfit(value: Any, field: FieldDescriptor, where: str) -> str:
    shape = field.message_type
    if shape is None:
        return ""
    if shape.GetOptions().map_entry:
        inner = shape.fields_by_name["value"].message_type
        if not isinstance(value, dict):
            return f"{where} must be an object"
        if inner is None:
            return ""
        return next(filter(None, (misfit(each, inner, where) for each in cast("dict[str, Any]", value).values())), "")
    if not field.is_repeated:
        return misfit(value, shape, where)
    if not isinstance(value, list):
        return f"{where} must be a list"
    return next(filter(None, (misfit(each, shape, where) for each in cast("list[Any]", value))), "")
