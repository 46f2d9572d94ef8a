"""Numbers beyond all bounds: huge durations, draws and moves, and what isn't finite, are errors that change nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flyteidl2.app.app_payload_pb2 import ListRequest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_control.api import ControlError
from flyteapps_control.durations import MAX_SECONDS, nanoseconds
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import GET, LIST
from flyteapps_fake.core.time.clock import END, SECOND

from .calls import create, get

CENTURIES = Duration(seconds=315_576_000_000)
"""As long as a Duration can be."""
Raw = Callable[[str, Any, Any], Any]


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane on the manual clock, with an app."""
    with FakeControlPlane(clock="manual", call_log=10) as made:
        made.stub().create(create())
        yield made


@pytest.fixture
def raw(plane: FakeControlPlane) -> Raw:
    """Return a function that sends a message which the Python objects would not make."""
    from flyteapps_fake.control.service import ControlService

    return plane.companion(ControlService).call


def delay(**fields: Any) -> pb.Fault:
    """Return a rule that delays each Get."""
    return pb.Fault(rpc="Get", delay=pb.Fault.Delay(**fields))


def rule(place: str, duration: Duration) -> pb.Fault:
    """Return a rule with the duration at that place."""
    fail = pb.Fault.Fail(code="ABORTED")
    longest = Duration(seconds=MAX_SECONDS)
    return {
        "fixed": lambda: delay(fixed=duration),
        "min": lambda: delay(uniform=pb.Fault.Uniform(min=duration, max=longest)),
        "max": lambda: delay(uniform=pb.Fault.Uniform(max=duration)),
        "median": lambda: delay(log_normal=pb.Fault.LogNormal(median=duration, sigma=1)),
        "lifetime": lambda: pb.Fault(rpc="Get", lifetime=duration, fail=fail),
        "age": lambda: pb.Fault(rpc="Get", stale=pb.Fault.Stale(age=duration)),
        "stall": lambda: pb.Fault(rpc="Watch", stall=pb.Fault.Stall(duration=duration)),
    }[place]()


