"""CONTRACT, section Delete (DE-1 to DE-3)."""

from __future__ import annotations

import pytest
from connectrpc.code import Code
from flyteidl2.app.app_definition_pb2 import Spec

from .api import NOT_FOUND, STOP, Api, kind, new_app, statuses
from .conftest import Refusal


def test_an_absent_app_is_not_found(api: Api) -> None:
    """DE-1: the code that the SDK swallows, also for the second Delete."""
    with Refusal(NOT_FOUND):
        api.delete()
    api.create(state=STOP)
    api.delete()
    with Refusal(NOT_FOUND):
        api.delete()


@pytest.mark.parametrize("state", [0, 2, 3], ids=["unspecified", "started", "active"])
@pytest.mark.parametrize("waited", [0.0, 0.5, 60.0])
def test_an_app_that_should_run_is_not_deleted(api: Api, state: int, waited: float) -> None:
    """DE-2: FAILED_PRECONDITION with the way to stop it, nothing changed, at every stage of the start."""
    api.create(state=state)
    api.settle(waited)
    before = api.get()
    with Refusal(Code.FAILED_PRECONDITION) as refused:
        api.delete()
    assert "stop" in refused.message.lower()
    assert api.get() == before


def test_the_desired_state_counts(api: Api) -> None:
    """DE-2: an app that was only just asked to stop can be deleted."""
    api.running()
    assert statuses(api.stop())[-1] == "PENDING"
    api.delete()
    with Refusal(NOT_FOUND):
        api.get()


def test_a_stopped_app_that_should_run_again_is_not_deleted(api: Api) -> None:
    """DE-2: the desired state counts, not the reached one."""
    app = api.create(state=STOP)
    app.spec.desired_state = Spec.DESIRED_STATE_ACTIVE
    api.update(app)
    with Refusal(Code.FAILED_PRECONDITION):
        api.delete()


def test_an_unassigned_app_can_be_deleted(pooled: Api) -> None:
    """DE-2, SP-2: an app that no cluster serves is UNASSIGNED, says why, and can be deleted though it should run."""
    app = new_app()
    app.spec.cluster_pool = "nobodys-pool"
    assert statuses(pooled.create(app)) == ["UNASSIGNED"]
    pooled.settle()
    assert statuses(pooled.get())[-1] == "UNASSIGNED"
    assert "nobodys-pool" in pooled.get().status.conditions[-1].message
    pooled.delete()
    assert pooled.names() == []


def test_nothing_of_a_deleted_app_is_left(api: Api) -> None:
    """DE-3: Get is NOT_FOUND, List and new watches omit it, its pending transitions never fire."""
    api.running()
    stream = api.watch()
    api.stop()
    api.delete()
    assert [kind(e) for e in stream.drain()] == ["create", "update", "delete"]
    api.settle()
    assert stream.drain() == []
    assert api.names() == []
    assert api.watch().drain() == []


def test_old_transitions_never_reach_a_new_incarnation(api: Api) -> None:
    """DE-3, CR-5: what was pending for the deleted app does not happen to the one created again."""
    api.create()
    api.plane.advance(0.3)
    api.stop()
    api.delete()
    api.create(state=STOP)
    api.settle()
    assert statuses(api.get()) == ["STOPPED"]
