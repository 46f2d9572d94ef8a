"""The shared scenarios as a Knative operator reports them, and those of this dialect alone."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flyteapps_fake.core.lifecycle import ACTIVE, FAILED
from flyteapps_fake.core.time.clock import MILLISECOND
from flyteapps_fake.simulation import scenarios as shared
from flyteapps_fake.simulation.scenarios import Size, Step

ROUTES_DELAY_NS = 50 * MILLISECOND
"""The time between the readiness of the configuration and that of the routes."""


class Phase(enum.Enum):
    """The phase of a service, as an operator sees it."""

    UNKNOWN = "known by its spec alone"
    STARTING = "the pods start"
    CONFIGURED = "the pods run, the routes are not ready"
    SERVING = "the service serves"
    FAILED = "the pods don't start, or die"


class Report(NamedTuple):
    """One report, `delay` after the one before, plus or minus up to `jitter`, both in nanoseconds."""

    phase: Phase
    delay: int
    jitter: int = 0
    size: Size = Size.NONE
    trip: Size | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario in this dialect. `conflicts`: writes to each generation that collide with one of the operator's."""

    summary: str
    steps: tuple[Step, ...]
    conflicts: int = 0


_OWN = {
    "write-conflict": Scenario(
        "The app starts and runs; the first write to each version collides with one of the operator's and is refused.",
        shared.SCENARIOS[shared.HEALTHY].steps,
        conflicts=1,
    ),
}

SCENARIOS: Mapping[str, Scenario] = {
    **{name: Scenario(each.summary, each.steps) for name, each in shared.SCENARIOS.items()},
    **_OWN,
}


def reports_of(steps: tuple[Step, ...]) -> Iterator[Report]:
    """Yield the operator's reports of these steps: with less detail, and with the routes as a report of their own."""
    served = False
    observed = False
    for step in steps:
        phase = Phase.STARTING if observed else Phase.UNKNOWN
        observed = True
        if step.status == FAILED:
            phase = Phase.FAILED
        elif step.status == ACTIVE:
            phase = Phase.SERVING if served else Phase.CONFIGURED
        report = Report(phase, step.delay, step.jitter, step.size, step.trip, step.message)
        yield report
        if phase is Phase.CONFIGURED:
            served = True
            yield report._replace(phase=Phase.SERVING, delay=ROUTES_DELAY_NS, jitter=0)
