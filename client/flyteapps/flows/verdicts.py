"""Whether what was seen of an app ends a wait. Pure: a baseline, a sight, a verdict.

With revisions, a sight counts once its revision is at least the written one and its last condition isn't the one that
stood before the write. Without, once its set of conditions is another than the one that the write returned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, Self

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import conditions
from flyteapps.conditions import Fingerprint
from flyteapps.states import DeploymentStatus

WaitFor = Literal["activated", "deactivated"]


class Verdict(Enum):
    """What a sight says about a wait."""

    REACHED = "the app is where it should be"
    UNCHANGED = "it looks as if it were active, or had failed, but this may be what stood before the write"
    FAILED = "it failed"
    STOPPED = "it was stopped, so it won't become active"
    REPLACED = "it was deleted and created anew"
    WAITING = "not yet"


@dataclass(frozen=True)
class Baseline:
    """What is known when a wait begins: older sights than this don't count.

    `revision`: the least that counts, 0 without revisions. `stale`: the conditions that stood before the write, None
    where nothing was written. `born`: the incarnation. `stopped`: whether the app should be stopped when the wait
    began: who then waits for "activated" waits for somebody to start it.
    """

    revision: int = 0
    stale: Fingerprint | None = None
    born: tuple[int, int] = (0, 0)
    stopped: bool = False

    @classmethod
    def seen(cls, app: definition.App) -> Self:
        """Nothing was written; the app was seen like this."""
        return cls(app.metadata.revision, None, conditions.born(app), not conditions.shall_run(app))

    @classmethod
    def written(cls, after: definition.App, before: definition.App | None) -> Self:
        """A write returned `after`; `before` is what was read before it, None where nothing was."""
        if conditions.has_revisions(after):
            stale = conditions.fingerprint(before) if before is not None else None
        else:
            stale = conditions.fingerprint(after) or (conditions.fingerprint(before) if before is not None else ())
        return cls(after.metadata.revision, stale, conditions.born(after), not conditions.shall_run(after))

    def after(self, pending: Baseline | None) -> Baseline:
        """This one, where a write before it has not been waited for; without revisions its old conditions may stand."""
        if pending is None or self.stale is not None or self.revision:
            return self
        return replace(self, stale=pending.stale)

    def learning(self, app: definition.App) -> Self:
        """Where a write returned no conditions and the plane has no revisions, the first ones seen may be old."""
        if self.stale != () or conditions.has_revisions(app):
            return self
        return replace(self, stale=conditions.fingerprint(app))

    def settled(self) -> Self:
        """What stood before the write is believed to be what came of it."""
        return replace(self, stale=None)

    def judge(self, app: definition.App, target: WaitFor) -> Verdict:
        """What this sight of the app says about a wait for the target."""
        if self.born != (0, 0) and conditions.born(app) > self.born:
            return Verdict.REPLACED
        if app.metadata.revision < self.revision:
            return Verdict.WAITING
        return self._activated(app) if target == "activated" else self._deactivated(app)

    def _activated(self, app: definition.App) -> Verdict:
        status = conditions.status(app)
        old = self._is_old(app)
        if conditions.is_active(app) and conditions.shall_run(app):
            return Verdict.UNCHANGED if old else Verdict.REACHED
        failed = status is DeploymentStatus.FAILED
        if failed and not old:
            return Verdict.FAILED
        if not conditions.shall_run(app) and not self.stopped:
            return Verdict.STOPPED  # whatever its conditions say: the desired state is that of the last write
        return Verdict.UNCHANGED if failed and not conditions.has_revisions(app) else Verdict.WAITING

    def _deactivated(self, app: definition.App) -> Verdict:
        if conditions.shall_run(app):
            return Verdict.WAITING
        if conditions.status(app) in (DeploymentStatus.STOPPED, DeploymentStatus.UNASSIGNED):
            return Verdict.REACHED
        return Verdict.WAITING

    def _is_old(self, app: definition.App) -> bool:
        if self.stale is None:
            return False
        seen = conditions.fingerprint(app)
        return seen[-1:] == self.stale[-1:] if conditions.has_revisions(app) else seen == self.stale
