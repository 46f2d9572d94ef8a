"""The standard scenarios as an operator reports them, and those that only make sense where one does."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flyteapps_fake.core.lifecycle import ACTIVE, FAILED
from flyteapps_fake.core.time.clock import MILLISECOND
from flyteapps_fake.simulation import scenarios as standard
from flyteapps_fake.simulation.scenarios import Size, Step

ROUTED_AFTER = 50 * MILLISECOND
"""Between the configuration's readiness and the routes'."""


class Stage(enum.Enum):
    """Where a service is, in an operator's eyes."""

    UNKNOWN = "it has only heard of it"
    STARTING = "its pods start"
    CONFIGURED = "its pods run, its routes are not there yet"
    SERVING = "it serves"
    FAILED = "its pods don't come up, or die"


class Report(NamedTuple):
    """One report: how long after the one before, give or take the jitter, in nanoseconds."""

    stage: Stage
    delay: int
    jitter: int = 0
    size: Size = Size.NONE
    trip: Size | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`conflicts`: how many writes of each generation meet a write of the operator's."""

    summary: str
    steps: tuple[Step, ...]
    conflicts: int = 0


_OWN = {
    "write-conflict": Scenario(
        "It starts and runs; the first write to each version of it meets one of the operator's, and is refused.",
        standard.SCENARIOS[standard.HEALTHY].steps,
        conflicts=1,
    ),
}

SCENARIOS: Mapping[str, Scenario] = {
    **{name: Scenario(each.summary, each.steps) for name, each in standard.SCENARIOS.items()},
    **_OWN,
}


def reports_of(steps: tuple[Step, ...]) -> Iterator[Report]:
    """What an operator reports of these steps: fewer things, and the routes by themselves."""
    served = False
    heard = False
    for step in steps:
        stage = Stage.STARTING if heard else Stage.UNKNOWN
        heard = True
        if step.status == FAILED:
            stage = Stage.FAILED
        elif step.status == ACTIVE:
            stage = Stage.SERVING if served else Stage.CONFIGURED
        report = Report(stage, step.delay, step.jitter, step.size, step.trip, step.message)
        yield report
        if stage is Stage.CONFIGURED:
            served = True
            yield report._replace(stage=Stage.SERVING, delay=ROUTED_AFTER, jitter=0)
