"""Waiting, where the field's clients go wrong. On the manual clock a test decides what the plane does, and when."""

from __future__ import annotations

import asyncio
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import (
    AppDeleted,
    Client,
    DeploymentFailed,
    DeploymentStatus,
    Substate,
    WaitError,
    Waits,
    WaitTimeout,
    WatchStalled,
)
from flyteapps.flows import follow
from flyteapps.testing import FaultyTransport, faults
from flyteapps.transports.queue_stream import MAX_QUEUED_MESSAGES, QueueStream
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.settings import Settings

from .conftest import QUICK, SCOPE, SETTLES, TRANSPORTS, Run, client_of, once
from .faults import Cut, Plan, faulty
from .messages import app, spec


@pytest.fixture
def slow(dialect: str) -> Iterator[FakeControlPlane]:
    """A plane whose time stands still."""
    with FakeControlPlane(dialect=dialect, clock="manual") as plane:
        yield plane


def test_active_before_the_watch_opens(client: Client, run: Run, dialect: str) -> None:
    """The snapshot counts: an app that became active meanwhile ends the wait, at once where revisions tell."""
    made = run(client.apps.create, app())
    other = run(client.apps.get, "hello")
    run(other.watch)
    assert not made.is_active()
    assert run(made.watch).deployment_status is DeploymentStatus.ACTIVE
    assert made.waited is not None
    how = "observed" if dialect == "standard" else "settled"
    assert (made.waited.how, made.waited.scaled_to_zero) == (how, False)


