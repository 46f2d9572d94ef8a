"""The container of an app as a process needs it, from a container's spec or from the primary one of a pod."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.core.tasks_pb2 import Container as ContainerSpec
from flyteidl2.core.tasks_pb2 import Resources
from google.protobuf.json_format import MessageToDict

DEFAULT_PORT = 8080
H2C = "h2c"
"""The name of a port that speaks HTTP/2 in the clear, as gRPC does."""
_QUANTITY = re.compile(r"\+?([0-9]*\.?[0-9]+)([KMGTPE]i|[numkMGTPE])?")
_FACTORS = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3,
    **{letter: 1000.0**power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Container:
    """A container. `memory`: its limit in bytes, None without one. `readiness`: the path that answers when it is ready."""

    image: str = ""
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = DEFAULT_PORT
    port_name: str = ""
    memory: int | None = None
    readiness: str = ""
    workdir: str = ""


def container_of(spec: Spec) -> Container:
    """Return the container of a spec; of a pod the primary one, the first where it names none."""
    if spec.HasField("container"):
        return _of_container(spec.container)
    pod = MessageToDict(spec.pod.pod_spec)
    containers = [each for each in _list(pod, "containers") if isinstance(each, dict)]
    named = [each for each in containers if each.get("name") == spec.pod.primary_container_name]
    return _of_pod((named or containers or [{}])[0])


def _of_container(spec: ContainerSpec) -> Container:
    port = spec.ports[0] if spec.ports else None
    limits = [entry.value for entry in spec.resources.limits if entry.name == Resources.MEMORY]
    return Container(
        image=spec.image,
        command=(*spec.command, *spec.args),
        env={pair.key: pair.value for pair in spec.env},
        port=port.container_port if port is not None else DEFAULT_PORT,
        port_name=port.name if port is not None else "",
        memory=bytes_of(limits[0]) if limits else None,
    )


def _of_pod(spec: Mapping[str, Any]) -> Container:
    ports = [each for each in _list(spec, "ports") if isinstance(each, dict)]
    port = ports[0] if ports else {}
    resources = spec.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    memory = limits.get("memory") if isinstance(limits, dict) else None
    probe = spec.get("readinessProbe")
    get = probe.get("httpGet") if isinstance(probe, dict) else None
    path = get.get("path") if isinstance(get, dict) else None
    number = port.get("containerPort")
    env = [each for each in _list(spec, "env") if isinstance(each, dict) and "name" in each]
    return Container(
        image=str(spec.get("image", "")),
        command=tuple(str(each) for each in (*_list(spec, "command"), *_list(spec, "args"))),
        env={str(each["name"]): str(each.get("value", "")) for each in env},
        port=int(number) if isinstance(number, int | float) else DEFAULT_PORT,
        port_name=str(port.get("name", "")),
        memory=bytes_of(str(memory)) if memory is not None else None,
        readiness=str(path) if path else "",
        workdir=str(spec.get("workingDir", "")),
    )


def bytes_of(quantity: str) -> int | None:
    """Return the bytes of a Kubernetes quantity such as 1.5Gi; None for a text that is none."""
    match = _QUANTITY.fullmatch(quantity)
    return int(float(match[1]) * _FACTORS[match[2] or ""]) if match is not None else None


def _list(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []
