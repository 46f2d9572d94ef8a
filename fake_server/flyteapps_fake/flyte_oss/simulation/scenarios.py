"""The steps of scenarios as a Knative operator reports them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple

from flyteapps_fake.core.lifecycle import ACTIVE, FAILED
from flyteapps_fake.core.time.clock import MILLISECOND
from flyteapps_fake.simulation.progress import Allow, Draw, Progress
from flyteapps_fake.simulation.scenarios import Size, Step, each_step

ROUTES_DELAY_NS = 50 * MILLISECOND
"""The time between the readiness of the configuration and that of the routes."""


class Phase(enum.Enum):
    """The phase of a service, as an operator sees it."""

    UNKNOWN = "known by its spec alone"
    STARTING = "the pods start"
    CONFIGURED = "the pods run, the routes are not ready"
    SERVING = "the service serves"
    FAILED = "the pods don't start, or die"
    UNCHANGED = "they died again"


class Report(NamedTuple):
    """One report, `delay` after the one before, plus or minus up to `jitter`, both in nanoseconds."""

    phase: Phase
    delay: int
    jitter: int = 0
    size: Size | int = Size.NONE
    message: str = ""
    background: bool = False
    logs: tuple[str, ...] = ()


@dataclass(slots=True)
class Reporting:
    """The operator's reports of the steps of a scenario, with less detail, and with the routes as one of their own.

    A failure after a failure changes nothing that a client could see.
    """

    progress: Progress
    observed: bool = False
    served: bool = False
    failed: bool = False
    routes: Report | None = None
    """The report of the routes, which is next."""

    def copied(self) -> Reporting:
        """Return reports that go on from here by themselves."""
        return replace(self, progress=self.progress.copied())

    def next_report(self, allow: Allow, draw: Draw) -> Report | None:
        """Return the next report, or None after the last; arguments as of `Progress.next_step`."""
        if self.routes is not None:
            routes, self.routes = self.routes, None
            return routes
        step = self.progress.next_step(allow, draw)
        if step is None or (self.failed and _only_fails(self.progress)):
            return None
        report = Report(self._phase(step), step.delay, step.jitter, step.size, step.message, step.background, step.logs)
        self.observed, self.failed = True, step.status == FAILED
        if report.phase is Phase.CONFIGURED:
            self.served = True
            self.routes = report._replace(phase=Phase.SERVING, delay=ROUTES_DELAY_NS, jitter=0, logs=())
        return report

    def _phase(self, step: Step) -> Phase:
        if step.status == FAILED:
            return Phase.UNCHANGED if self.failed else Phase.FAILED
        if step.status == ACTIVE:
            return Phase.SERVING if self.served else Phase.CONFIGURED
        return Phase.STARTING if self.observed else Phase.UNKNOWN


def _only_fails(progress: Progress) -> bool:
    """Return whether the app is in a loop that will do nothing but fail again, and log nothing."""
    return any(
        loop.times is None and all(each.status == FAILED and not each.logs for each in each_step(loop.steps))
        for loop in progress.loops()
    )
