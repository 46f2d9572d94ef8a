"""Faults in process: which calls get them, and what they do, on each dialect."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import cast

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import Status
from flyteidl2.app.app_payload_pb2 import GetResponse, WatchResponse
from google.rpc.error_details_pb2 import RetryInfo

from flyteapps_control.codes import CODES
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import GET
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.inprocess.transport import DirectStream

from .calls import app_id, create, delete, get, update, watch


def code_of(call: Callable[[], object]) -> str:
    """Return the code of a call's error, OK without one."""
    try:
        call()
    except ConnectError as error:
        return error.code.name
    return "OK"


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_answered_and_nothing_is_stored(plane: FakeControlPlane, code: str) -> None:
    """A call with a fault gets the code, the message and the details, and changes nothing."""
    detail = RetryInfo()
    detail.retry_delay.FromSeconds(3)
    rule = plane.faults.fail("Create", code=code, message="not now", details=[detail])
    with pytest.raises(ConnectError) as refused:
        plane.stub().create(create())
    assert (refused.value.code.name, refused.value.message) == (code, "not now")
    seen = RetryInfo()
    assert [each.Unpack(seen) for each in refused.value.details] == [True] and seen == detail
    assert plane.count() == 0
    assert [(each.matched, each.applied) for each in plane.faults.list()] == [(1, 1)]
    plane.faults.remove(rule)
    assert code_of(lambda: plane.stub().create(create())) == "OK"


def test_an_applied_fault_commits_and_loses_the_answer(plane: FakeControlPlane) -> None:
    """With `applied` the write is stored, once, though its caller gets the error."""
    plane.faults.fail("Create", code="UNAVAILABLE", applied=True)
    assert code_of(lambda: plane.stub().create(create())) == "UNAVAILABLE"
    assert plane.count() == 1
    assert plane.stub().get(get()).app.metadata.id.name == "demo"
    assert [(each.code, len(each.responses)) for each in plane.calls.list("Create")] == [("UNAVAILABLE", 0)]