@pytest.mark.parametrize(
    "duration",
    [
        CENTURIES,
        Duration(seconds=MAX_SECONDS + 1),
        Duration(seconds=2**62),
        Duration(seconds=1, nanos=-5),
        Duration(nanos=2_000_000_000),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["fixed", "min", "max", "median", "lifetime", "age", "stall"])
def test_a_rule_of_an_impossible_duration(plane: FakeControlPlane, raw: Raw, place: str, duration: Duration) -> None:
    """A duration over a hundred years, and one whose parts contradict each other, are refused with their place."""
    with pytest.raises(ControlError, match=r"faults\[0\]") as refused:
        raw("AddFaults", pb.AddFaultsRequest(faults=[rule(place, duration)]), pb.AddFaultsResponse)
    assert refused.value.code == "INVALID_ARGUMENT" and not plane.faults.list()


@pytest.mark.parametrize("duration", [CENTURIES, Duration(seconds=1, nanos=-5), Duration(seconds=-1)], ids=str)
def test_a_move_of_an_impossible_duration(plane: FakeControlPlane, raw: Raw, duration: Duration) -> None:
    """The clock stands where it was."""
    before = plane.clock.now
    until = pb.AdvanceClockRequest.Until(status="ACTIVE", limit=duration)
    for request in (pb.AdvanceClockRequest(duration=duration), pb.AdvanceClockRequest(until=until)):
        with pytest.raises(ControlError, match=r"duration|limit"):
            raw("AdvanceClock", request, pb.AdvanceClockResponse)
    assert plane.clock.now == before


def test_the_clock_has_an_end() -> None:
    """Moves that lead beyond it are refused; at the end the plane still answers, and lists what is pending."""
    with FakeControlPlane(clock="manual", app_scenarios={"*": "crash-loop"}) as plane:
        plane.stub().create(create())
        clock = plane._timeline.clock  # pyright: ignore[reportPrivateUsage]  # a century of a loop take too long
        plane.faults.delay("List", seconds=MAX_SECONDS)
        with pytest.raises(Postponed):
            plane.call(Call(LIST, ListRequest()))
        clock.jump(END - SECOND)
        for move in (plane.advance, plane.clock.advance):
            with pytest.raises(ValueError, match="year 2150"):
                move(2)
        with pytest.raises(ControlError, match="year 2150"):
            plane.clock.advance_until(app="demo", status="STOPPED", limit=MAX_SECONDS)
        assert plane.clock.pending() and str(plane.clock.why())
        assert plane.stub().get(get()).app.metadata.id.name == "demo"


def test_an_auto_clock_stops_at_its_end() -> None:
    """Delays that jump there leave a plane that answers."""
    with FakeControlPlane(start_time="2099-12-31T00:00:00Z", call_log=10) as plane:
        plane.faults.delay("List", seconds=MAX_SECONDS)
        for _ in range(12):
            plane.stub().list(ListRequest())
        assert plane.now_ns() == END
        plane.stub().create(create())
        assert len(plane.calls.list()) == 10


@pytest.mark.parametrize("real", [False, True])
def test_a_drawn_delay_is_bounded(plane: FakeControlPlane, real: bool) -> None:
    """The tail of a log-normal delay, and the sum of many delays, are a hundred years at most."""
    for _ in range(40):
        plane.faults.delay("Get", median=MAX_SECONDS, sigma=10, real=real)
    with pytest.raises(Postponed) as postponed:
        plane.call(Call(GET, get()))
    assert postponed.value.real_seconds <= MAX_SECONDS
    assert all(each.due.seconds <= MAX_SECONDS + plane.now_ns() // SECOND for each in plane.clock.pending())
    assert str(plane.clock.why())


@pytest.mark.parametrize(
    "selection",
    [{"app": "*a" * 501}, {"project": "x" * 1_001}, {"caller": "x" * 1_001}, {"headers": {"a": "x" * 1_001}}],
    ids=lambda selection: next(iter(selection)),
)
def test_a_glob_of_too_many_characters(plane: FakeControlPlane, selection: Any) -> None:
    """It would take seconds to compile, with the plane waiting."""
    with pytest.raises(ControlError, match="1000 characters"):
        plane.faults.fail("Get", code="ABORTED", **selection)
    assert not plane.faults.list()


HUGE = 10**400
NO_DURATIONS: list[Any] = [
    *(math.nan, math.inf, -math.inf, 1e300, HUGE, -HUGE, 10**5_000),
    *("9" * 400 + "s", "1e3s", "-1s", True, b"1s", []),
]


@pytest.mark.parametrize("bad", NO_DURATIONS, ids=lambda bad: type(bad).__name__)
def test_a_number_that_is_no_duration(plane: FakeControlPlane, bad: Any) -> None:
    """Every one is a ValueError about the duration, wherever it is given, and the clock stands still."""
    before = plane.clock.now
    for use in (nanoseconds, plane.advance, plane.clock.advance):
        with pytest.raises(ValueError, match="duration"):
            use(bad)
    with pytest.raises(ValueError, match="duration"):
        plane.faults.delay("Get", median=bad)
    with pytest.raises(ValueError, match="duration"):
        plane.faults.fail("Get", code="ABORTED", lifetime=bad)
    assert plane.clock.now == before and not plane.faults.list()


@pytest.mark.parametrize("bad", [math.nan, math.inf, HUGE, b"x", {1, 2}, [math.nan], {"a": [math.inf]}, 1j])
def test_a_value_of_a_query_that_json_does_not_know(plane: FakeControlPlane, bad: Any) -> None:
    """It is an error that names the field."""
    for ask in (plane.calls.list, plane.calls.verify):
        with pytest.raises(ValueError, match=r"spec\.desired_state"):
            ask("Create", where={"spec.desired_state": bad})


@pytest.mark.parametrize("bad", ["spec", [("spec", 1)], {5: 1}])
def test_fields_of_a_query_that_are_no_mapping(plane: FakeControlPlane, bad: Any) -> None:
    """It says what is wanted."""
    with pytest.raises(TypeError, match="where must be a mapping of paths"):
        plane.calls.verify("Create", where=bad)


@pytest.mark.parametrize(
    ("method", "request_", "place"),
    [
        (
            "ListCalls",
            pb.ListCallsRequest(select=pb.CallSelector(where={"spec": Value(number_value=math.nan)})),
            r"select\.where\[spec\]",
        ),
        (
            "ListCalls",
            pb.ListCallsRequest(select=pb.CallSelector(since=Timestamp(seconds=2**62))),
            r"select\.since",
        ),
        (
            "AddScenarios",
            pb.AddScenariosRequest(
                content=Struct(
                    fields={"a": Value(list_value=ListValue(values=[Value(), Value(number_value=math.inf)]))}
                )
            ),
            r"content\[a\]\[1\]",
        ),
    ],
    ids=["where", "since", "content"],
)
def test_a_message_that_json_cannot_show(raw: Raw, method: str, request_: Any, place: str) -> None:
    """Numbers that aren't finite and times out of range are refused with their place, as JSON would refuse them."""
    answer = getattr(pb, f"{method}Response")
    with pytest.raises(ControlError, match=place) as refused:
        raw(method, request_, answer)
    assert refused.value.code == "INVALID_ARGUMENT"
