"""The rules of one container: its image, ports, environment and security context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.specs.image_references import is_reference
from flyteapps_fake.flyte_oss.kubernetes.specs.mounts import errors_of_mounts
from flyteapps_fake.flyte_oss.kubernetes.specs.probes import errors_of_probes
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, below, errors_of
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import (
    MAX_INT32,
    forbidden,
    invalid,
    missing,
    one_of,
    out_of_bounds,
)

RESERVED_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})
MAX_PORT = 65535
PORT_NAMES = frozenset({"", "h2c", "http1"})
RESERVED_VARIABLES = frozenset({"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"})
POLICIES = frozenset({"", "File", "FallbackToLogsOnError"})
"""The policies of a container's termination message."""


class Variable(NamedTuple):
    """An environment variable; `sidecar`: of a container that serves no port."""

    fields: Json
    sidecar: bool

    @property
    def name(self) -> str:
        """Its name, which may be empty."""
        return self.fields.get("name", "")

    @property
    def source(self) -> Json:
        """The source that its value is taken from, empty without one."""
        return self.fields.get("valueFrom", {})


def _port(port: Json) -> int:
    return port.get("containerPort", 0)


PORTS: tuple[Rule[Json], ...] = (
    Rule(
        "port 8008, 8012, 8013, 8022, 9090 or 9091",
        lambda port: _port(port) in RESERVED_PORTS,
        lambda port: invalid(
            f"{_port(port)} is a reserved port",
            "containerPort",
            f"{_port(port)} is a reserved port, please use a different value",
        ),
        seen=True,
    ),
    Rule(
        "a port over 65535",
        lambda port: not 0 <= _port(port) <= MAX_PORT,
        lambda port: out_of_bounds(0, _port(port), MAX_PORT, "containerPort"),
        seen=True,
    ),
    Rule(
        "a port's protocol other than TCP",
        lambda port: port.get("protocol", "TCP") != "TCP",
        lambda port: invalid(port["protocol"], "protocol"),
    ),
    Rule(
        "a port's name other than http1 and h2c",
        lambda port: port.get("name", "") not in PORT_NAMES,
        lambda port: FieldError(
            f"Port name {port['name']} is not allowed", ("",), "Name must be empty, or one of: 'h2c', 'http1'"
        ),
        seen=True,
    ),
)
"""Of the first port of a container; their paths have no index."""

VARIABLES: tuple[Rule[Variable], ...] = (
    Rule("a variable without a name", lambda variable: not variable.name, lambda _: missing("name")),
    Rule(
        "a variable PORT, K_SERVICE, K_REVISION or K_CONFIGURATION",
        lambda variable: variable.name in RESERVED_VARIABLES and not (variable.sidecar and variable.name == "PORT"),
        lambda variable: FieldError(f"{quoted(variable.name)} is a reserved environment variable", ("name",)),
        seen=True,
    ),
    Rule(
        "a variable whose value is a field of the pod",
        lambda variable: "fieldRef" in variable.source,
        lambda _: forbidden("valueFrom.fieldRef"),
    ),
    Rule(
        "a variable whose value is a resource of the pod",
        lambda variable: "resourceFieldRef" in variable.source,
        lambda _: forbidden("valueFrom.resourceFieldRef"),
    ),
)

SOURCES: tuple[Rule[Json], ...] = (
    Rule(
        "an envFrom that names neither or both of configMapRef and secretRef",
        lambda source: ("configMapRef" in source) == ("secretRef" in source),
        lambda source: one_of(("configMapRef", "secretRef"), len(source)),
    ),
)

SECURITY: tuple[Rule[Json], ...] = (
    Rule(
        "a privileged container",
        lambda context: context.get("privileged") is True,
        lambda _: forbidden("privileged"),
    ),
    Rule(
        "a container's securityContext.capabilities.add",
        lambda context: "add" in context.get("capabilities", {}),
        lambda _: forbidden("capabilities.add"),
    ),
    *(
        Rule[Json](
            f"a container's {field} that is negative or over 2147483647",
            lambda context, field=field: not 0 <= context.get(field, 0) <= MAX_INT32,
            lambda context, field=field: out_of_bounds(0, context[field], MAX_INT32, field),
        )
        for field in ("runAsUser", "runAsGroup")
    ),
)

CONTAINERS: tuple[Rule[Json], ...] = (
    Rule(
        "a container named queue-proxy",
        lambda container: container.get("name") == "queue-proxy",
        lambda container: FieldError(f"{quoted(container['name'])} is a reserved container name", ("name",)),
    ),
    Rule("no image", lambda container: "image" not in container, lambda _: missing("image"), seen=True),
    Rule(
        "an image that is no reference: with blanks or upper case, or of one character",
        lambda container: "image" in container and not is_reference(container["image"]),
        lambda container: FieldError(
            "Failed to parse image reference",
            ("image",),
            f"image: {quoted(container['image'])}, error: could not parse reference: {container['image']}",
        ),
        seen=True,
    ),
    Rule(
        "a terminationMessagePolicy that is none",
        lambda container: container.get("terminationMessagePolicy", "") not in POLICIES,
        lambda container: invalid(container["terminationMessagePolicy"], "terminationMessagePolicy"),
    ),
)


def errors_of_container(
    container: Json, volumes: dict[str, Json], port_name: str, *, sidecar: bool
) -> list[FieldError]:
    """Return the errors of a container, with paths from it."""
    return [*_errors(container, volumes, sidecar), *errors_of_probes(container, port_name, sidecar=sidecar)]


def _errors(container: Json, volumes: dict[str, Json], sidecar: bool) -> Iterator[FieldError]:
    yield from errors_of(CONTAINERS, container)
    for index, fields in enumerate(container.get("env", ())):
        yield from below(f"env[{index}]", errors_of(VARIABLES, Variable(fields, sidecar)))
    for source in container.get("envFrom", ()):
        yield from below("envFrom", errors_of(SOURCES, source))
    for port in container.get("ports", ())[:1]:
        yield from below("ports", errors_of(PORTS, port))
    yield from below("securityContext", errors_of(SECURITY, container.get("securityContext", {})))
    yield from errors_of_mounts(container.get("volumeMounts", ()), volumes)
