"""A cluster's admission of a spec: the scenario that it names, its scaling bounds, its violations.

Only the simulated cluster depends on it: the plane stores any spec as sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.core.tasks_pb2 import Container, Resources

from flyteapps_control.v1.control_pb2 import Load
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.load import replicas_for, target_of
from flyteapps_fake.simulation.pod_spec import primary_containers, struct, structs, text, texts
from flyteapps_fake.simulation.scenarios import LABEL, VARIABLE, Size

DEFAULT_SCALEDOWN = 900 * SECOND
"""Idle time before an app scales to zero, if its spec sets none, in nanoseconds."""

UNSIGNED = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?"
"""The pattern of a Kubernetes quantity without its sign. Digits can be matched in one way alone, else each of many that
aren't followed by a suffix is tried as the last one before the missing point."""
_QUANTITY = re.compile(rf"\+?{UNSIGNED}")
"""A non-negative Kubernetes quantity, such as 500m or 1.5Gi."""


class Bounds(NamedTuple):
    """The least and greatest number of replicas, and the idle time in nanoseconds before scaling down.

    `target`: the load of one replica, 0 for any load.
    """

    minimum: int
    maximum: int
    scaledown: int
    target: int = 0

    @property
    def start(self) -> int:
        """The number of replicas that an app starts with."""
        return max(1, self.minimum)

    def replicas(self, size: Size | int) -> int:
        """Return the number of replicas of that size; a number is clipped to the bounds."""
        if isinstance(size, int):
            return max(self.minimum, min(size, self.maximum))
        if size is Size.START:
            return self.start
        return self.maximum if size is Size.FULL else 0

    def demand(self, load: Load | None) -> int:
        """Return the number of replicas for a load, without any the least number."""
        return self.replicas(replicas_for(load, self.target) if load is not None else 0)

    def allow(self, trip: Size | None) -> bool:
        """Return whether an app may scale from its start size to that size and back."""
        if trip is Size.NONE:
            return self.minimum == 0
        return trip is not Size.FULL or self.maximum > self.start


def bounds_of(spec: Spec) -> Bounds:
    """Return the spec's bounds; from 0 to 1 if it has none."""
    scaling = spec.autoscaling
    minimum, maximum = scaling.replicas.min, scaling.replicas.max
    if not (minimum or maximum):
        minimum, maximum = 0, 1
    period = scaling.scaledown_period.seconds * SECOND + scaling.scaledown_period.nanos
    return _bounds(minimum, maximum, period if period > 0 else DEFAULT_SCALEDOWN, target_of(spec))


@lru_cache(maxsize=256)
def _bounds(minimum: int, maximum: int, scaledown: int, target: int) -> Bounds:
    """Return one object for all apps with these bounds."""
    return Bounds(minimum, maximum, scaledown, target)


def violation_of(spec: Spec) -> str:
    """Return the reason why no cluster could run the spec, or ""."""
    bounds = bounds_of(spec)
    if bounds.minimum > bounds.maximum:
        return f"spec.autoscaling.replicas: min is {bounds.minimum}, more than max, which is {bounds.maximum}"
    return bad_quantity_of(spec)


def bad_quantity_of(spec: Spec, is_quantity: Callable[[str], object] = _QUANTITY.fullmatch) -> str:
    """Return what is wrong with the first invalid quantity of a spec, or "". `is_quantity`: whether a text is one."""
    for where, name, value in quantities(spec):
        if not is_quantity(value):
            return f"{where}: {name} is {quoted(value)}, not a quantity; use one such as 500m or 2Gi"
    return ""


def missing_secret_of(app: App, secrets: Secrets) -> str:
    """Return the name of the first mounted secret that is missing, or ""."""
    project, domain = app.metadata.id.project, app.metadata.id.domain
    wanted = (secret.key for secret in app.spec.security_context.secrets)
    return next((name for name in wanted if secrets.is_missing(project, domain, name)), "")


def named_scenario(app: App) -> str:
    """Return the scenario that the app names by its label, else by its variable, or ""."""
    if named := app.metadata.labels.get(LABEL):
        return named
    return next((value for name, value in _environment(app.spec) if name == VARIABLE), "")


def image_of(spec: Spec) -> str:
    """Return the image of the app's container, or of its primary one; "" without any."""
    if spec.HasField("container"):
        return spec.container.image
    return next((text(container, "image") for container in primary_containers(spec)), "")


def command_of(spec: Spec) -> str:
    """Return the command and the arguments of that container, with spaces between."""
    if spec.HasField("container"):
        return " ".join((*spec.container.command, *spec.container.args))
    return next((" ".join((*texts(each, "command"), *texts(each, "args"))) for each in primary_containers(spec)), "")


def quantities(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """Yield the path, resource name and text of each resource quantity of a spec."""
    if spec.HasField("container"):
        resources = spec.container.resources
        for kind, entries in (("requests", resources.requests), ("limits", resources.limits)):
            for index, entry in enumerate(entries):
                name = Resources.ResourceName.Name(entry.name) if entry.name in range(6) else str(entry.name)
                yield f"spec.container.resources.{kind}[{index}]", name, entry.value
    for number, container in enumerate(structs(spec.pod.pod_spec, "containers")):
        for kind in ("requests", "limits"):
            for name, value in sorted(struct(struct(container, "resources"), kind).fields.items()):
                text = value.string_value if value.HasField("string_value") else f"{value.number_value:g}"
                yield f"spec.pod.pod_spec.containers[{number}].resources.{kind}", name, text


def _environment(spec: Spec) -> list[tuple[str, str]]:
    if spec.HasField("container"):
        return _of_container(spec.container)
    for container in primary_containers(spec):
        return [(text(variable, "name"), text(variable, "value")) for variable in structs(container, "env")]
    return []


def _of_container(container: Container) -> list[tuple[str, str]]:
    return [(pair.key, pair.value) for pair in container.env]
