"""The verdict of an observation on a wait. Pure: a baseline, an observed app, a verdict.

Where the plane keeps a history, an observation counts once its revision is at least the written one and its last
condition isn't the one from before the write. Otherwise it counts once its set of conditions differs from the one that
the write returned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, Self

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps import conditions
from flyteapps.apps.conditions import Fingerprint
from flyteapps.apps.planes import traits_of
from flyteapps.apps.states import DeploymentStatus
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

WaitFor = Literal["activated", "deactivated"]


class Verdict(Enum):
    """The meaning of an observation for a wait."""

    REACHED = "the app has reached the target"
    UNCHANGED = "it is active or failed, but possibly only since before the write"
    FAILED = "it failed"
    STOPPED = "it was stopped, so it won't become active"
    REPLACED = "it was deleted and created anew"
    WAITING = "not yet"


@dataclass(frozen=True)
class Baseline:
    """The knowledge at the start of a wait: older observations don't count.

    `revision`: the minimum that counts, 0 without revisions. `stale`: the conditions from before the write, None
    without a write. `created_at`: the incarnation. `stopped`: whether the desired state was STOPPED at the start: a
    wait for "activated" then waits for another caller to start the app.
    """

    revision: int = 0
    stale: Fingerprint | None = None
    created_at: tuple[int, int] = (0, 0)
    stopped: bool = False

    @classmethod
    def seen(cls, app: definition.App) -> Self:
        """Return the baseline of a read, without a write."""
        return cls(app.metadata.revision, None, conditions.created_at(app), not conditions.should_run(app))

    @classmethod
    def written(cls, after: definition.App, before: definition.App | None) -> Self:
        """Return the baseline of a write that returned `after`; `before`: as read before it, None if it wasn't."""
        stale = conditions.fingerprint(before) if before is not None else None
        if not traits_of(after).keeps_history:
            stale = conditions.fingerprint(after) or stale or ()
        return cls(after.metadata.revision, stale, conditions.created_at(after), not conditions.should_run(after))

    def after(self, pending: Baseline | None) -> Baseline:
        """Return this baseline after a write without a wait, whose old conditions may still be returned."""
        if pending is None or self.stale is not None or self.revision:
            return self
        return replace(self, stale=pending.stale)

    def learning(self, app: definition.App) -> Self:
        """Return this baseline after an observation; after a write that returned no conditions, the first are stale."""
        if self.stale != () or traits_of(app).keeps_history:
            return self
        return replace(self, stale=conditions.fingerprint(app))

    def settled(self) -> Self:
        """Return this baseline without stale conditions: the unchanged ones count as the result of the write."""
        return replace(self, stale=None)

    def judge(self, app: definition.App, target: WaitFor) -> Verdict:
        """Return the verdict of this observation of the app on a wait for the target."""
        if self.created_at != (0, 0) and conditions.created_at(app) > self.created_at:
            return Verdict.REPLACED
        if app.metadata.revision < self.revision:
            return Verdict.WAITING
        return self._activated(app) if target == "activated" else self._deactivated(app)

    def _activated(self, app: definition.App) -> Verdict:
        status = conditions.status(app)
        old = self._is_old(app)
        if conditions.is_active(app) and conditions.should_run(app):
            return Verdict.UNCHANGED if old else Verdict.REACHED
        failed = status is DeploymentStatus.FAILED
        if failed and not old:
            return Verdict.FAILED
        if not conditions.should_run(app) and not self.stopped:
            return Verdict.STOPPED  # whatever its conditions are: the desired state is that of the last write
        return Verdict.UNCHANGED if failed and not traits_of(app).keeps_history else Verdict.WAITING

    def _deactivated(self, app: definition.App) -> Verdict:
        if conditions.should_run(app):
            return Verdict.WAITING
        if conditions.status(app) in (DeploymentStatus.STOPPED, DeploymentStatus.UNASSIGNED):
            return Verdict.REACHED
        return Verdict.WAITING

    def _is_old(self, app: definition.App) -> bool:
        if self.stale is None:
            return False
        seen = conditions.fingerprint(app)
        return seen[-1:] == self.stale[-1:] if traits_of(app).keeps_history else seen == self.stale
