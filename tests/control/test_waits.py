"""Waits: of open streams, delayed calls and apps, each with the timer that would end it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flyteidl2.app.app_payload_pb2 import LeaseRequest, WatchRequest
from flyteidl2.common.identifier_pb2 import ClusterIdentifier, ProjectIdentifier

from flyteapps.testing import connect_control
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import GET, LEASE, WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.streams import OpenStream

from .calls import app_id, create, get, watch


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on the manual clock, with one app."""
    with FakeControlPlane(dialect=request.param, clock="manual") as made:
        made.stub().create(create())
        yield made


def opened(plane: FakeControlPlane, request: Any = None) -> OpenStream:
    """Return a Watch that has read all that is there."""
    stream = plane.open(Call(WATCH, request or watch()))
    while stream.take() is not None:
        pass
    return stream


def texts(plane: FakeControlPlane, **selection: Any) -> list[str]:
    """Return the texts of the waits."""
    return [each.text for each in plane.clock.why(**selection)]


def test_a_watch_waits_for_the_next_step_of_its_app(plane: FakeControlPlane) -> None:
    """The text says who waits for what, which timer ends it, when, and what moves the clock."""
    stream, began = opened(plane), plane.clock.now
    why = plane.clock.why(app="demo")
    waiting, app = why
    reason = plane.clock.pending()[0].reason
    assert (waiting.rpc.rpartition("/")[2], waiting.subject, waiting.protocol) == ("Watch", "proj/dev/demo", "direct")
    assert waiting.timer.reason == reason and waiting.timer.owner == "proj/dev/demo"
    assert waiting.timer.due.ToNanoseconds() == plane.next_timer_due()
    assert waiting.text.startswith("Watch of proj/dev/demo (by direct, since 2026-01-01 00:00:00.")
    assert f"waits for its next event: {reason} in " in waiting.text
    assert app.text.startswith(f"App proj/dev/demo is {app.status}: {reason} in ")
    assert str(why).splitlines()[0] == why.clock
    assert why.clock.startswith("the clock is manual, and stands at 2026-01-01 00:00:00.")
    assert plane.clock.now == began
    plane.clock.advance("1h")
    while stream.take() is not None:
        pass
    [line] = texts(plane)
    assert "proj/dev/demo is ACTIVE, and changes by a write or a request alone" in line or "it scales to zero" in line
    stream.close()
    assert str(plane.clock.why()).endswith("\nnothing waits")
    assert str(plane.clock.why(app="demo")).endswith("\nnothing waits: proj/dev/demo is ACTIVE")
    assert str(plane.clock.why(app="absent")).endswith("\nnothing waits: there is no such app")


def test_a_watch_without_its_app(plane: FakeControlPlane) -> None:
    """Nothing is scheduled for an app that doesn't exist."""
    stream = opened(plane, WatchRequest(app_id=app_id("absent"))) if plane.settings.dialect == "standard" else None
    if stream is None:
        return
    assert texts(plane, app="absent")[0].endswith("nothing is scheduled for it: there is no such app")
    stream.close()


def test_a_reader_that_is_behind(plane: FakeControlPlane) -> None:
    """Messages that were not read are what a stream waits with."""
    stream = opened(plane)
    plane.clock.advance_to_next()
    assert any("messages are ready, and its reader has not taken them" in each for each in texts(plane))
    stream.close()


def test_a_delayed_call_goes_on_at_its_timer(plane: FakeControlPlane) -> None:
    """The delay is a pending timer, to which the clock can be moved; afterwards nothing is left of it."""
    plane.clock.advance("1h")
    rule = plane.faults.delay("Get", seconds=30)
    with pytest.raises(Postponed) as delayed:
        plane.call(Call(GET, get()))
    [wait] = plane.clock.why()
    assert "Get of proj/dev/demo (by direct, since 2026-01-01 01:00:00.0" in wait.text
    assert wait.text.partition(") waits ")[2].startswith(
        f"for the end of fault {rule.id}: a delayed call goes on in 30s (2026-01-01 01:00:30.0"
    )
    plane.clock.advance_to_next()
    assert delayed.value.left() == 0.0
    delayed.value.resume()
    assert texts(plane) == []
    with pytest.raises(Postponed) as other:
        plane.call(Call(GET, get()))
    assert len(texts(plane)) == 1
    other.value.abandon()
    assert texts(plane) == [] and not any("delayed" in each.reason for each in plane.clock.pending())


