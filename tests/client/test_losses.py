"""Lost answers: what was done is reported as done, and what can't be known is said to be unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import Client, Conflict, NetworkError, Retries
from flyteapps.testing import Call, MockTransport
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import SCOPE, Run
from .faults import OK, REQUEST_LOST, RESPONSE_LOST, Plan, faulty
from .messages import app, spec

GONE = [REQUEST_LOST] * 50


def lossy(plane: FakeControlPlane, plan: Plan, attempts: int = 2) -> Client:
    """Return a client behind a network that loses messages by the plan."""
    retries = Retries(attempts=attempts, initial=0, maximum=0)
    return Client(transport=faulty(plane.transport(), plan), retries=retries, **SCOPE)


def changed(stored: definition.App, image: str = "example.org/hello:2") -> definition.App:
    """Return the app with another image."""
    wanted = definition.App()
    wanted.CopyFrom(stored)
    wanted.spec.container.image = image
    return wanted


def test_a_lost_answer_to_create(plane: FakeControlPlane, run: Run, nth: Callable[[int], int]) -> None:
    """The app of the first attempt is returned; nothing was written twice."""
    client = lossy(plane, Plan([RESPONSE_LOST]))
    assert run(client.apps.create, app()).revision == nth(1)
    assert run(client.apps.get, "hello").revision == nth(1)


def test_a_lost_answer_to_update(plane: FakeControlPlane, run: Run, nth: Callable[[int], int]) -> None:
    """One revision more, and it is reported as success, also where the caller gave the revision."""
    plan = Plan()
    client = lossy(plane, plan)
    made = client.apps.create(app())
    plan.calls[:] = [RESPONSE_LOST]
    assert run(client.apps.update, changed(made.pb2), "test").revision == nth(2)
    plan.calls[:] = [OK, RESPONSE_LOST]
    assert run(client.apps.replace, "hello", spec("example.org/hello:3"), "test").revision == nth(3)


def test_a_lost_answer_under_another_write(plane: FakeControlPlane, run: Run) -> None:
    """Ours may lie under the other's: a conflict that says that it may have been applied."""
    plan = Plan()
    client = lossy(plane, plan)
    made = client.apps.create(app())

    lossy_transport = faulty(plane.transport(), plan)

    def overtaken(call: Call) -> Any:
        lost = bool(plan.calls) and plan.calls[0] == RESPONSE_LOST
        try:
            return call.send(lossy_transport) if call.streaming else lossy_transport.unary(call.method, call.request)
        finally:
            if lost and call.rpc == "Update":
                other = Client(transport=plane.transport(), **SCOPE)
                other.apps.replace("hello", spec("example.org/other:1"), "somebody else")

    behind = Client(transport=MockTransport(overtaken), retries=Retries(attempts=2, initial=0, maximum=0), **SCOPE)
    plan.calls[:] = [RESPONSE_LOST]
    with pytest.raises(Conflict) as caught:
        run(behind.apps.update, changed(made.pb2), "test")
    assert caught.value.maybe_applied
    plan.calls[:] = [REQUEST_LOST]
    with pytest.raises(Conflict) as caught:
        run(client.apps.update, changed(made.pb2), "test")
    assert caught.value.maybe_applied, "revision 1 was sent, 3 is stored: ours may lie between"


def test_a_lost_request_before_another_write(plane: FakeControlPlane, run: Run) -> None:
    """The next revision is another writer's: ours surely wasn't applied."""
    plan = Plan()
    client = lossy(plane, plan)
    made = client.apps.create(app())
    client.apps.replace("hello", spec("example.org/other:1"), "somebody else")
    plan.calls[:] = [REQUEST_LOST]
    with pytest.raises(Conflict) as caught:
        run(client.apps.update, changed(made.pb2), "test")
    assert not caught.value.maybe_applied


@pytest.mark.parametrize("what", ["create", "update", "replace", "activate", "deactivate"])
def test_what_cannot_be_found_out_is_said(plane: FakeControlPlane, run: Run, what: str, dialect: str) -> None:
    """The write's answer was lost, then the network is gone: the error says that it may have been applied."""
    plan = Plan()
    client = lossy(plane, plan)
    made = client.apps.create(app("other" if what == "create" else "hello"))
    if what == "activate":
        made.deactivate()
    stored = made.pb2
    calls: dict[str, tuple[list[str], Callable[[], Any]]] = {
        "create": ([RESPONSE_LOST, OK], lambda: run(client.apps.create, app())),
        "update": ([RESPONSE_LOST, OK], lambda: run(client.apps.update, changed(stored), "test")),
        "replace": ([OK, RESPONSE_LOST, OK], lambda: run(client.apps.replace, "hello", spec("new"), "test")),
        "activate": ([OK, RESPONSE_LOST, OK], lambda: run(made.activate)),
        "deactivate": ([OK, RESPONSE_LOST, OK], lambda: run(made.deactivate)),
    }
    faults, call = calls[what]
    if dialect != "standard":
        faults = faults[:-1]  # a write that comes again is welcome there: nothing is left to be found out
    plan.calls[:] = [*faults, *GONE]
    with pytest.raises(NetworkError) as caught:
        call()
    assert caught.value.maybe_applied
    assert "may have applied" in str(caught.value)


def test_reads_change_nothing(plane: FakeControlPlane, run: Run) -> None:
    """A read that fails says nothing of the kind."""
    client = lossy(plane, Plan([RESPONSE_LOST] * 10))
    with pytest.raises(NetworkError) as caught:
        run(client.apps.get, "hello")
    assert not caught.value.maybe_applied
