"""Returns to another state, beside what is open and waits: streams, leases that weren't sent, clocks that move.

Real time is a number here.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from connectrpc.code import Code
from flyteidl2.app.app_payload_pb2 import LeaseResponse, WatchRequest

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.state.document import WrongState
from flyteapps_fake.core.streams import OpenStream

from .driving import Driven, app_id, bare, new_plane

ACTIVE = 7
"""The status of an app that runs."""
Return = Callable[[FakeControlPlane], object]
RETURNS: dict[str, Return] = {
    "restore": lambda plane: plane.restore_snapshot("s"),
    "reset": lambda plane: plane.reset_state(),
    "load": lambda plane: plane.load_document(new_plane().document()),
}


class Bench:
    """A plane whose real time is moved by hand, with an app."""

    def __init__(self, clock: str, speed: float = 1.0) -> None:
        self.real = 0.0
        settings = Settings(clock=clock, speed=speed)  # type: ignore[arg-type]  # a literal
        self.plane = FakeControlPlane.of(settings, real=lambda: self.real)
        self.plane._keeping._wall = lambda: self.wall
        self.wall = 0
        self.driven = Driven(self.plane)

    def later(self, seconds: float) -> None:
        """Let real time pass; the plane looks every 10 ms, as a server would."""
        for _ in range(round(seconds * 100)):
            self.real += 0.01
            self.plane.run_due()

    def status(self) -> int:
        """Return the app's status in the document, which counts as no read."""
        (app,) = self.plane.document().standard_apps
        return app.deployment_status

    def watch(self) -> None:
        """Watch the app for ten seconds."""
        stream = self.plane.open(Call(WATCH, WatchRequest(app_id=app_id("p", "a"))))
        for _ in range(100):
            while stream.take() is not None:
                pass
            stream.sent()
            self.later(0.1)
        stream.close()

    def poll(self) -> None:
        """Read the app for ten seconds."""
        for _ in range(100):
            self.driven.get("p", "a")
            self.later(0.1)


def ending(stream: OpenStream) -> str:
    """Return the code with which a stream has ended; "" for one that is open."""
    try:
        while stream.take() is not None:
            pass
    except RpcError as error:
        return error.code.name
    return ""


def watch_project(plane: FakeControlPlane, project: str) -> OpenStream:
    """Open a Watch of a project."""
    request = WatchRequest()
    request.project.name, request.project.domain = project, "dev"
    return plane.open(Call(WATCH, request))


@pytest.mark.parametrize("name", RETURNS)
def test_streams_end_and_are_opened_again(name: str) -> None:
    """Each open stream ends with UNAVAILABLE; one that is opened then follows the plane as it is now."""
    driven = Driven(new_plane())
    driven.lease("east")
    plane = driven.plane
    plane.take_snapshot("s")
    streams = [watch_project(plane, "p"), driven.streams["east"]]
    RETURNS[name](plane)
    assert [ending(each) for each in streams] == [Code.UNAVAILABLE.name] * 2
    driven.restored()
    streams[0].close()
    new = watch_project(plane, "p")
    driven.create("p", "a")
    assert new.take() is not None
    new.close()


def test_a_project_that_is_reset_ends_its_own_streams() -> None:
    """A Watch of another project goes on, and no app of it is touched."""
    driven = Driven(new_plane())
    plane = driven.plane
    for project in ("p", "q"):
        driven.create(project, "a")
    own, other = watch_project(plane, "p"), watch_project(plane, "q")
    before = driven.get("q", "a")
    plane.reset_state("p")
    assert (ending(own), ending(other)) == (Code.UNAVAILABLE.name, "")
    assert plane.projects() == {"q"}
    assert driven.get("q", "a") == before
    for stream in (own, other):
        stream.close()


def test_a_lease_stream_of_before_takes_no_lease_of_after_back() -> None:
    """Closed late, it gives back what it didn't send of its own time alone, though all is alike after the return."""
    driven = Driven(new_plane(data_plane="none"))
    plane = driven.plane
    plane.take_snapshot("s")

    def leased() -> bytes:
        driven.lease("east")
        driven.create("p", "a", "east")
        return driven.get("p", "a")

    first = leased()
    old = driven.streams.pop("east")
    plane.restore_snapshot("s")
    assert leased() == first
    old.close()
    assert driven.get("p", "a") == first
    assert [app.metadata.id.name for app in LeaseResponse.FromString(driven.leased()[0]).apps] == ["a"]
    driven.leave("east")


def test_a_lease_that_a_return_ended_runs_out() -> None:
    """A lease of the snapshot ends at its time, and the next cluster gets the app."""
    driven = Driven(new_plane(data_plane="none", lease_seconds=30.0, pools={"west": ["west", "east"]}))
    driven.lease("east")
    driven.create("p", "a", "pool")
    assert driven.leased()
    driven.plane.take_snapshot("s")
    driven.report("p", "a", "east", "PENDING")
    driven.plane.restore_snapshot("s")
    driven.restored()
    driven.lease("west")
    assert not driven.leased()
    driven.advance(31.0)
    assert driven.leased()
    driven.leave("west")


