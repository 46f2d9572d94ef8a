"""The common state of the sessions of one run, and its end: its time is over, or it was interrupted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.symptoms import Ability

if TYPE_CHECKING:
    from flyteapps_contract.targets.target import Link

TIME_IS_OVER = "the time of the run was over"
INTERRUPTED = "interrupted"


class RunEnded(BaseException):
    """The end of a run before all was tried.

    No Exception: it is no answer of a plane, no check catches it, and Hypothesis neither shrinks it nor draws on.
    """


@dataclass(slots=True)
class Ending:
    """The end of a run, seen by all its threads: at the monotonic time `until`, or at once, for a `reason`."""

    until: float = float("inf")
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return bool(self.reason) or time.monotonic() >= self.until

    @property
    def interrupted(self) -> bool:
        """Whether it was ended before its time."""
        return self.reason == INTERRUPTED

    def require_time(self) -> None:
        """Raise RunEnded once the run has ended."""
        if self.is_over:
            raise RunEnded(self.reason or TIME_IS_OVER)

    def at_most(self, seconds: float) -> float:
        """Return the seconds, no more than are left."""
        return max(min(seconds, self.until - time.monotonic()), 0.0)


@dataclass(slots=True, kw_only=True)
class Limits:
    """The limits of a run on a plane that isn't ours: apps at once, calls a second (0: no limit)."""

    apps: int = 0
    calls_per_second: float = 0.0


@dataclass(slots=True, kw_only=True)
class Run:
    """The common state of the sessions of one run: prefix of names, place of apps, limits, apps left behind."""

    prefix: str
    org: str = ""
    project: str = ""
    domain: str = "development"
    limits: Limits = field(default_factory=Limits)
    ending: Ending = field(default_factory=Ending)
    count: int = 0
    left: dict[str, model.Identifier] = field(default_factory=dict[str, model.Identifier])
    """Apps that could not be cleaned up, by the text of their id."""
    unfinished: dict[int, tuple[Link, dict[str, model.Identifier]]] = field(
        default_factory=dict[int, "tuple[Link, dict[str, model.Identifier]]"]
    )
    """The links of the open sessions, and the apps that each has created."""
    unanswered: set[str] = field(default_factory=set[str])
    """Apps whose Create was not answered, by the text of their id."""
    pools: bool | None = None
    """Whether a pool of an unused name is served by no cluster; None: not known yet."""
    faults: dict[Ability, str] | None = None
    """The abilities of the plane that are at fault, with what was observed; None: not verified yet."""

    def number(self) -> int:
        """Return a number that the run has not used."""
        self.count += 1
        return self.count

    def end(self, reason: str) -> None:
        """End the run: calls and streams under way end, and no session begins another."""
        self.ending.reason = self.ending.reason or reason
        for link, _ in list(self.unfinished.values()):
            link.interrupt()

    def abandoned(self) -> dict[str, model.Identifier]:
        """Return the apps of sessions that are still open, and those left behind."""
        found = dict(self.left)
        for _, created in list(self.unfinished.values()):
            found.update(created)
        return found
