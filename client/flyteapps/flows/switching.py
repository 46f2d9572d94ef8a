"""The flows that start and stop an app: they read it before they write it, whatever the handle shows."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps import conditions
from flyteapps.apps.planes import traits_of
from flyteapps.apps.states import DeploymentStatus, DesiredState
from flyteapps.errors import Conflict
from flyteapps.flows.follow import current
from flyteapps.flows.operations import Flow, Sleep
from flyteapps.flows.reading import get
from flyteapps.flows.verdicts import Baseline, WaitFor
from flyteapps.flows.writes import MAX_ROUNDS, Written, after_uncertain_write, update
from flyteapps.settings import Settings
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

REASONS = {"activated": "activated by flyteapps", "deactivated": "deactivated by flyteapps"}


def switch(settings: Settings, identifier: definition.Identifier, target: WaitFor) -> Flow[Written]:
    """Set the desired state, unless the app has it already. Raises AppNotFound, Conflict."""
    uncertain = False
    for attempt in range(1, MAX_ROUNDS + 1):
        stored = yield from after_uncertain_write(uncertain, get(settings, identifier))
        if target == "activated":
            stored = yield from after_uncertain_write(uncertain, current(settings, stored))
        wanted = _desired(stored, target)
        if wanted is None:
            return stored, Baseline.seen(stored)
        changed = definition.App()
        changed.CopyFrom(stored)
        changed.spec.desired_state = wanted.value  # pyright: ignore[reportAttributeAccessIssue]  # an open enum
        try:
            writing = update(settings, changed, REASONS[target], before=stored)
            return (yield from after_uncertain_write(uncertain, writing))
        except Conflict as conflict:
            if attempt == MAX_ROUNDS:
                raise
            uncertain = uncertain or conflict.maybe_applied
        yield Sleep(settings.retries.pause(attempt))
    raise AssertionError("the last round returns or raises")


def _desired(stored: definition.App, target: WaitFor) -> DesiredState | None:
    """Return the desired state to write, None for no write.

    A failed app is restarted by a new revision: STARTED and ACTIVE both mean "run", and count as a change. A plane with
    old reads may show a stop that is over, or was never carried out; there another stop changes nothing.
    """
    if target == "deactivated":
        stops = conditions.should_run(stored) or not traits_of(stored).reads_current
        return DesiredState.STOPPED if stops else None
    failed = conditions.status(stored) is DeploymentStatus.FAILED
    if conditions.should_run(stored) and not failed:
        return None
    return DesiredState.ACTIVE if stored.spec.desired_state == DesiredState.STARTED else DesiredState.STARTED