@pytest.mark.parametrize("name", ["restore", "load"])
def test_on_auto_an_app_goes_on_when_a_client_waits(name: str) -> None:
    """Without one it stands still, as it did before; a client that watches or polls sees it run."""
    bench = Bench("auto")
    bench.driven.create("p", "a")
    plane = bench.plane
    plane.take_snapshot("s")
    document = plane.document()
    bench.watch()
    assert bench.status() == ACTIVE
    for wait in (bench.watch, bench.poll):
        assert plane.restore_snapshot("s") if name == "restore" else plane.load_document(document)
        bench.later(5.0)
        assert bare(plane.document()) == bare(document)
        wait()
        assert bench.status() == ACTIVE


def test_on_realtime_the_clock_goes_on() -> None:
    """A restore doesn't move the clock back: steps that are overdue by then are taken at once, the others in time."""
    bench = Bench("realtime")
    bench.driven.create("p", "a", "")
    bench.plane.take_snapshot("s")
    now = bench.plane.now_ns()
    bench.driven.remove("p", "a")
    bench.later(60.0)
    bench.plane.restore_snapshot("s")
    assert bench.plane.now_ns() > now + 59 * 10**9
    assert bench.plane.next_due() == 0.0
    bench.plane.run_due()
    assert all(each.due > bench.plane.now_ns() for each in bench.plane.pending_timers())
    bench.later(20.0)
    assert bench.status() == ACTIVE


@pytest.mark.parametrize(("passes", "seconds"), [(True, 100), (False, 0)])
def test_on_realtime_a_load_counts_the_time_between_or_not(passes: bool, seconds: int) -> None:
    """The clock of a loaded plane is that of the document, with the time since it was written if that is wanted."""
    bench = Bench("realtime", speed=2.0)
    bench.driven.create("p", "a")
    document = bench.plane.document()
    other = Bench("realtime", speed=2.0)
    other.wall = 50 * 10**9
    other.plane.load_document(document, passes=passes)
    assert other.plane.now_ns() - document.time.now == seconds * 10**9
    overdue = other.plane.next_due() == 0.0
    assert overdue is passes
    other.later(20.0)
    assert other.status() == ACTIVE


def broken(change: Callable[[PlaneState], object]) -> PlaneState:
    """Return a document that was changed, of a plane with an app in motion."""
    driven = Driven(new_plane())
    driven.create("p", "a")
    document = driven.plane.document()
    change(document)
    return document


def _no_kind(document: PlaneState) -> None:
    document.standard_apps[0].timers[0].kind = "kind"


def _no_place(document: PlaneState) -> None:
    document.standard_apps[0].run.place.frames[0].index = 99
    document.standard_apps[0].run.place.frames.add()


BROKEN: dict[str, Callable[[PlaneState], object]] = {
    "kind": _no_kind,
    "steps": _no_place,
    "no org, project": lambda document: document.standard_apps[0].ClearField("name"),
    "the org flyte": lambda document: None,
    "the format 2": lambda document: setattr(document, "format", 2),
    "'seven' is no number": lambda document: setattr(document.time, "seed", "seven"),
    "no format": lambda document: document.ClearField("format"),
    "the dialect flyte-oss": lambda document: setattr(document, "dialect", "flyte-oss"),
}


@pytest.mark.parametrize("part", BROKEN)
def test_a_document_that_a_plane_cannot_take_changes_nothing(part: str) -> None:
    """The error says what is wrong with it, and the plane, its streams and its snapshots are as before."""
    driven = Driven(new_plane(org="other" if part == "the org flyte" else None))
    driven.create("p", "b")
    stream = watch_project(driven.plane, "p")
    driven.plane.take_snapshot("s")
    before = driven.document()
    with pytest.raises(WrongState, match=part):
        driven.plane.load_document(broken(BROKEN[part]))
    assert driven.document() == before
    assert ending(stream) == ""
    stream.close()
    assert driven.plane.restore_snapshot("s") == 0


def test_the_org_goes_with_the_state() -> None:
    """A configured org is that of a plane that takes the document and has none configured."""
    first = Driven(new_plane(org="acme"))
    first.create("p", "a")
    second = Driven(new_plane())
    second.plane.load_document(first.plane.document())
    assert second.plane.org == "acme"
    assert second.get("p", "a") == first.get("p", "a")


@pytest.mark.parametrize("seed", [2**70, -5])
def test_any_seed_goes_with_the_state(seed: int) -> None:
    """A seed may be larger than the numbers of a message."""
    first, second = Driven(new_plane(seed)), Driven(new_plane())
    first.plane.take_snapshot("s")
    first.plane.restore_snapshot("s")
    second.plane.load_document(first.plane.document())
    first.create("p", "a")
    second.create("p", "a")
    assert second.get("p", "a") == first.get("p", "a")


@pytest.mark.parametrize("frozen", [False, True])
def test_a_load_leaves_the_collector_of_garbage_as_it_was(frozen: bool) -> None:
    """It collects as before, and what the process has frozen stays so."""
    document = new_plane().document()
    if frozen:
        gc.freeze()
    try:
        new_plane().load_document(document)
        assert gc.isenabled()
        assert bool(gc.get_freeze_count()) is frozen
    finally:
        gc.unfreeze()
