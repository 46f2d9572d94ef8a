"""Starting and stopping an app, whatever the handle at hand shows: the app is read before it is written."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import conditions
from flyteapps.errors import Conflict
from flyteapps.flows.follow import as_it_is
from flyteapps.flows.operations import Flow, Sleep
from flyteapps.flows.reading import get
from flyteapps.flows.verdicts import Baseline, WaitFor
from flyteapps.flows.writes import ROUNDS, Written, after_doubt, update
from flyteapps.settings import Settings
from flyteapps.states import DeploymentStatus, DesiredState

REASONS = {"activated": "activated by flyteapps", "deactivated": "deactivated by flyteapps"}


def switch(settings: Settings, identifier: definition.Identifier, target: WaitFor) -> Flow[Written]:
    """Has the app run, or stop. An app that does so already is not written. Raises AppNotFound, Conflict."""
    uncertain = False
    for attempt in range(1, ROUNDS + 1):
        stored = yield from after_doubt(uncertain, get(settings, identifier))
        if target == "activated":
            stored = yield from after_doubt(uncertain, as_it_is(settings, stored))
        wanted = _desired(stored, target)
        if wanted is None:
            return stored, Baseline.seen(stored)
        changed = definition.App()
        changed.CopyFrom(stored)
        changed.spec.desired_state = wanted.value  # pyright: ignore[reportAttributeAccessIssue]  # an open enum
        try:
            return (yield from after_doubt(uncertain, update(settings, changed, REASONS[target], before=stored)))
        except Conflict as conflict:
            if attempt == ROUNDS:
                raise
            uncertain = uncertain or conflict.maybe_applied
        yield Sleep(settings.retries.pause(attempt))
    raise AssertionError("the last round returns or raises")


def _desired(stored: definition.App, target: WaitFor) -> DesiredState | None:
    """The desired state to write, None where nothing is to be written.

    A failed app is started again by a new revision: STARTED and ACTIVE both mean "run", and count as a change. A plane
    without revisions may show a stop that is over, or was never carried out; there stopping again changes nothing.
    """
    if target == "deactivated":
        stops = conditions.shall_run(stored) or not conditions.has_revisions(stored)
        return DesiredState.STOPPED if stops else None
    failed = conditions.status(stored) is DeploymentStatus.FAILED
    if conditions.shall_run(stored) and not failed:
        return None
    return DesiredState.ACTIVE if stored.spec.desired_state == DesiredState.STARTED else DesiredState.STARTED
