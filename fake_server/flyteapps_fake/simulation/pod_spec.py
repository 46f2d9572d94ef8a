"""The fields of a pod's spec, which apps carry as a Struct: a missing one, or one of another type, reads as empty."""

from __future__ import annotations

from collections.abc import Iterator

from flyteidl2.app.app_definition_pb2 import Spec
from google.protobuf.struct_pb2 import Struct


def primary_containers(spec: Spec) -> Iterator[Struct]:
    """Yield the primary container of a pod app, all of them if it names none."""
    pod = spec.pod
    for container in structs(pod.pod_spec, "containers"):
        if not pod.primary_container_name or text(container, "name") == pod.primary_container_name:
            yield container


def structs(struct: Struct, key: str) -> list[Struct]:
    """Return a field that is a list of Structs."""
    values = struct.fields[key].list_value.values if key in struct.fields else ()
    return [value.struct_value for value in values]


def struct(of: Struct, key: str) -> Struct:
    """Return a field that is a Struct."""
    return of.fields[key].struct_value if key in of.fields else Struct()


def text(of: Struct, key: str) -> str:
    """Return a field that is a text."""
    return of.fields[key].string_value if key in of.fields else ""


def texts(of: Struct, key: str) -> list[str]:
    """Return a field that is a list of texts."""
    return [value.string_value for value in of.fields[key].list_value.values] if key in of.fields else []


def whole(of: Struct, key: str) -> int:
    """Return a field that is a whole number, 0 for anything else."""
    number = of.fields[key].number_value if key in of.fields else 0.0
    return int(number) if number.is_integer() else 0
