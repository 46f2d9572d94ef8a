"""Whether JSON has the shape of a message: told to drop unknown fields, protobuf's parser reads a text as none."""

from __future__ import annotations

from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_OWN_FORM = "google.protobuf."
"""Well-known types have JSON forms of their own, which protobuf's parser checks."""


def misfit(value: Any, shape: Descriptor, where: str = "the request") -> str:
    """What in `value` should be an object or a list and isn't; "" where all fits."""
    if shape.full_name.startswith(_OWN_FORM):
        return ""
    if not isinstance(value, dict):
        return f"{where} must be an object"
    by_name = {name: field for field in shape.fields for name in (field.name, field.json_name)}
    for name, inner in cast("dict[str, Any]", value).items():
        field = by_name.get(name)
        if field is not None and inner is not None and field.message_type is not None:
            found = _field_misfit(inner, field, name if where == "the request" else f"{where}.{name}")
            if found:
                return found
    return ""


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
