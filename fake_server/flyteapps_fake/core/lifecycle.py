"""The life of an app as two literal tables: the states with their traits, and every legal move with its cause.

A move that is not in the table cannot happen, and no other module lists states: it reads their traits. A new state is a
row, its moves, and the scenarios that lead to it. The diagram in the docs is drawn from these tables.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Spec, Status

UNASSIGNED = Status.DEPLOYMENT_STATUS_UNASSIGNED
ASSIGNED = Status.DEPLOYMENT_STATUS_ASSIGNED
PENDING = Status.DEPLOYMENT_STATUS_PENDING
DEPLOYING = Status.DEPLOYMENT_STATUS_DEPLOYING
ACTIVE = Status.DEPLOYMENT_STATUS_ACTIVE
FAILED = Status.DEPLOYMENT_STATUS_FAILED
STOPPED = Status.DEPLOYMENT_STATUS_STOPPED


class Traits(NamedTuple):
    """The traits of an app in one state.

    `leasable`: a lease makes it ASSIGNED. `deletable`: Delete removes it, also where its desired state is to run.
    `held`: its cluster has acknowledged the lease. `runs`: its revision has containers. `serves`: it answers requests,
    and logs them. `terminal`: a client's write leads to it, and the simulated cluster reports no further state by
    itself. `restarts`: its container may be started again. `counts_replicas`: the reported replicas exist. `released`:
    its cluster has given it back. `substates`: those that may qualify the state.
    """

    leasable: bool = False
    deletable: bool = False
    held: bool = True
    runs: bool = False
    serves: bool = False
    terminal: bool = False
    restarts: bool = False
    counts_replicas: bool = True
    released: bool = False
    substates: frozenset[int] = frozenset()


STATES: Mapping[int, Traits] = {
    UNASSIGNED: Traits(leasable=True, deletable=True, held=False),
    ASSIGNED: Traits(held=False),
    PENDING: Traits(),
    DEPLOYING: Traits(
        runs=True,
        substates=frozenset((Status.PULLING_IMAGE, Status.INITIALIZING, Status.WEBHOOK_ERROR)),
    ),
    ACTIVE: Traits(
        runs=True,
        serves=True,
        terminal=True,
        substates=frozenset(
            (Status.RUNNING, Status.SCALED_TO_ZERO, Status.SCALING_FROM_ZERO, Status.SCALING_UP, Status.SCALING_DOWN)
        ),
    ),
    FAILED: Traits(
        terminal=True,
        restarts=True,
        substates=frozenset(
            (
                Status.IMAGE_PULL_ERROR,
                Status.SECRET_MOUNT_ERROR,
                Status.CRASH_LOOP,
                Status.OOM_KILLED,
                Status.WEBHOOK_ERROR,
            )
        ),
    ),
    STOPPED: Traits(terminal=True, counts_replicas=False, released=True),
}

_NO_STATE = Traits()


def traits_of(status: int | None) -> Traits:
    """Return the traits of a state, and the default ones for a number that is no state."""
    return STATES.get(status, _NO_STATE) if status is not None else _NO_STATE


class Cause(enum.Enum):
    """The cause of a move."""

    CREATE = "Create"
    LEASE = "a cluster leases it"
    EXPIRY = "its lease runs out"
    UPDATE = "Update"
    REPORT = "the cluster reports"

    __hash__ = object.__hash__  # each is one object, and enum's own takes longer than the look-up that it is for


class Move(NamedTuple):
    """One legal move; `source` is None for an app that did not exist. No move of an app that should run is to STOPPED.

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


def refusal(source: int | None, target: int, cause: Cause, substate: int, *, stopping: bool) -> str:
    """Return why an app, whose desired state is STOPPED or not, can't make that move; "" if it can."""
    move = _LEGAL.get((source, target, cause))
    if move is not None and move.substate is None and (target != STOPPED or stopping):
        return ""
    names = [short_name(each) if each is not None else "nothing" for each in (source, target)]
    if move is None:
        return f"there is no move from {names[0]} to {names[1]} when {cause.value}"
    if target == STOPPED and not stopping:
        return "an app that should run can't be STOPPED: its desired state has to be STOPPED first"
    if move.substate is not None and substate != move.substate:
        return f"from {names[0]} to {names[1]} it takes the substate {substate_name(move.substate)}"
    return ""


def qualifies(status: int, substate: int) -> bool:
    """Return whether the substate may qualify the status; an unspecified one may qualify any."""
    return substate == Status.SUBSTATE_UNSPECIFIED or substate in traits_of(status).substates


def status_name(status: int) -> str:
    """Return the enum's own name, as `status_phase` filters and sorts use it."""
    return Status.DeploymentStatus.Name(Status.DeploymentStatus.ValueType(status))


def short_name(status: int) -> str:
    """Return the enum's name without its prefix, such as "ACTIVE", or the number if it isn't one of the enum."""
    try:
        return status_name(status).removeprefix("DEPLOYMENT_STATUS_")
    except ValueError:
        return str(status)


def substate_name(substate: int) -> str:
    """Return the substate's own name, or the number if it isn't one of the enum."""
    try:
        return Status.Substate.Name(Status.Substate.ValueType(substate))
    except ValueError:
        return str(substate)


def should_run(desired_state: int) -> bool:
    """Return whether an app with that desired state should run: UNSPECIFIED, STARTED and ACTIVE all mean so."""
    return desired_state != Spec.DESIRED_STATE_STOPPED
