"""What happens to an app that is started or stopped: scenarios as data.

A new scenario is a new row; no code asks for a scenario by name. Nothing is
guessed from a spec: an app names its scenario by a label or a variable.
"""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app.app_definition_pb2 import App, Status
from flyteidl2.core.tasks_pb2 import Container
from google.protobuf.struct_pb2 import Struct

from flyteapps_fake.plane.clock import MILLISECOND
from flyteapps_fake.plane.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING, STOPPED
from flyteapps_fake.plane.validation import quoted

LABEL = "flyteapps.dev/scenario"
VARIABLE = "FLYTEAPPS_SCENARIO"


@dataclass(frozen=True, slots=True)
class Step:
    """One report of the cluster: what it says, and how long after the step before, give or take the jitter."""

    status: int
    substate: int
    message: str
    delay: int
    jitter: int = 0
    replicas: int = 0


_NONE = Status.SUBSTATE_UNSPECIFIED
_STARTING = (
    Step(PENDING, _NONE, "Accepted by the cluster", 50 * MILLISECOND),
    Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image", 150 * MILLISECOND, 50 * MILLISECOND),
)
_STARTED = (
    *_STARTING,
    Step(DEPLOYING, Status.INITIALIZING, "Starting containers", 300 * MILLISECOND, 50 * MILLISECOND, replicas=1),
)

HEALTHY = "healthy"
SCENARIOS: dict[str, tuple[Step, ...]] = {
    HEALTHY: (
        *_STARTED,
        Step(ACTIVE, Status.RUNNING, "Running", 500 * MILLISECOND, 50 * MILLISECOND, replicas=1),
    ),
    "image-pull-error": (
        *_STARTING,
        Step(FAILED, Status.IMAGE_PULL_ERROR, "Failed to pull image: not found", 500 * MILLISECOND, 50 * MILLISECOND),
    ),
    "crash-loop": (
        *_STARTED,
        Step(FAILED, Status.CRASH_LOOP, "Container exited with code 1", 500 * MILLISECOND, 50 * MILLISECOND),
    ),
}

STOP: tuple[Step, ...] = (Step(STOPPED, _NONE, "Stopped", 300 * MILLISECOND, 50 * MILLISECOND),)


def steps_of(app: App) -> tuple[Step, ...]:
    """The steps of an app that is started; an unknown name leaves it deploying, with a message that says so."""
    name = app.metadata.labels.get(LABEL) or _variable(app) or HEALTHY
    known = SCENARIOS.get(name)
    if known is not None:
        return known
    message = f"Unknown scenario {quoted(name)}; known ones: {', '.join(sorted(SCENARIOS))}"
    return (*_STARTING[:1], Step(DEPLOYING, _NONE, message, 200 * MILLISECOND))


def _variable(app: App) -> str:
    for pair in _environment(app):
        if pair[0] == VARIABLE:
            return pair[1]
    return ""


def _environment(app: App) -> list[tuple[str, str]]:
    if app.spec.HasField("container"):
        return _of_container(app.spec.container)
    pod = app.spec.pod
    for container in _items(pod.pod_spec, "containers"):
        if not pod.primary_container_name or _text(container, "name") == pod.primary_container_name:
            return [(_text(variable, "name"), _text(variable, "value")) for variable in _items(container, "env")]
    return []


def _of_container(container: Container) -> list[tuple[str, str]]:
    return [(pair.key, pair.value) for pair in container.env]


def _items(struct: Struct, key: str) -> list[Struct]:
    values = struct.fields[key].list_value.values if key in struct.fields else ()
    return [value.struct_value for value in values]


def _text(struct: Struct, key: str) -> str:
    return struct.fields[key].string_value if key in struct.fields else ""
