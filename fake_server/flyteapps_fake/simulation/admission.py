"""What a cluster looks at in a spec before it runs it: the scenario that it names, its bounds, its flaws.

Only what the simulated cluster does depends on it: the plane stores any spec as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.core.tasks_pb2 import Container, Resources
from google.protobuf.struct_pb2 import Struct

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.scenarios import LABEL, VARIABLE, Size
from flyteapps_fake.simulation.secrets import Secrets

DEFAULT_SCALEDOWN = 900 * SECOND
"""How long an app is idle before it goes to zero, where its spec doesn't say."""

UNSIGNED = r"([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?"
"""A Kubernetes quantity, but for its sign, as a pattern."""
_QUANTITY = re.compile(rf"\+?{UNSIGNED}")
"""A Kubernetes quantity that isn't negative, such as 500m or 1.5Gi."""


class Bounds(NamedTuple):
    """Between how many replicas an app scales, and after how long without a request it goes down to them."""

    least: int
    most: int
    scaledown: int

    @property
    def start(self) -> int:
        """With how many an app starts."""
        return max(1, self.least)

    def replicas(self, size: Size) -> int:
        """How many that is."""
        if size is Size.START:
            return self.start
        return self.most if size is Size.FULL else 0

    def allow(self, trip: Size | None) -> bool:
        """Whether an app may get there and back from where it starts."""
        if trip is Size.NONE:
            return self.least == 0
        return trip is not Size.FULL or self.most > self.start


def bounds_of(spec: Spec) -> Bounds:
    """The spec's bounds; from 0 to 1 where it has none."""
    scaling = spec.autoscaling
    least, most = scaling.replicas.min, scaling.replicas.max
    if not (least or most):
        least, most = 0, 1
    period = scaling.scaledown_period.seconds * SECOND + scaling.scaledown_period.nanos
    return _bounds(least, most, period if period > 0 else DEFAULT_SCALEDOWN)


@lru_cache(maxsize=256)
def _bounds(least: int, most: int, scaledown: int) -> Bounds:
    """One for all apps that have the same."""
    return Bounds(least, most, scaledown)


def flaw_of(spec: Spec) -> str:
    """Why no cluster could run it, "" where one could."""
    bounds = bounds_of(spec)
    if bounds.least > bounds.most:
        return f"spec.autoscaling.replicas: min is {bounds.least}, more than max, which is {bounds.most}"
    for where, name, value in quantities(spec):
        if not _QUANTITY.fullmatch(value):
            return f"{where}: {name} is {quoted(value)}, which is no quantity; give one such as 500m or 2Gi"
    return ""


def missing_secret_of(app: App, secrets: Secrets) -> str:
    """Return the name of the first secret that the app mounts and that is missing, "" where all are there."""
    project, domain = app.metadata.id.project, app.metadata.id.domain
    wanted = (secret.key for secret in app.spec.security_context.secrets)
    return next((name for name in wanted if secrets.is_missing(project, domain, name)), "")


def named_scenario(app: App) -> str:
    """The name of the scenario that the app asks for, "" where it asks for none; its label wins."""
    if named := app.metadata.labels.get(LABEL):
        return named
    return next((value for name, value in _environment(app.spec) if name == VARIABLE), "")


def quantities(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """Where each resource quantity is, what it is of, and its text."""
    if spec.HasField("container"):
        resources = spec.container.resources
        for kind, entries in (("requests", resources.requests), ("limits", resources.limits)):
            for index, entry in enumerate(entries):
                name = Resources.ResourceName.Name(entry.name) if entry.name in range(6) else str(entry.name)
                yield f"spec.container.resources.{kind}[{index}]", name, entry.value
    for number, container in enumerate(_items(spec.pod.pod_spec, "containers")):
        for kind in ("requests", "limits"):
            for name, value in sorted(_struct(_struct(container, "resources"), kind).fields.items()):
                text = value.string_value if value.HasField("string_value") else f"{value.number_value:g}"
                yield f"spec.pod.pod_spec.containers[{number}].resources.{kind}", name, text


def _environment(spec: Spec) -> list[tuple[str, str]]:
    if spec.HasField("container"):
        return _of_container(spec.container)
    pod = spec.pod
    for container in _items(pod.pod_spec, "containers"):
        if not pod.primary_container_name or _text(container, "name") == pod.primary_container_name:
            return [(_text(variable, "name"), _text(variable, "value")) for variable in _items(container, "env")]
    return []


def _of_container(container: Container) -> list[tuple[str, str]]:
    return [(pair.key, pair.value) for pair in container.env]


def _items(struct: Struct, key: str) -> list[Struct]:
    values = struct.fields[key].list_value.values if key in struct.fields else ()
    return [value.struct_value for value in values]


def _struct(struct: Struct, key: str) -> Struct:
    return struct.fields[key].struct_value if key in struct.fields else Struct()


def _text(struct: Struct, key: str) -> str:
    return struct.fields[key].string_value if key in struct.fields else ""
