"""The pinned outline of the upstream wire contract: `python protos/outline.py` writes it, `--check` compares it.

The outline is a flat, sorted map of plain lines, taken from the installed flyteidl2: the services below with their
methods, and every message and enum that they reach with field names, numbers, types and labels. Flat, so that a
difference is one line and says by itself what moved. No message of ours is generated from it.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

Outline = dict[str, str]

OUTLINE_FILE = Path(__file__).with_name("outline.json")

#: The module that describes each service, and the methods that we rely on (None: all of the service's).
SERVICES: dict[str, tuple[str, frozenset[str] | None]] = {
    "flyteidl2.app.AppService": ("flyteidl2.app.app_service_pb2", None),
    "flyteidl2.app.AppLogsService": ("flyteidl2.app.app_logs_service_pb2", None),
    "flyteidl2.auth.IdentityService": ("flyteidl2.auth.identity_pb2", frozenset({"UserInfo"})),
    "flyteidl2.cluster.ClusterService": ("flyteidl2.cluster.service_pb2", frozenset({"SelectCluster"})),
    "flyteidl2.dataproxy.DataProxyService": (
        "flyteidl2.dataproxy.dataproxy_service_pb2",
        frozenset({"CreateUploadLocation"}),
    ),
    "flyteidl2.imagebuilder.ImageService": ("flyteidl2.imagebuilder.service_pb2", frozenset({"GetImage"})),
    "flyteidl2.project.ProjectService": ("flyteidl2.project.project_service_pb2", frozenset({"ListProjects"})),
}

_SCALARS = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def outline() -> Outline:
    """Return the outline of the installed flyteidl2, without what is missing there: `differences` names that."""
    lines: Outline = {}
    pending: list[Descriptor | EnumDescriptor] = []
    for service, (module, wanted) in SERVICES.items():
        for method in _methods(module, service):
            if wanted is None or method.name in wanted:
                lines[f"method {method.full_name}"] = _method(method)
                pending += [method.input_type, method.output_type]
    seen: set[str] = set()
    while pending:
        described = pending.pop()
        if described.full_name in seen:
            continue
        seen.add(described.full_name)
        if isinstance(described, EnumDescriptor):
            lines[f"enum {described.full_name}"] = "closed" if described.is_closed else "open"
            for value in described.values:
                lines[f"value {described.full_name}.{value.name}"] = str(value.number)
        else:
            lines[f"message {described.full_name}"] = "a message"
            for field in described.fields:
                lines[f"field {field.full_name}"] = _field(field)
                pending += [each for each in (field.message_type, field.enum_type) if each is not None]
    return dict(sorted(lines.items()))


def differences(pinned: Outline, installed: Outline) -> Iterator[str]:
    """Yield the differences from `pinned` to `installed`, a sentence each."""
    for subject in sorted(pinned.keys() | installed.keys()):
        before, after = pinned.get(subject), installed.get(subject)
        if after is None:
            yield f"{subject} ({before}) is gone"
        elif before is None:
            yield f"{subject} ({after}) is new"
        elif before != after:
            yield f"{subject} was ({before}), is ({after})"


def main(arguments: Sequence[str]) -> int:
    """Write the outline, or with `--check` compare it with the pinned one: return 1 and print any differences."""
    installed = outline()
    if "--check" not in arguments:
        OUTLINE_FILE.write_text(json.dumps(installed, indent=1) + "\n", encoding="utf-8")
        return 0
    moved = list(differences(json.loads(OUTLINE_FILE.read_text(encoding="utf-8")), installed))
    for sentence in moved:
        print(sentence)
    counted = "1 difference" if len(moved) == 1 else f"{len(moved)} differences"
    print(f"protos: {counted} between outline.json and the installed flyteidl2 ({len(installed)} lines)")
    return 1 if moved else 0


def _methods(module: str, service: str) -> Sequence[MethodDescriptor]:
    try:
        services: Mapping[str, ServiceDescriptor] = importlib.import_module(module).DESCRIPTOR.services_by_name
    except ModuleNotFoundError:
        return ()
    found = services.get(service.rpartition(".")[2])
    return () if found is None else found.methods


def _method(method: MethodDescriptor) -> str:
    """For example `flyteidl2.app.WatchRequest -> stream flyteidl2.app.WatchResponse`."""
    sent = "stream " if method.client_streaming else ""
    answered = "stream " if method.server_streaming else ""
    return f"{sent}{method.input_type.full_name} -> {answered}{method.output_type.full_name}"


def _field(field: FieldDescriptor) -> str:
    """For example `16, string` or `3, repeated flyteidl2.app.Condition, in oneof payload`."""
    kind = _SCALARS[field.type]
    if field.message_type is not None:
        kind = field.message_type.full_name
    elif field.enum_type is not None:
        kind = field.enum_type.full_name
    if field.is_repeated:
        kind = f"repeated {kind}"
    elif field.has_presence and field.containing_oneof is None and field.message_type is None:
        kind = f"optional {kind}"
    place = f", in oneof {field.containing_oneof.name}" if field.containing_oneof is not None else ""
    return f"{field.number}, {kind}{place}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
