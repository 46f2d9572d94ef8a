"""The container of an app as a process needs it, from a container's spec or from the primary one of a pod."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.core.tasks_pb2 import Container as ContainerSpec
from flyteidl2.core.tasks_pb2 import Resources
from google.protobuf.struct_pb2 import Struct

from flyteapps_fake.simulation.pod_spec import primary_containers, struct, structs, text, texts, whole

DEFAULT_PORT = 8080
MAX_SHOWN = 120
"""Characters of a command in a message."""
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
    """A container. `memory`: its limit in bytes, or None. `readiness`: a path that answers once it is ready."""

    image: str = ""
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = DEFAULT_PORT
    port_name: str = ""
    memory: int | None = None
    readiness: str = ""


def container_of(spec: Spec) -> Container:
    """Return the container of a spec; of a pod the primary one, the first where it names none."""
    if spec.HasField("container"):
        return _of_container(spec.container)
    return next((_of_pod(each) for each in primary_containers(spec)), Container())


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


def _of_pod(spec: Struct) -> Container:
    ports = structs(spec, "ports")
    memory = text(struct(struct(spec, "resources"), "limits"), "memory")
    return Container(
        image=text(spec, "image"),
        command=(*texts(spec, "command"), *texts(spec, "args")),
        env={text(each, "name"): text(each, "value") for each in structs(spec, "env") if text(each, "name")},
        port=(whole(ports[0], "containerPort") if ports else 0) or DEFAULT_PORT,
        port_name=text(ports[0], "name") if ports else "",
        memory=bytes_of(memory) if memory else None,
        readiness=text(struct(struct(spec, "readinessProbe"), "httpGet"), "path"),
    )


def bytes_of(quantity: str) -> int | None:
    """Return the bytes of a Kubernetes quantity such as 1.5Gi; None for a text that is none."""
    match = _QUANTITY.fullmatch(quantity)
    return int(float(match[1]) * _FACTORS[match[2] or ""]) if match is not None else None


def shown(command: Sequence[str]) -> str:
    """Return a command as a message shows it, in one line; of a long one its begin and its end, of fserve its name."""
    if command and command[0] == "fserve":  # its arguments are the SDK's own, and long
        return "fserve"
    text = " ".join(" ".join(command).split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]} ... {text[-MAX_SHOWN // 2 :]}"
