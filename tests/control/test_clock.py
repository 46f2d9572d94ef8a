"""The clock by the control API, and resets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from connectrpc.errors import ConnectError

from flyteapps_control.api import ControlError
from flyteapps_control.durations import nanoseconds, text_of
from flyteapps_control.selection import AppName
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake import FakeControlPlane

from .calls import create, get, watch


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on the manual clock, with one app."""
    with FakeControlPlane(call_log=1_000, dialect=request.param, clock="manual") as made:
        made.stub().create(create())
        yield made


@pytest.mark.parametrize(
    ("written", "seconds"), [("2m", 120), ("1h30m", 5_400), ("500ms", 0.5), ("1.5s", 1.5), (90, 90), ("10d", 864_000)]
)
def test_time_advances_by_durations(plane: FakeControlPlane, written: str | float, seconds: float) -> None:
    """A duration is a number of seconds or a text; the new time is returned."""
    before = plane.clock.now
    after = plane.clock.advance(written)
    assert (after - before).total_seconds() == pytest.approx(seconds, abs=1e-3)
    assert plane.clock.now == after and plane.clock.mode == "manual"


def test_a_duration_and_its_text() -> None:
    """The text of a duration is one that can be read again."""
    for text in ("0s", "2m", "1h30m", "1d1s", "500ms", "1.5ms", "1.064s", "1m500ms", "0.000001ms"):
        assert text_of(nanoseconds(text)) == text


def test_time_advances_to_the_next_timer(plane: FakeControlPlane) -> None:
    """Each step fires the earliest timer; what is pending says of which app, and why."""
    pending = plane.clock.pending()
    assert "demo" in pending[0].owner and pending[0].reason
    due = pending[0].due.ToDatetime()
    assert plane.clock.advance_to_next().replace(tzinfo=None) >= due
    assert [each.due.ToDatetime() for each in plane.clock.pending()][:1] != [due]


def test_as_many_timers_are_listed_as_are_wanted(plane: FakeControlPlane) -> None:
    """The earliest come first, and all are counted; a limit that can't be is refused."""
    for name in ("one", "two", "three"):
        plane.stub().create(create(name))
    everything = plane.clock.pending()
    assert len(everything) >= 4
    for limit in (0, 1, 3, 1_000):
        assert plane.clock.pending(limit=limit) == everything[:limit]
    for limit in (-1, 1_001):
        with pytest.raises(ControlError, match="max_timers"):
            plane.clock.pending(limit=limit)


def test_as_many_waits_are_explained_as_are_wanted(plane: FakeControlPlane) -> None:
    """The others are counted, in the text, too; a limit that can't be is refused."""
    plane.stub().create(create("other"))
    everything = plane.clock.why()
    one = plane.clock.why(limit=1)
    assert (list(one), one.total) == (everything[:1], len(everything))
    assert str(one).endswith(f"... and {len(everything) - 1} more")
    assert list(plane.clock.why(limit=0)) == []
    with pytest.raises(ControlError, match="max_waits"):
        plane.clock.why(limit=1_001)


def test_time_advances_until_an_app_has_a_status(plane: FakeControlPlane) -> None:
    """The clock stops at the timer that brought the status, and doesn't move where it is there already."""
    reached = plane.clock.advance_until(app="demo", status="ACTIVE")
    assert [status for _, status in plane.statuses(AppSelector(name="demo"))] == ["ACTIVE"]
    assert plane.clock.advance_until(app="demo", status="active") == reached


