"""The life of an app as a literal table: every legal move, who causes it, and which substates qualify a status.

What is not in this table cannot happen. The diagram in the docs is drawn from it.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Spec, Status

UNASSIGNED = Status.DEPLOYMENT_STATUS_UNASSIGNED
ASSIGNED = Status.DEPLOYMENT_STATUS_ASSIGNED
PENDING = Status.DEPLOYMENT_STATUS_PENDING
DEPLOYING = Status.DEPLOYMENT_STATUS_DEPLOYING
ACTIVE = Status.DEPLOYMENT_STATUS_ACTIVE
FAILED = Status.DEPLOYMENT_STATUS_FAILED
STOPPED = Status.DEPLOYMENT_STATUS_STOPPED


class Cause(enum.Enum):
    """Who causes a move."""

    CREATE = "Create"
    LEASE = "a cluster leases it"
    EXPIRY = "its lease runs out"
    UPDATE = "Update"
    REPORT = "the cluster reports"

    __hash__ = object.__hash__  # each is one object, and enum's own takes longer than the look-up that it is for


class Move(NamedTuple):
    """One legal move; `source` is None for an app that did not exist. None leads to STOPPED in an app that shall run.

    `substate`, where given, is the only one that the move may lead to.
    """

    source: int | None
    target: int
    cause: Cause
    substate: int | None = None


_AFTER_ASSIGNED = (PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED)

MOVES: tuple[Move, ...] = (
    Move(None, UNASSIGNED, Cause.CREATE),
    Move(None, STOPPED, Cause.CREATE),
    Move(UNASSIGNED, ASSIGNED, Cause.LEASE),
    Move(ASSIGNED, UNASSIGNED, Cause.EXPIRY),
    Move(ASSIGNED, STOPPED, Cause.EXPIRY),
    Move(PENDING, STOPPED, Cause.EXPIRY),
    Move(ASSIGNED, PENDING, Cause.REPORT),
    Move(PENDING, PENDING, Cause.REPORT),
    Move(PENDING, DEPLOYING, Cause.REPORT),
    Move(PENDING, ACTIVE, Cause.REPORT),
    Move(PENDING, FAILED, Cause.REPORT),
    Move(PENDING, STOPPED, Cause.REPORT),
    Move(DEPLOYING, DEPLOYING, Cause.REPORT),
    Move(DEPLOYING, ACTIVE, Cause.REPORT),
    Move(DEPLOYING, FAILED, Cause.REPORT),
    Move(DEPLOYING, STOPPED, Cause.REPORT),
    Move(ACTIVE, ACTIVE, Cause.REPORT),
    Move(ACTIVE, FAILED, Cause.REPORT),
    Move(ACTIVE, STOPPED, Cause.REPORT),
    Move(FAILED, ACTIVE, Cause.REPORT, Status.RUNNING),
    Move(FAILED, FAILED, Cause.REPORT),
    Move(FAILED, STOPPED, Cause.REPORT),
    Move(UNASSIGNED, STOPPED, Cause.UPDATE),
    Move(ASSIGNED, PENDING, Cause.UPDATE),
    *(Move(source, PENDING, Cause.UPDATE) for source in _AFTER_ASSIGNED),
    *(Move(source, STOPPED, Cause.UPDATE) for source in (PENDING, STOPPED)),
)

_LEGAL = {(move.source, move.target, move.cause): move for move in MOVES}

SUBSTATES: dict[int, frozenset[int]] = {
    DEPLOYING: frozenset((Status.PULLING_IMAGE, Status.INITIALIZING, Status.WEBHOOK_ERROR)),
    ACTIVE: frozenset(
        (Status.RUNNING, Status.SCALED_TO_ZERO, Status.SCALING_FROM_ZERO, Status.SCALING_UP, Status.SCALING_DOWN)
    ),
    FAILED: frozenset(
        (
            Status.IMAGE_PULL_ERROR,
            Status.SECRET_MOUNT_ERROR,
            Status.CRASH_LOOP,
            Status.OOM_KILLED,
            Status.WEBHOOK_ERROR,
        )
    ),
}


def refusal(source: int | None, target: int, cause: Cause, substate: int, *, stopping: bool) -> str:
    """Why the table doesn't hold that move, in an app whose desired state is STOPPED or not; "" where it does."""
    move = _LEGAL.get((source, target, cause))
    if move is not None and move.substate is None and (target != STOPPED or stopping):
        return ""
    names = [short_name(each) if each is not None else "nothing" for each in (source, target)]
    if move is None:
        return f"there is no move from {names[0]} to {names[1]} when {cause.value}"
    if target == STOPPED and not stopping:
        return "an app that shall run can't be STOPPED: its desired state has to be STOPPED first"
    if move.substate is not None and substate != move.substate:
        return f"from {names[0]} to {names[1]} it takes the substate {substate_name(move.substate)}"
    return ""


def qualifies(status: int, substate: int) -> bool:
    """Whether the substate may stand with the status; unspecified may with each."""
    return substate == Status.SUBSTATE_UNSPECIFIED or substate in SUBSTATES.get(status, frozenset())


def status_name(status: int) -> str:
    """The enum's own name, as `status_phase` filters and sorts use it."""
    return Status.DeploymentStatus.Name(Status.DeploymentStatus.ValueType(status))


def short_name(status: int) -> str:
    """The enum's name without its prefix, such as "ACTIVE"; the number of one that isn't of the enum."""
    try:
        return status_name(status).removeprefix("DEPLOYMENT_STATUS_")
    except ValueError:
        return str(status)


def substate_name(substate: int) -> str:
    """The substate's own name; the number of one that isn't of the enum."""
    try:
        return Status.Substate.Name(Status.Substate.ValueType(substate))
    except ValueError:
        return str(substate)


def shall_run(desired_state: int) -> bool:
    """UNSPECIFIED, STARTED and ACTIVE all mean run."""
    return desired_state != Spec.DESIRED_STATE_STOPPED
