"""The state machine of an app that its cluster reports and clients write at once."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.reports import deployment_id
from flyteapps_contract.model.running import Asked, Running, State, state_of

STOP, RUN = model.Spec.DESIRED_STATE_STOPPED, model.Spec.DESIRED_STATE_ACTIVE
CLUSTER = "east"


def app(*statuses: int, revision: int = 1, state: int = RUN, cluster: str = CLUSTER) -> model.App:
    """Return an app with conditions of these statuses, which are counted."""
    made = model.App(metadata=model.Meta(id=model.Identifier(name="a"), revision=revision))
    made.spec.desired_state = state  # pyright: ignore[reportAttributeAccessIssue]  # a plain int
    made.status.assigned_cluster = cluster
    for number, status in enumerate(statuses, start=1):
        made.status.conditions.add(deployment_status=status, revision=number)  # pyright: ignore[reportArgumentType]
    return made


def after(before: model.App | None, asked: Asked, *, at_hand: bool = False) -> list[State]:
    """Return the states after the call."""
    return list(Running(at_hand=at_hand).step(state_of(before), asked))


RUNNING = app(lifecycle.UNASSIGNED, lifecycle.ASSIGNED, lifecycle.PENDING, lifecycle.ACTIVE)
STOPPING = app(lifecycle.UNASSIGNED, lifecycle.ASSIGNED, lifecycle.ACTIVE, lifecycle.PENDING, revision=2, state=STOP)
WAITING = app(lifecycle.UNASSIGNED, cluster="")
LEASED = app(lifecycle.UNASSIGNED, lifecycle.ASSIGNED)


@pytest.mark.parametrize(
    ("before", "code", "expected"),
    [
        (RUNNING, "OK", []),
        (RUNNING, "FAILED_PRECONDITION", [state_of(RUNNING)]),
        (STOPPING, "OK", [None]),
        (WAITING, "OK", [None]),
        (None, "NOT_FOUND", [None]),
        (None, "OK", []),
    ],
)
def test_delete(before: model.App | None, code: str, expected: list[State]) -> None:
    """An app that should run is not deleted, unless it is UNASSIGNED."""
    assert after(before, Asked("delete", code)) == expected


def test_a_read_shows_a_state_whole() -> None:
    """A read of any other app, were it only in one condition, is no read of that state."""
    assert after(RUNNING, Asked("get", "OK", None, RUNNING)) == [state_of(RUNNING)]
    assert after(RUNNING, Asked("get", "OK", None, STOPPING)) == []
    assert after(RUNNING, Asked("get", "NOT_FOUND")) == []


def test_a_lease_may_come_at_any_time_where_a_cluster_is_at_hand() -> None:
    """Then an app that waits may be shown as leased; without one it may not, and one that should stop never."""
    seen = model.App()
    seen.CopyFrom(LEASED)
    seen.status.lease_expiration.FromSeconds(60)
    shown = Asked("get", "OK", None, seen)
    assert after(WAITING, shown, at_hand=True) == [state_of(seen)]
    assert after(WAITING, shown) == []
    stopped = app(lifecycle.STOPPED, state=STOP, cluster="")
    assert after(stopped, shown, at_hand=True) == []


def test_a_report_adds_to_the_app_that_there_is() -> None:
    """A report leads to the app before it with one condition more, and to no older spec."""
    sent = app(lifecycle.ACTIVE)
    sent.status.conditions[0].revision = 0
    sent.status.conditions[0].message = "runs"
    seen = model.App()
    seen.CopyFrom(RUNNING)
    seen.status.conditions.add(
        deployment_status=model.Status.DEPLOYMENT_STATUS_ACTIVE,
        message="runs",
        revision=5,
    )

    seen.status.conditions[-1].deployment_id = deployment_id(seen.spec)
    seen.status.conditions[-1].last_transition_time.FromSeconds(1)
    seen.status.last_started_at.FromSeconds(1)
    assert after(RUNNING, Asked("report", "OK", sent, seen)) == [state_of(seen)]
    assert after(STOPPING, Asked("report", "OK", sent, seen)) == []
    sent.metadata.revision = 7
    assert after(RUNNING, Asked("report", "ABORTED", sent)) == [state_of(RUNNING)]