def test_time_stops_at_the_timer_that_brought_the_status() -> None:
    """The clock goes no further than where single steps from timer to timer first find the status."""
    reached: list[int] = []
    for steps in (False, True):
        with FakeControlPlane(call_log=1_000, clock="manual", seed=3) as plane:
            plane.stub().create(create())
            began = plane.now_ns()
            if steps:
                while plane.statuses(AppSelector(name="demo")) != [(AppName("proj", "dev", "demo"), "ACTIVE")]:
                    plane.clock.advance_to_next()
            else:
                plane.clock.advance_until(app="demo", status="ACTIVE")
            reached.append(plane.now_ns() - began)
    assert reached[0] == reached[1]


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ({"app": "demo", "status": "FAILED", "limit": "1h"}, "no app is FAILED"),
        ({"app": "absent", "status": "ACTIVE"}, "there is no such app"),
        ({"app": "demo", "status": "RUNNING"}, "no status is called 'RUNNING': there are"),
    ],
)
def test_what_never_comes_is_an_error(plane: FakeControlPlane, until: dict[str, Any], message: str) -> None:
    """A status that isn't reached says what the app's status is, or that there is none."""
    with pytest.raises(ControlError) as refused:
        plane.clock.advance_until(**until)
    assert message in str(refused.value)
    assert ("the clock was moved, to 2026-01-01 00:" in str(refused.value)) == (plane.clock.now.second > 0)


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_a_clock_that_moves_by_itself_cannot_be_advanced(mode: str) -> None:
    """The error says how to make one that can."""
    with FakeControlPlane(call_log=1_000, clock=mode) as plane:  # type: ignore[arg-type]  # one of the modes
        with pytest.raises(ControlError, match=r'clock="manual"'):
            plane.clock.advance(1)
        assert plane.clock.mode == mode


def test_no_timer_is_an_error() -> None:
    """Where nothing is pending there is no next timer."""
    with (
        FakeControlPlane(call_log=1_000, clock="manual") as plane,
        pytest.raises(ControlError, match="no timer is pending"),
    ):
        plane.clock.advance_to_next()


@pytest.mark.parametrize("bad", [-1, "-1s", "soon", True, None, float("inf"), "101000d"])
def test_a_duration_that_is_none_moves_nothing(plane: FakeControlPlane, bad: object) -> None:
    """Negative, invalid and endless durations are refused."""
    before = plane.now_ns()
    with pytest.raises(ValueError, match="duration"):
        plane.clock.advance(bad)  # type: ignore[arg-type]  # the mistake
    assert plane.now_ns() == before


def test_a_reset_removes_the_selected_apps(plane: FakeControlPlane) -> None:
    """Apps in any state go, with an event to their watchers; rules and calls stay. Created again, one starts anew."""
    stub = plane.stub()
    stub.create(create("other"))
    plane.clock.advance_until(app="demo", status="ACTIVE")
    plane.faults.fail("Delete", code="ABORTED")
    stream = stub.watch(watch())
    next(iter(stream))
    assert plane.reset(app="demo") == 1
    assert next(iter(stream)).HasField("delete_event")
    with pytest.raises(ConnectError):
        stub.get(get())
    assert plane.count() == 1 and len(plane.faults.list()) == 1 and plane.calls.list("Create")
    assert {each.owner.rpartition("/")[2] for each in plane.clock.pending()} == {"other"}
    assert stub.create(create()).app.metadata.id.name == "demo"
    del stream


def test_a_reset_frees_the_host_name() -> None:
    """An app that is created again has a host name of its own: it doesn't answer under the one from before."""
    with FakeControlPlane(call_log=1_000, clock="manual", seed=1) as plane:
        hosts: list[str] = []
        for _ in range(2):
            plane.stub().create(create())
            hosts.append(plane.stub().get(get()).app.status.ingress.public_url.partition("://")[2])
            assert plane.find_by_host(hosts[-1]) is not None
            plane.reset(app="demo")
        plane.stub().create(create())
        assert [plane.find_by_host(host) for host in hosts] == [None, None]
        last = plane.stub().get(get()).app.status.ingress.public_url.partition("://")[2]
        plane.reset(app="demo")
        heir = create("heir")
        heir.app.spec.ingress.subdomain = last.partition(".")[0]
        plane.stub().create(heir)
        assert plane.find_by_host(last) is not None


def test_a_reset_of_all_leaves_nothing(plane: FakeControlPlane) -> None:
    """Without a selection apps, rules, recorded calls and timers are gone."""
    plane.faults.fail("Delete", code="ABORTED")
    plane.stub().create(create("other", "elsewhere"))
    assert plane.reset() == 2
    assert (plane.count(), plane.projects(), plane.faults.list(), plane.calls.list()) == (0, set(), [], [])
    assert plane.clock.pending() == []
    plane.clock.advance("1h")
    assert plane.clock.pending() == []


def test_a_reset_of_a_project(plane: FakeControlPlane) -> None:
    """A glob on the project selects its apps alone."""
    plane.stub().create(create("other", "elsewhere"))
    assert plane.reset(project="else*") == 1
    assert plane.projects() == {"proj"}
