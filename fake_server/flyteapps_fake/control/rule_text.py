"""A rule for faults in one line, as the call that adds it."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from flyteapps_control.v1.control_pb2 import Fault

_OF_PLANE = ("id", "matched", "applied", "rpc")
_FUNCTIONS = {"http": "answer"}
"""The functions whose name isn't that of their effect."""


def text_of(fault: Fault) -> str:
    """Return such as `f1: fail('Create', code='UNAVAILABLE', nth=2): no call matched`."""
    fields: dict[str, Any] = MessageToDict(fault, preserving_proto_field_name=True)
    effect = str(fault.WhichOneof("effect"))
    arguments: dict[str, Any] = dict(fields.pop(effect))
    selector: dict[str, str] = fields.pop("app", {})
    arguments |= {{"name": "app"}.get(name, name): value for name, value in selector.items()}
    arguments |= {name: value for name, value in fields.items() if name not in _OF_PLANE}
    written = ", ".join((repr(fault.rpc), *(f"{name}={value!r}" for name, value in arguments.items())))
    counts = f"{fault.matched} matched, {fault.applied} had it" if fault.matched else "no call matched"
    return f"{fault.id}: {_FUNCTIONS.get(effect, effect)}({written}): {counts}"
