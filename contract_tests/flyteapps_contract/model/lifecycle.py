"""The state machine of an app, as data: which condition may follow which, and which substates qualify a status.

Written from the contract. Nothing here calls a plane; what a client asked for comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flyteidl2.app import app_definition_pb2 as model

S = model.Status

UNASSIGNED = S.DEPLOYMENT_STATUS_UNASSIGNED
ASSIGNED = S.DEPLOYMENT_STATUS_ASSIGNED
PENDING = S.DEPLOYMENT_STATUS_PENDING
DEPLOYING = S.DEPLOYMENT_STATUS_DEPLOYING
ACTIVE = S.DEPLOYMENT_STATUS_ACTIVE
FAILED = S.DEPLOYMENT_STATUS_FAILED
STOPPED = S.DEPLOYMENT_STATUS_STOPPED

MOVES: dict[int, frozenset[int]] = {
    UNASSIGNED: frozenset({ASSIGNED, STOPPED}),
    ASSIGNED: frozenset({UNASSIGNED, PENDING, STOPPED}),
    PENDING: frozenset({PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED}),
    DEPLOYING: frozenset({DEPLOYING, ACTIVE, FAILED, STOPPED}),
    ACTIVE: frozenset({ACTIVE, FAILED, STOPPED}),
    FAILED: frozenset({ACTIVE, FAILED, STOPPED}),
    STOPPED: frozenset({STOPPED}),
}
"""The statuses that may follow each within one revision.

PENDING follows itself where the cluster takes up what an update left PENDING. STOPPED follows UNASSIGNED and STOPPED
by an update that wants no running app, ASSIGNED and PENDING also where a lease runs out.
"""

RENEWED = frozenset({ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED})
"""From where a new revision leads to PENDING."""

SUBSTATES: dict[int, frozenset[int]] = {
    DEPLOYING: frozenset({S.PULLING_IMAGE, S.INITIALIZING, S.WEBHOOK_ERROR}),
    ACTIVE: frozenset({S.RUNNING, S.SCALED_TO_ZERO, S.SCALING_FROM_ZERO, S.SCALING_UP, S.SCALING_DOWN}),
    FAILED: frozenset({S.IMAGE_PULL_ERROR, S.SECRET_MOUNT_ERROR, S.CRASH_LOOP, S.OOM_KILLED, S.WEBHOOK_ERROR}),
}
"""The substates that qualify each status; unspecified is legal with each."""


def qualifies(substate: int, status: int) -> bool:
    """Return whether a condition of that status may have that substate."""
    return substate == S.SUBSTATE_UNSPECIFIED or substate in SUBSTATES.get(status, ())


def may_follow(before: model.Condition, after: model.Condition, *, renewed: bool, stopping: bool) -> bool:
    """Return whether one condition may follow the other.

    `renewed`: the later one is the first of a new revision; `stopping`: the app's desired state is STOPPED.
    """
    old, new = before.deployment_status, after.deployment_status
    if new == STOPPED and not stopping:
        return False
    if renewed and new == PENDING:
        return old in RENEWED
    if (old, new) == (FAILED, ACTIVE):  # recovered in place
        return after.substate == S.RUNNING
    return new in MOVES.get(old, ())


def violation(conditions: Sequence[model.Condition], *, renewed: bool = False, stopping: bool) -> str:
    """Return the first move that isn't one of the machine, among conditions that followed each other; "" where all are.

    `renewed`: the second one is the first of a new revision.
    """
    for place, after in enumerate(conditions[1:]):
        before = conditions[place]
        if not may_follow(before, after, renewed=renewed and place == 0, stopping=stopping):
            return (
                f"{text_of(after)} can't follow {text_of(before)} in an app that should {'stop' if stopping else 'run'}"
            )
    return ""


def misfit(conditions: Iterable[model.Condition]) -> str:
    """Return the first condition whose substate doesn't qualify its status, as a text; "" where each does."""
    return next((text_of(each) for each in conditions if not qualifies(each.substate, each.deployment_status)), "")


def text_of(condition: model.Condition) -> str:
    """Status and substate, such as "DEPLOYING/PULLING_IMAGE"."""
    status = _name(S.DeploymentStatus.items(), condition.deployment_status).removeprefix("DEPLOYMENT_STATUS_")
    substate = _name(S.Substate.items(), condition.substate)
    return f"{status}/{substate}" if condition.substate else status


def _name(items: Sequence[tuple[str, int]], value: int) -> str:
    return next((name for name, number in items if number == value), str(value))