def test_the_answer_of_a_refused_call_is_lost_too(plane: FakeControlPlane) -> None:
    """With `applied` the caller gets the fault's error, whatever the plane answered."""
    plane.faults.fail("Get", code="UNAVAILABLE", applied=True)
    assert code_of(lambda: plane.stub().get(get("absent"))) == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("attempts", "failing"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 2}, [2]),
        ({"first": 3}, [1, 2, 3]),
        ({"every": 2}, [2, 4, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 2}, [2, 4]),
        ({"probability": 1.0}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_attempts_of_a_rule(plane: FakeControlPlane, attempts: dict[str, int], failing: list[int]) -> None:
    """`nth`, `first`, `every` and `times` count the calls that the rule selects, from 1."""
    plane.faults.fail("Get", app="demo", code="ABORTED", **attempts)  # type: ignore[arg-type]  # one of the keywords
    stub = plane.stub()
    codes = [code_of(lambda: stub.get(get())) for _ in range(6)]
    assert [number for number, code in enumerate(codes, 1) if code == "ABORTED"] == failing
    stub_of_others = [code_of(lambda: stub.get(get("other"))) for _ in range(3)]
    assert stub_of_others == ["NOT_FOUND"] * 3


def test_draws_are_the_rules_own_and_follow_the_seed() -> None:
    """The same seed draws the same, and another rule beside it changes nothing."""

    def drawn(seed: int, beside: bool) -> list[str]:
        with FakeControlPlane(call_log=1_000, seed=seed) as plane:
            plane.faults.fail("Get", code="ABORTED", probability=0.5)
            if beside:
                plane.faults.fail("Get", code="ABORTED", probability=1e-9)
            return [code_of(lambda: plane.stub().get(get())) for _ in range(40)]

    first = drawn(1, False)
    assert 5 < first.count("ABORTED") < 35
    assert first == drawn(1, True) == drawn(1, False) != drawn(2, False)


@pytest.mark.parametrize(
    ("selection", "name", "project", "selected"),
    [
        ({"app": "worker-*"}, "worker-1", "proj", True),
        ({"app": "worker-*"}, "web", "proj", False),
        ({"project": "proj", "domain": "d?v"}, "web", "proj", True),
        ({"project": "other"}, "web", "proj", False),
        ({"app": "web", "project": "o*"}, "web", "other", True),
        ({"headers": {"X-Team": "a*"}}, "web", "proj", False),
    ],
)
def test_the_selection_of_a_rule(
    plane: FakeControlPlane, selection: dict[str, str], name: str, project: str, selected: bool
) -> None:
    """Globs on project, domain and name, all of which have to match; a header that is absent matches nothing."""
    plane.faults.fail("Create", code="ABORTED", **selection)  # type: ignore[arg-type]  # keywords of a selection
    assert code_of(lambda: plane.stub().create(create(name, project))) == ("ABORTED" if selected else "OK")


def test_headers_select(plane: FakeControlPlane) -> None:
    """A glob on the value of a header, whose name is in any case."""
    plane.faults.fail("Get", code="ABORTED", headers={"X-Team": "blue-*"})
    stub = plane.stub()
    assert code_of(lambda: stub.get(get(), headers={"x-team": "blue-1"})) == "ABORTED"
    assert code_of(lambda: stub.get(get(), headers={"x-team": "red"})) == "NOT_FOUND"


def test_rules_combine_up_to_the_first_that_ends_the_call(plane: FakeControlPlane) -> None:
    """A call gets the faults of all rules in order; after the one that ends it, no further rule counts it."""
    plane.faults.delay("Get", seconds=1)
    plane.faults.fail("Get", code="ABORTED", first=1)
    plane.faults.fail("Get", code="UNAVAILABLE")
    plane.faults.remove("f1")
    assert [code_of(lambda: plane.stub().get(get())) for _ in range(2)] == ["ABORTED", "UNAVAILABLE"]
    assert [(each.id, each.matched, each.applied) for each in plane.faults.list()] == [("f2", 2, 1), ("f3", 1, 1)]


def test_a_rule_of_a_lifetime_ends(plane: FakeControlPlane) -> None:
    """`lifetime` is of the plane's time."""
    plane.faults.fail("Get", code="ABORTED", lifetime="1m")
    plane.clock.advance(59)
    assert code_of(lambda: plane.stub().get(get())) == "ABORTED"
    plane.clock.advance(1)
    assert code_of(lambda: plane.stub().get(get())) == "NOT_FOUND"


def test_rules_are_found_by_a_plain_name_in_their_order(plane: FakeControlPlane) -> None:
    """A rule about a plain name and one about a glob apply in the order in which they were added."""
    plane.faults.fail("Get", app="demo", code="ABORTED", nth=1)
    plane.faults.fail("Get", app="*", code="UNAVAILABLE", nth=1)
    plane.faults.fail("Get", app="demo", code="INTERNAL")
    codes = [code_of(lambda: plane.stub().get(get())) for _ in range(3)]
    assert codes == ["ABORTED", "UNAVAILABLE", "INTERNAL"]


def test_what_was_never_applied_is_listed(plane: FakeControlPlane) -> None:
    """A rule that no call got is often a mistake in a test."""
    plane.faults.fail("Get", code="ABORTED")
    never = plane.faults.fail("Delete", code="ABORTED")
    code_of(lambda: plane.stub().get(get()))
    assert [each.id for each in plane.faults.unapplied()] == [never.id]
    assert [each.id for each in plane.faults.clear()] == ["f1", "f2"]
    assert plane.faults.list() == []


# ---- delays


def test_a_delay_of_a_manual_clock_ends_when_it_is_moved() -> None:
    """A delayed call waits for the plane's time, and sees what was written meanwhile."""

    async def main() -> None:
        with FakeControlPlane(call_log=1_000, clock="manual") as plane:
            plane.faults.delay("Get", seconds="2s")
            waiting = asyncio.create_task(plane.async_stub().get(get()))
            while not plane.calls.list("Get"):
                await asyncio.sleep(0)
            plane.stub().create(create())
            plane.clock.advance(1.9)
            assert not (await asyncio.wait([waiting], timeout=0.05))[0]
            plane.clock.advance(0.1)
            assert (await waiting).app.metadata.id.name == "demo"

    asyncio.run(main())


def test_a_delay_of_an_auto_clock_moves_it() -> None:
    """A client that waits for a delayed call moves an auto clock, in no real time."""
    with FakeControlPlane(call_log=1_000, clock="auto") as plane:
        plane.faults.delay("Create", seconds="3h")
        before = plane.now_ns()
        plane.stub().create(create())
        assert plane.now_ns() - before >= 3 * 3_600 * 10**9


def test_a_delay_ends_with_the_calls_deadline() -> None:
    """A call whose timeout is shorter than its delay is DEADLINE_EXCEEDED, and not carried out."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        plane.faults.delay("Create", seconds="1h")
        assert code_of(lambda: plane.stub().create(create(), timeout_ms=20)) == "DEADLINE_EXCEEDED"
        assert plane.count() == 0
        assert [each.code for each in plane.calls.list("Create")] == ["CANCELED"]


def test_a_delay_of_the_wall_clock() -> None:
    """`real` waits in real time, whatever the plane's clock is."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        plane.faults.delay("Create", seconds="30ms", real=True)
        began = time.monotonic()
        plane.stub().create(create())
        assert time.monotonic() - began >= 0.03


@pytest.mark.parametrize("form", [{"seconds": ("1s", "3s")}, {"median": "2s", "sigma": 0.3}])
def test_drawn_delays_follow_the_seed(form: dict[str, object]) -> None:
    """A uniform and a log-normal delay are drawn from the rule's seed."""

    def drawn(seed: int) -> list[int]:
        with FakeControlPlane(call_log=1_000, clock="auto", seed=seed) as plane:
            plane.faults.delay("Get", **form)  # type: ignore[arg-type]  # keywords of a delay
            times = [plane.now_ns()]
            for _ in range(20):
                code_of(lambda: plane.stub().get(get()))
                times.append(plane.now_ns())
            return [after - before for before, after in itertools.pairwise(times)]

    first = drawn(1)
    assert first == drawn(1) != drawn(2)
    assert len(set(first)) > 10 and min(first) > 0.5e9 and max(first) < 8e9
    if "seconds" in form:
        assert min(first) >= 1e9 and max(first) <= 3e9


# ---- answers that are none


@pytest.mark.parametrize(("status", "code"), [(429, "UNAVAILABLE"), (503, "UNAVAILABLE"), (418, "UNKNOWN")])
def test_an_answer_of_http_is_its_clients_code_in_process(plane: FakeControlPlane, status: int, code: str) -> None:
    """Where there is no HTTP, the caller sees the code that clients make of the status."""
    plane.faults.answer("Create", status=status, retry_after=1, body="<html>")
    assert code_of(lambda: plane.stub().create(create())) == code
    assert plane.count() == 0


def test_a_reset_may_be_after_the_commit(plane: FakeControlPlane) -> None:
    """A connection that is reset is UNAVAILABLE in process; with `applied` the write is stored."""
    plane.faults.reset("Create", nth=1)
    plane.faults.reset("Create", nth=1, applied=True)
    for count in (0, 1):
        assert code_of(lambda: plane.stub().create(create())) == "UNAVAILABLE"
        assert plane.count() == count


# ---- streams


def open_watch(plane: FakeControlPlane, name: str = "demo") -> DirectStream[WatchResponse]:
    """Open a Watch that can be read with a timeout."""
    return cast("DirectStream[WatchResponse]", plane.stub().watch(watch(name)))


def kinds(plane: FakeControlPlane, changes: int = 3) -> list[str]:
    """Return the events of a Watch of an app that is updated so often, with the images that they show."""
    stub = plane.stub()
    stub.create(create())
    seen: list[str] = []
    stream = open_watch(plane)
    try:
        for number in range(changes):
            request = update()
            request.app.spec.container.image = f"image-{number}"
            stub.update(request)
        while True:
            event = stream.receive(0.02)
            shown = event.create_event.app if event.HasField("create_event") else event.update_event.updated_app
            seen.append(shown.spec.container.image)
    except TimeoutError:
        seen.append("silence")
    except EOFError:
        seen.append("end")
    except ConnectError as error:
        seen.append(error.code.name)
    finally:
        stream.close()
    return seen


def test_a_stream_is_cut(plane: FakeControlPlane) -> None:
    """A cut ends the stream after so many messages, with a code or without an error."""
    plane.faults.cut("Watch", after=2, nth=1)
    plane.faults.cut("Watch", after=1, code="", nth=2)
    assert len(kinds(plane)[:-1]) == 2
    plane.reset(app="demo")
    assert [kinds(plane)[-1], len(plane.calls.list("Watch")[1].responses)] == ["end", 1]
    assert [each.code for each in plane.calls.list("Watch")] == ["UNAVAILABLE", "OK"]


@pytest.mark.parametrize(("after", "words"), [(0, "after 0 messages,"), (1, "after 1 message,")])
def test_the_message_of_a_cut_counts_in_the_singular(plane: FakeControlPlane, after: int, words: str) -> None:
    """One message is no "messages"."""
    plane.faults.cut("Watch", after=after)
    plane.stub().create(create())
    events = iter(plane.stub().watch(watch(), timeout_ms=10_000))
    for _ in range(after):
        next(events)
    with pytest.raises(ConnectError, match=words):
        next(events)


def test_a_stream_is_cut_before_its_first_message(plane: FakeControlPlane) -> None:
    """A cut after no message: the stream opens, and ends."""
    plane.faults.cut("Watch", after=0)
    assert kinds(plane) == ["UNAVAILABLE"]


def test_a_stream_stalls_for_good(plane: FakeControlPlane) -> None:
    """A stalled stream stays open, and sends nothing."""
    plane.faults.stall("Watch", after=1)
    assert kinds(plane) == ["img", "silence"]


def test_a_stall_ends_with_the_planes_time() -> None:
    """After its duration, of the plane's time, a stalled stream sends what has come meanwhile."""
    with FakeControlPlane(call_log=1_000, clock="manual", data_plane="none") as plane:
        plane.faults.stall("Watch", after=1, seconds="1m")
        plane.stub().create(create())
        stream = open_watch(plane)
        stream.receive(1)
        plane.stub().update(update())
        with pytest.raises(TimeoutError):
            stream.receive(0)
        plane.clock.advance("59s")
        with pytest.raises(TimeoutError):
            stream.receive(0)
        assert [each.reason for each in plane.clock.pending()] == ["a stalled stream goes on"]
        plane.clock.advance("1s")
        assert stream.receive(1).update_event.updated_app.spec.container.image == "img:2"
        stream.close()


def test_a_stall_takes_no_real_time_on_an_auto_clock() -> None:
    """A reader of a stalled stream moves an auto clock past the stall."""
    with FakeControlPlane(call_log=1_000, clock="auto") as plane:
        plane.faults.stall("Watch", after=0, seconds="1h")
        plane.stub().create(create())
        before = plane.now_ns()
        stream = open_watch(plane)
        assert stream.receive(5).HasField("create_event")
        assert plane.now_ns() - before >= 3_600 * 10**9
        stream.close()


def test_a_delayed_call_sees_what_became_due_meanwhile() -> None:
    """On the realtime clock the timers that are due when a delay ends fire before the call is carried out."""
    real = [0.0]
    settings = Settings(clock="realtime", speed=10.0)
    plane = FakeControlPlane.of(settings, real=lambda: real[0])
    with plane:
        plane.stub().create(create())
        before = plane.stub().get(get()).app.status.conditions[-1].deployment_status
        assert before == Status.DEPLOYMENT_STATUS_ASSIGNED
        plane.faults.delay("Get", seconds="30s")
        with pytest.raises(Postponed) as postponed:
            plane.call(Call(GET, get()))
        assert postponed.value.left() == pytest.approx(3.0)
        real[0] += 3.1
        assert postponed.value.left() == 0
        app = GetResponse.FromString(postponed.value.resume()).app
        assert app.status.conditions[-1].deployment_status == Status.DEPLOYMENT_STATUS_PENDING


def test_messages_are_repeated_withheld_and_reordered() -> None:
    """One message is sent twice, not at all, or after the next one; the others are as they were."""
    whole = ["img", "image-0", "image-1", "image-2", "silence"]
    for effect, number, expected in (
        ("repeat", 2, ["img", "image-0", "image-0", "image-1", "image-2", "silence"]),
        ("withhold", 3, ["img", "image-0", "image-2", "silence"]),
        ("reorder", 2, ["img", "image-1", "image-0", "image-2", "silence"]),
        ("reorder", 4, ["img", "image-0", "image-1", "silence"]),
    ):
        with FakeControlPlane(call_log=1_000, clock="manual", data_plane="none") as plane:
            assert kinds(plane) == whole
            plane.reset(app="demo")
            getattr(plane.faults, effect)("Watch", message=number)
            assert kinds(plane) == expected, effect


def test_a_message_held_back_is_sent_at_the_end() -> None:
    """Where no message follows, the one that was to be sent after it comes before the stream's end."""
    with FakeControlPlane(call_log=1_000, clock="manual", data_plane="none") as plane:
        plane.stub().create(create())
        plane.faults.reorder("Watch", message=1)
        stream = open_watch(plane)
        plane.drop_streams()
        assert stream.receive(1).HasField("create_event")
        with pytest.raises(ConnectError, match="dropped"):
            stream.receive(1)


def test_a_stream_fails_to_open_or_opens_late(plane: FakeControlPlane) -> None:
    """Faults that end a call refuse the stream; a delay opens it later."""
    plane.faults.fail("Watch", code="UNAVAILABLE", nth=1)
    assert code_of(lambda: next(iter(plane.stub().watch(watch())))) == "UNAVAILABLE"
    plane.faults.clear()
    plane.stub().create(create())
    plane.faults.delay("Watch", seconds=5)
    stream = open_watch(plane)
    with pytest.raises(TimeoutError):
        stream.receive(0)
    plane.clock.advance(5)
    assert stream.receive(1).HasField("create_event")
    stream.close()


def test_streams_are_dropped_by_app(plane: FakeControlPlane) -> None:
    """`drop_streams` ends the streams about the selected apps, which `open_streams` counts, and leaves the others."""
    for name in ("a", "b"):
        plane.stub().create(create(name))
    streams = [open_watch(plane, name) for name in ("a", "b")]
    assert (plane.open_streams(), plane.open_streams(app="a"), plane.open_streams(project="other")) == (2, 1, 0)
    assert plane.drop_streams(app="a", code="ABORTED") == 1
    seen: list[WatchResponse] = []
    with pytest.raises(ConnectError) as dropped:
        seen.extend(streams[0])
    assert dropped.value.code == Code.ABORTED
    assert seen[0].HasField("create_event"), "what was ready comes before the end"
    assert streams[1].receive(1).HasField("create_event")
    for stream in streams:
        stream.close()


def test_delete_gets_faults_too(plane: FakeControlPlane) -> None:
    """A write that removes is selected by its app as others are."""
    plane.stub().create(create())
    plane.faults.fail("Delete", app="demo", code="ABORTED")
    assert code_of(lambda: plane.stub().delete(delete())) == "ABORTED"
    assert app_id().name == "demo" and plane.count() == 1
