"""The conditions of a service: as the operator reports them, and as the backend shows them. A state, not a history."""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Condition

from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING
from flyteapps_fake.core.time.clock import timestamp

CONFIGURATIONS, READY, ROUTES = "ConfigurationsReady", "Ready", "RoutesReady"
"""The conditions' types, in the order in which they are shown."""

KINDS = (CONFIGURATIONS, READY, ROUTES)
_DEFAULT_MESSAGES = {
    CONFIGURATIONS: "Configuration is ready",
    READY: "Service is ready",
    ROUTES: "Routes are ready",
}
"""The message shown for a condition without one, whatever its state."""


class ConditionState(NamedTuple):
    """One condition as reported: whether it holds (None: unknown), with reason and message."""

    holds: bool | None
    reason: str = ""
    message: str = ""


class ReportedStatus(NamedTuple):
    """All three conditions as an operator reports them."""

    configurations: ConditionState
    ready: ConditionState
    routes: ConditionState


NOT_ROUTED = ConditionState(None, "IngressNotConfigured", "Ingress has not yet been reconciled.")
UNKNOWN = ReportedStatus(ConditionState(None), ConditionState(None), ConditionState(None))
CONFIGURED = ReportedStatus(ConditionState(True), NOT_ROUTED, NOT_ROUTED)
SERVING = ReportedStatus(ConditionState(True), ConditionState(True), ConditionState(True))


class StoredCondition(NamedTuple):
    """One condition of a service: its type, its last reported state, and the time of the last change of `holds`."""

    kind: str
    state: ConditionState
    since: int


Conditions = tuple[StoredCondition, ...]


def updated(before: Conditions, status: ReportedStatus, now: int) -> Conditions:
    """Return the conditions after a report at `now`."""
    since = {each.kind: each.since for each in before if each.state.holds == _of(status, each.kind).holds}
    return tuple(StoredCondition(kind, _of(status, kind), since.get(kind, now)) for kind in KINDS)


def _of(status: ReportedStatus, kind: str) -> ConditionState:
    return status[KINDS.index(kind)]


def to_messages(conditions: Conditions) -> list[Condition]:
    """Return the conditions of a running app.

    Routes of unknown state are left out, and so are failures while the service as a whole has not failed.
    """
    overall = next((each.state.holds for each in conditions if each.kind == READY), None)
    found: list[Condition] = []
    for kind, state, since in conditions:
        if kind == ROUTES and state.holds is None:
            continue
        if state.holds is False and overall is not False:
            continue
        status = PENDING if state.holds is None else FAILED if not state.holds else ACTIVE if overall else DEPLOYING
        text = f"{state.reason}: {state.message}" if state.reason else state.message or _DEFAULT_MESSAGES[kind]
        found.append(Condition(deployment_status=status, message=text, last_transition_time=timestamp(since)))
    return found