class TestAClockThatNobodyMoves:
    """A wait on a plane whose time stands still says so."""

    def test_at_its_end(self, slow: FakeControlPlane, run: Run) -> None:
        """The error says what to do."""
        made = client_of(slow, "direct").apps.create(app())
        with pytest.raises(WaitTimeout, match=r"clock is manual, and stands at 20.*plane\.advance"):
            run(made.watch, timeout=0.05)

    def test_while_it_waits(self, dialect: str, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        """After a second the plane logs it, once a wait, as its deadline may be far."""
        real = iter((0.0, 0.0))
        with FakeControlPlane.of(Settings(dialect=dialect, clock="manual"), real=lambda: next(real, 60.0)) as plane:
            made = client_of(plane, "direct").apps.create(app())
            with pytest.raises(WaitTimeout):
                run(made.watch, timeout=0.3)
        [record] = caplog.records
        assert "waits for its next event: the " in record.getMessage() and "clock is manual" in record.getMessage()

    def test_a_clock_that_is_moved(self, slow: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is said where it was moved after the wait began, though not far enough."""
        client = client_of(slow, "direct")
        made = client.apps.create(app())
        seen: list[object] = []
        monkeypatch.setattr(client, "_hint", lambda: (slow.advance(0.000_001), seen.append(None), slow.standstill)[2])
        with pytest.raises(WaitTimeout) as caught:
            made.watch(timeout=0.05)
        assert seen
        assert "manual" not in str(caught.value)

    def test_a_clock_that_runs(self, plane: FakeControlPlane, run: Run) -> None:
        """Nor on any other clock."""
        handle = client_of(plane, "direct").apps.create(app()).watch()
        with pytest.raises(WaitTimeout) as caught:
            run(handle.watch, "deactivated", timeout=0.05)
        assert "clock" not in str(caught.value)


def test_a_failed_deployment_is_reported_at_once(client: Client, run: Run, dialect: str) -> None:
    """With message and, where there is one, substate, as a RuntimeError."""
    made = run(client.apps.create, app(scenario="crash-loop"))
    with pytest.raises(DeploymentFailed) as caught:
        run(made.watch)
    error = caught.value
    assert isinstance(error, RuntimeError)
    assert error.substate is (Substate.CRASH_LOOP if dialect == "standard" else Substate.UNSPECIFIED)
    assert "Container exited with code 1" in error.reason
    assert error.app == "demo/development/hello"
    assert error.last.revision == made.revision == (1 if dialect == "standard" else 0)
    assert made.deployment_status is DeploymentStatus.FAILED
    assert ("CRASH_LOOP" if dialect == "standard" else "FAILED") in str(error)


def test_an_old_active_never_ends_a_wait_for_a_newer_write(
    slow: FakeControlPlane, run: Run, nth: Callable[[int], int]
) -> None:
    """After an update the app is waited for anew, until the cluster has reported on that revision."""
    client = client_of(slow, "direct", waits=Waits(timeout=1))
    shown = "PENDING" if nth(1) else "last seen at revision 0: ACTIVE"
    made = client.apps.create(app())
    slow.advance(60)
    assert client.apps.get("hello").is_active()
    updated = client.apps.replace("hello", spec("example.org/hello:2"), "test")
    with pytest.raises(WaitTimeout, match=shown):
        run(updated.watch)
    slow.advance(60)
    assert run(updated.watch).revision == nth(2)
    if nth(1):  # the handle of the create can't tell there, and would wait until it has settled
        assert run(made.watch).revision == 2


def test_a_deadline_ends_every_wait(client_slow: Client, run: Run) -> None:
    """The error names the app, the time and what was last seen; the stream is closed."""
    made = client_slow.apps.create(app())
    for timeout in (0.05, 0.5, 5, 20):  # a busy machine may need longer to see the app at all
        with pytest.raises(WaitError, match="demo/development/hello") as caught:
            run(made.watch, timeout=timeout)
        if isinstance(caught.value, WaitTimeout) and "last seen" in str(caught.value):
            break
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, TimeoutError)
    assert f"was not activated within {timeout:g} s; last seen" in str(caught.value)
    assert caught.value.last.name == "hello"


@pytest.fixture(params=once(TRANSPORTS, "direct"))
def client_slow(slow: FakeControlPlane, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of the plane whose time stands still."""
    with client_of(slow, request.param, waits=Waits(poll=0.05)) as made:
        yield made


def test_a_deletion_ends_the_wait(client_slow: Client, slow: FakeControlPlane, run: Run) -> None:
    """An app that is gone is not waited for."""
    made = client_slow.apps.create(app())
    identifier = made.pb2.metadata.id
    made.deactivate()
    slow.stub().delete(payload.DeleteRequest(app_id=identifier))
    with pytest.raises(AppDeleted):
        run(made.watch)


def test_an_app_created_anew_is_another(slow: FakeControlPlane, run: Run) -> None:
    """A wait for revision 2 doesn't end by revision 1 of the next app of that name."""
    client = client_of(slow, "direct")
    made = client.apps.create(app())
    made.deactivate()
    client.apps.delete("hello")
    client.apps.create(app())
    slow.advance(60)
    with pytest.raises(AppDeleted):
        run(made.watch, "activated")


def test_a_stop_by_somebody_else_ends_the_wait_for_active(slow: FakeControlPlane, run: Run) -> None:
    """It won't become active; the error says that it was stopped."""
    client = client_of(slow, "direct")
    made = client.apps.create(app())
    client.apps.get("hello").deactivate()
    with pytest.raises(DeploymentFailed, match="stopped"):
        run(made.watch)


@pytest.mark.parametrize("how", ["clean", "UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED"])
@pytest.mark.parametrize("position", range(6))
def test_a_stream_dropped_at_any_position(run: Run, how: str, position: int, dialect: str) -> None:
    """The wait goes on over another stream, and ends where it should."""
    with FakeControlPlane(dialect=dialect) as plane:
        plan = Plan(cuts=[Cut(position, how), Cut(0, how), Cut(1, how, repeat=True)])
        client = Client(transport=faulty(plane.transport(), plan), retries=QUICK, waits=SETTLES, **SCOPE)
        made = client.apps.create(app())
        assert run(made.watch).is_active()
        assert run(made.deactivate, wait=True).is_deactivated()


def unreachable(plane: FakeControlPlane) -> FaultyTransport:
    """Return a transport whose calls are all lost, of streams too."""
    return FaultyTransport(plane.transport(), [faults.fail("*", code="UNAVAILABLE")])


def test_a_plane_that_cannot_be_watched_is_recognized(run: Run, slow: FakeControlPlane) -> None:
    """WatchStalled, after `Waits.stall`, with the reason as its cause."""
    made = client_of(slow, "direct").apps.create(app())
    client = Client(transport=unreachable(slow), retries=QUICK, waits=Waits(stall=0.1), **SCOPE)
    handle = type(made)(made.pb2, client)
    with pytest.raises(WatchStalled, match="could not be watched") as caught:
        run(handle.watch)
    assert caught.value.__cause__ is not None


def test_a_silent_plane_is_logged_early(
    run: Run, slow: FakeControlPlane, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning of the logger `flyteapps`, once, names the app, the cause, and when the wait ends."""
    monkeypatch.setattr(follow, "WARN_SECONDS", 0.05)
    made = client_of(slow, "direct").apps.create(app())
    client = Client(transport=unreachable(slow), retries=QUICK, waits=Waits(stall=0.3), **SCOPE)
    with pytest.raises(WatchStalled):
        run(type(made)(made.pb2, client).watch)
    [record] = [each for each in caplog.records if each.name == "flyteapps"]
    assert record.levelname == "WARNING"
    assert re.match(r"app \S+ could not be watched for 0 s, .*until 0.3 s have passed", record.getMessage())


def test_cancelling_a_wait_leaves_nothing_open(slow: FakeControlPlane) -> None:
    """Cancellation is what leaves, at once; no task and no stream stay."""
    client = client_of(slow, "direct")
    made = client.apps.create(app())

    async def go() -> None:
        waiting = asyncio.create_task(made.watch.aio())
        while not slow.open_streams():
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not slow.open_streams()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await made.watch.aio()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(go())


def test_who_stopped_an_app_can_wait_for_its_start(direct: Client, run: Run) -> None:
    """Another client starts it: STOPPED is its state before, not a failure."""
    made = direct.apps.create(app())
    run(made.deactivate, wait=True)
    with pytest.raises(WaitTimeout):
        run(made.watch, timeout=0.05)
    direct.apps.get("hello").activate()
    assert run(made.watch).is_active()


def test_an_error_survives_pickling(direct: Client) -> None:
    """As test runners and process pools do; its handle then has no client."""
    made = direct.apps.create(app(scenario="crash-loop"))
    with pytest.raises(DeploymentFailed) as caught:
        made.watch()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.substate) == (str(caught.value), caught.value.substate)
    assert again.app == caught.value.app == "demo/development/hello"
    assert again.last.pb2 == made.pb2


def test_an_iteration_can_be_closed_from_another_thread(client: Client) -> None:
    """It then ends, as if there were nothing more."""
    made = client.apps.create(app())
    made.watch()
    events = made.events()
    closing = threading.Timer(0.05, events.close)
    closing.start()
    assert list(events) == []
    closing.join()


def test_a_slow_consumer_leaves_messages_on_the_wire() -> None:
    """A blocking stream takes no more than it has room for, and gives all of them in order."""
    taken: list[int] = []
    full = threading.Event()

    def messages() -> Iterator[int]:
        for number in range(3 * MAX_QUEUED_MESSAGES):
            taken.append(number)
            if number == MAX_QUEUED_MESSAGES:
                full.set()
            yield number

    stream = QueueStream(messages, lambda: None)
    assert stream.receive(10) == 0
    assert full.wait(60)
    assert len(taken) <= MAX_QUEUED_MESSAGES + 2
    assert [stream.receive(10) for _ in range(3 * MAX_QUEUED_MESSAGES - 1)] == list(range(1, 3 * MAX_QUEUED_MESSAGES))
    with pytest.raises(EOFError):
        stream.receive(10)
    stream.close()


def test_a_full_stream_can_be_closed() -> None:
    """Its reader waits for room, and ends all the same."""
    stream = QueueStream(lambda: iter(range(3 * MAX_QUEUED_MESSAGES)), lambda: None)
    assert stream.receive(10) == 0
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "flyteapps stream"]


def test_a_closed_client_connects_anew(plane: FakeControlPlane, run: Run) -> None:
    """Closing frees connections; it forbids nothing."""
    for transport in TRANSPORTS:
        client = client_of(plane, transport)
        for _ in range(2):
            run(client.apps.create, app())
            client.close()


def test_wait_errors_share_one_base() -> None:
    """Code that expects the SDK's RuntimeError catches them all."""
    for kind in (DeploymentFailed, AppDeleted, WatchStalled, WaitTimeout):
        assert issubclass(kind, WaitError)
        assert issubclass(kind, RuntimeError)


def test_a_bad_target_is_refused(direct: Client, run: Run) -> None:
    """The error names the two that there are."""
    made: Any = direct.apps.create(app())
    with pytest.raises(ValueError, match="deactivated"):
        run(made.watch, "active")