def test_a_call_that_is_delayed_by_real_time(plane: FakeControlPlane) -> None:
    """No timer ends it; the text says how long it is."""
    plane.faults.delay("Get", seconds=2, real=True)
    with pytest.raises(Postponed) as delayed:
        plane.call(Call(GET, get()))
    assert next(each for each in texts(plane) if each.startswith("Get")).endswith("delays it by 2s of real time")
    delayed.value.abandon()


def test_a_stalled_stream(plane: FakeControlPlane) -> None:
    """Its own timer ends a stall, and nothing one for good."""
    plane.faults.stall("Watch", after=0, seconds=20, nth=1)
    plane.faults.stall("Watch", after=0, nth=2)
    first, second = opened(plane), opened(plane)
    stalled = [each for each in texts(plane) if each.startswith("Watch")]
    assert "waits for the end of a fault: a stalled stream goes on in 20s" in stalled[0]
    assert stalled[1].endswith("waits for the end of a fault: a fault stalls it for good")
    first.close()
    second.close()


def test_an_app_that_no_cluster_leases() -> None:
    """Where clusters come over the wire, the text says which one is missing, and who waits for apps."""
    with FakeControlPlane(clock="manual", data_plane="none", pools={"default": ["east"]}) as plane:
        plane.stub().create(create())
        stream = opened(plane)
        why = "Waiting for a cluster of pool 'default' to lease it: east"
        waiting, app = texts(plane)
        assert waiting.endswith(f"nothing is scheduled for it: proj/dev/demo is UNASSIGNED, {why}")
        assert app == f"App proj/dev/demo is UNASSIGNED: {why}"
        cluster = plane.open(Call(LEASE, LeaseRequest(id=ClusterIdentifier(name="east"))))
        while cluster.take() is not None:
            pass
        while stream.take() is not None:
            pass
        found = {each.partition(" ")[0]: each for each in texts(plane)}
        assert "its lease runs out in 1m" in found["Watch"] and "its lease runs out in 1m" in found["App"]
        assert found["Lease"].startswith("Lease of cluster east (by direct, since ")
        assert "waits for an app to lease: no app that it may lease is waiting" in found["Lease"]
        stream.close()
        cluster.close()


def test_a_project_and_the_org_are_watched() -> None:
    """A Watch of many apps waits for the first of them that changes; another project's is not one."""
    with FakeControlPlane(clock="manual") as plane:
        plane.stub().create(create("other", "elsewhere"))
        streams = [
            opened(plane, WatchRequest(project=ProjectIdentifier(name="elsewhere", domain="dev"))),
            opened(plane, WatchRequest(project=ProjectIdentifier(name="proj", domain="dev"))),
            opened(plane, WatchRequest(org=plane.org)),
        ]
        elsewhere, project, org = (each for each in plane.clock.why() if each.rpc)
        assert elsewhere.HasField("timer") and org.timer == elsewhere.timer
        assert not project.HasField("timer") and project.reason.endswith("there is no such app")
        for each in streams:
            each.close()


def test_an_auto_clock_says_what_lets_it_go_on() -> None:
    """Without a client that waits it stands still; with one whose app was touched it waits for real time."""
    real = 0.0
    with FakeControlPlane.of(Settings(clock="auto"), real=lambda: real) as plane:
        plane.stub().create(create())
        assert "time stands still until a client waits for it" in texts(plane)[0]
        plane.stub().get(get())
        stream = opened(plane)
        stream.sent()
        waiting, app = texts(plane)
        assert "it goes on once no client has touched it for 0.3 s of real time" in waiting and app
        assert plane.clock.why().clock.startswith("the clock is auto, at ")
        stream.close()


def test_a_realtime_clock_says_that_a_step_waits_for_a_client() -> None:
    """The last step of a write waits for a client that watches since the write."""
    real = 0.0
    with FakeControlPlane.of(Settings(clock="realtime"), real=lambda: real) as plane:
        plane.stub().create(create())
        while "it waits for a client" not in texts(plane)[0]:
            real += 0.2
            plane.run_due()
            assert real < 5
        [app] = texts(plane)
        assert "it waits for a client that watches or reads it since the write, at most 10.0 s of real time" in app
        assert plane.clock.why().clock.endswith("at speed 1")


def test_over_the_wire(plane: FakeControlPlane) -> None:
    """The same data and the same text."""
    control = connect_control(plane.serve().url)
    assert str(control.clock.why(app="de*")) == str(plane.clock.why()) and list(control.clock.why(app="x")) == []
