"""A disk that fails: what can't be saved is refused and undone, reads go on, and all goes on once it works again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, LEASE, WATCH
from flyteapps_fake.directory.errors import StateError

from ..driving import STOP, app_id, app_of
from . import disks
from .disks import CODES, FULL, Disk, eventually, mended, refused, saved, saver_of

SYNCS = ("group", "always")
errors = pytest.mark.parametrize("error", [pytest.param(each, id=type(each).__name__) for each in CODES])
syncs = pytest.mark.parametrize("sync", SYNCS)
clocks = pytest.mark.parametrize("clock", ["manual", "auto", "realtime"])


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk of the test's planes."""
    with Disk().under() as made:
        yield made


def create(plane: FakeControlPlane, name: str, kind: str = "stopped") -> model.App:
    """Create an app."""
    return plane.stub().create(rpc.CreateRequest(app=app_of("p", name, kind, "", "img:1"))).app


def get(plane: FakeControlPlane, name: str) -> model.App:
    """Return an app."""
    return plane.stub().get(rpc.GetRequest(app_id=app_id("p", name))).app


def names(plane: FakeControlPlane) -> list[str]:
    """Return the names of all apps, as a List shows them."""
    return sorted(app.metadata.id.name for app in plane.stub().list(rpc.ListRequest(org=plane.org)).apps)


def pieces(plane: FakeControlPlane) -> PlaneState:
    """Return all that the plane holds, without its time: a call that is refused takes some."""
    document = plane.document()
    document.ClearField("time")
    return document


@syncs
@errors
def test_a_write_that_cannot_be_saved_is_refused_and_undone(
    disk: Disk, tmp_path: Path, sync: str, error: StateError
) -> None:
    """The caller gets the code of the failure, the app isn't there, and its host is free for another one."""
    with saved(tmp_path, state_sync=sync) as plane:
        create(plane, "before")
        shown = pieces(plane)
        disk.fail(error)
        for _ in range(3):
            assert refused(lambda: create(plane, "lost")) == CODES[error]
            assert names(plane) == ["before"]
            assert refused(lambda: get(plane, "lost")) == "NOT_FOUND"
        assert pieces(plane) == shown
        mended(disk, plane)
        assert create(plane, "lost").metadata.revision == 1
        assert names(plane) == ["before", "lost"]


@syncs
def test_every_kind_of_change_is_refused(disk: Disk, tmp_path: Path, sync: str) -> None:
    """Calls of clients and of the control API are refused, also those that reset, restore or load; reads aren't."""
    with saved(tmp_path, state_sync=sync) as plane:
        create(plane, "before")
        plane.take_snapshot("s")
        app = create(plane, "after")
        app.spec.container.image = "img:2"
        document = plane.document()
        disk.fail(FULL)
        calls: list[Callable[[], object]] = [
            lambda: create(plane, "new"),
            lambda: plane.stub().update(rpc.UpdateRequest(app=app)),
            lambda: plane.stub().delete(rpc.DeleteRequest(app_id=app_id("p", "before"))),
            lambda: plane.reset(project="p"),
            lambda: plane.restore_snapshot("s"),
            lambda: plane.load_document(document),
            plane.reset_state,
            lambda: plane.clock.advance("2s"),
        ]
        assert [refused(call) for call in calls * 2] == ["RESOURCE_EXHAUSTED"] * len(calls) * 2
        assert names(plane) == ["after", "before"]
        mended(disk, plane)
        assert [refused(call) for call in calls] == [""] * len(calls)


def test_a_restore_that_was_refused_holds_up_nothing(disk: Disk, tmp_path: Path) -> None:
    """A plane that was to return to a snapshot while its disk was full saves its next changes as usual."""
    with saved(tmp_path) as plane:
        plane.take_snapshot("s")
        create(plane, "before")
        disk.fail(FULL)
        assert refused(lambda: create(plane, "lost"))
        assert refused(lambda: plane.restore_snapshot("s"))
        mended(disk, plane)
        create(plane, "after")
        plane.restore_snapshot("s")
        assert names(plane) == []


def test_a_call_that_was_made_before_the_failure_is_refused(disk: Disk, tmp_path: Path) -> None:
    """A batch that fails takes the one that has come together meanwhile with it, and what was read of either anew."""
    with saved(tmp_path) as plane, ThreadPoolExecutor(4) as threads:
        create(plane, "before")
        disk.hold()
        tried = disk.tried
        first = threads.submit(refused, lambda: create(plane, "first"))
        eventually(lambda: disk.tried > tried, "no batch was begun")
        second = threads.submit(refused, lambda: create(plane, "second"))
        read, listed = threads.submit(refused, lambda: get(plane, "first")), threads.submit(names, plane)
        eventually(lambda: len(answers_of(plane)) == 4, "the calls don't wait")
        disk.fail(FULL)
        assert (first.result(), second.result()) == ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED")
        assert (read.result(), listed.result()) == ("NOT_FOUND", ["before"])


def answers_of(plane: FakeControlPlane) -> list[Any]:
    """Return the answers that wait."""
    return plane.saving._answers  # pyright: ignore[reportPrivateUsage]  # what no call shows


def test_a_change_outside_of_the_lock_is_refused_as_well(disk: Disk, tmp_path: Path) -> None:
    """A service that runs without the plane's lock gets no OK for a change that was undone before it ended."""
    with saved(tmp_path) as plane:

        def change() -> str:
            disk.hold()
            with plane.shared().locked():
                plane._dialect.call(Call(CREATE, rpc.CreateRequest(app=app_of("p", "a", "stopped", "", "img:1"))))  # pyright: ignore[reportPrivateUsage]
            disk.fail(FULL)
            eventually(lambda: saver_of(plane).trouble, "the failure isn't noticed")
            mended(disk, plane)
            return "done"

        answer = plane.stub()  # as ControlService does
        del answer
        with pytest.raises(Exception) as caught:  # noqa: PT011  # Postponed, with a refusal
            plane.safely(change)
        assert refused(caught.value.resume) == "RESOURCE_EXHAUSTED"  # type: ignore[attr-defined]  # of Postponed
        assert names(plane) == []


def at_speed(clock: str, speed: float) -> dict[str, Any]:
    """Return the options of a clock, which runs so fast if it runs by itself."""
    return {"clock": clock, "speed": speed} if clock == "realtime" else {"clock": clock}


@clocks
@syncs
def test_reads_go_on_with_timers_overdue(disk: Disk, tmp_path: Path, clock: str, sync: str) -> None:
    """No step of an app is taken while it can't be saved, whatever the clock shows, and reads are answered."""
    with saved(tmp_path, state_sync=sync, **at_speed(clock, 1_000.0)) as plane:
        disk_is_full(disk, plane)
        disk.mend()
        eventually(lambda: not saver_of(plane).trouble, "no recovery")
        create(plane, "moving", kind="")
        disk_is_full(disk, plane)
        shown = get(plane, "moving")
        for _ in range(20):
            assert get(plane, "moving") == shown
            assert names(plane) == ["moving"]
            plane.run_due()
        assert plane.next_due() is None
        mended(disk, plane)
        if clock == "manual":
            plane.advance(30)
        eventually(lambda: status(get(plane, "moving")) == "ACTIVE", "the app doesn't go on")


def status(app: model.App) -> str:
    """Return the short name of an app's status."""
    return model.Status.DeploymentStatus.Name(app.status.conditions[-1].deployment_status).rpartition("_")[2]


def disk_is_full(disk: Disk, plane: FakeControlPlane) -> None:
    """Let the disk be full, and let the plane notice."""
    disk.fail(FULL)
    assert refused(lambda: create(plane, "probe"))
    assert saver_of(plane).trouble


@clocks
def test_a_watch_that_was_opened_meanwhile_goes_on(disk: Disk, tmp_path: Path, clock: str) -> None:
    """A stream that a client opens while nothing can be saved shows the app's steps once they can be."""
    with saved(tmp_path, **at_speed(clock, 100.0)) as plane:
        create(plane, "moving", kind="")
        disk_is_full(disk, plane)
        request: Any = rpc.WatchRequest(app_id=app_id("p", "moving"))
        stub: Any = plane.stub()
        with stub.watch(request) as events:
            assert events.receive(disks.PATIENCE_SECONDS).create_event.app.metadata.id.name == "moving"
            threading.Timer(0.05, lambda: mended(disk, plane)).start()
            if clock == "manual":
                threading.Timer(0.1, lambda: (mended(disk, plane), plane.advance(30))).start()
            while status(events.receive(disks.PATIENCE_SECONDS).update_event.updated_app) != "ACTIVE":
                pass


@syncs
def test_streams_end_and_show_nothing_of_what_was_undone(disk: Disk, tmp_path: Path, sync: str) -> None:
    """Watches of an app, a project and all end with UNAVAILABLE, without an event of the change that wasn't saved."""
    with saved(tmp_path, state_sync=sync, clock="manual") as plane:
        create(plane, "a")
        project = identifier_pb2.ProjectIdentifier(name="p", domain="dev", organization=plane.org)
        requests = [
            rpc.WatchRequest(app_id=app_id("p", "a")),
            rpc.WatchRequest(project=project),
            rpc.WatchRequest(org=plane.org),
        ]
        streams = [plane.open(Call(WATCH, request)) for request in requests]
        for stream in streams:
            assert stream.take() is not None
        disk.fail(FULL)
        assert refused(lambda: plane.stub().delete(rpc.DeleteRequest(app_id=app_id("p", "a")))) == "RESOURCE_EXHAUSTED"
        assert [refused(stream.take) for stream in streams] == ["UNAVAILABLE"] * 3
        for stream in streams:
            stream.close()


def test_a_lease_that_was_not_saved_is_not_sent(disk: Disk, tmp_path: Path) -> None:
    """The stream of a cluster ends without an app whose lease was undone; the next stream gets it."""
    with saved(tmp_path, data_plane="none") as plane:
        request = rpc.LeaseRequest(id=identifier_pb2.ClusterIdentifier(name="east", organization=plane.org))
        stream = plane.open(Call(LEASE, request))
        assert stream.take() is None
        disk.hold()
        thread = threading.Thread(target=lambda: refused(lambda: create(plane, "a", "east")))
        thread.start()
        eventually(lambda: answers_of(plane), "the Create doesn't wait")
        assert stream.take() is None
        disk.fail(FULL)
        thread.join()
        assert refused(stream.take) == "UNAVAILABLE"
        stream.close()
        mended(disk, plane)
        create(plane, "a", "east")
        again = plane.open(Call(LEASE, request))
        eventually(lambda: again.take() is not None, "the app isn't leased")
        again.close()


@syncs
def test_many_threads_get_the_truth(disk: Disk, tmp_path: Path, sync: str) -> None:
    """Of the Creates of several threads, beside a disk that fails now and then, those are there that were answered."""
    with saved(tmp_path, state_sync=sync) as plane:
        acknowledged: set[str] = set()
        attempts = 60

        def work(number: int) -> None:
            for turn in range(attempts):
                name = f"w{number}-{turn}"
                if not refused(lambda name=name: create(plane, name)):  # type: ignore[misc]
                    acknowledged.add(name)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()

        def is_over() -> bool:
            return not any(thread.is_alive() for thread in threads)

        while not is_over():
            disk.fail(FULL)
            eventually(lambda: saver_of(plane).trouble or is_over(), "no failure")
            mended(disk, plane)
            enough = disk.written + 4
            eventually(lambda enough=enough: disk.written >= enough or is_over(), "no progress")  # type: ignore[misc]
        assert set(names_of_all(plane)) == acknowledged
    with saved(tmp_path) as again:
        assert set(names_of_all(again)) == acknowledged


def names_of_all(plane: FakeControlPlane) -> list[str]:
    """Return the names of all apps, however many."""
    return [app.name for app, _ in plane.use(lambda dialect: dialect.apps())]


async def test_tasks_get_the_truth(disk: Disk, tmp_path: Path) -> None:
    """The same of an asyncio client."""
    async with saved(tmp_path) as plane:
        stub = plane.async_stub()

        async def tried(name: str) -> str:
            try:
                await stub.create(rpc.CreateRequest(app=app_of("p", name, "stopped", "", "img:1")))
            except ConnectError as error:
                assert error.code.name == "RESOURCE_EXHAUSTED"
                return ""
            return name

        found = await asyncio.gather(*(tried(f"a{n}") for n in range(20)))
        assert all(found)
        disk.fail(FULL)
        assert not any(await asyncio.gather(*(tried(f"b{n}") for n in range(20))))
        mended(disk, plane)
        found += await asyncio.gather(*(tried(f"c{n}") for n in range(20)))
        assert sorted(found) == sorted(names_of_all(plane))


@pytest.mark.parametrize("after", ["100ms", "2h"])
def test_a_delayed_call_is_saved_before_it_is_answered(disk: Disk, tmp_path: Path, after: str) -> None:
    """A call that a fault delays goes on later, and is refused where its change can't be saved then."""
    with saved(tmp_path, clock="auto") as plane:
        plane.faults.delay("Create", seconds=after)
        create(plane, "a")
        disk.fail(FULL)
        plane.stub().get(rpc.GetRequest(app_id=app_id("p", "a")))
        assert refused(lambda: create(plane, "b")) == "RESOURCE_EXHAUSTED"
        assert names(plane) == ["a"]
        mended(disk, plane)


def test_a_plane_that_closes_with_a_full_disk_acknowledges_nothing(disk: Disk, tmp_path: Path) -> None:
    """A call that waits as the plane is closed is refused where it can't be saved, and saved where it can."""
    for error in (None, FULL):
        path = tmp_path / str(error is None)
        path.mkdir()
        plane = saved(path)
        disk.hold()
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(refused(lambda: create(plane, "a"))))  # noqa: B023
        thread.start()
        eventually(lambda: answers_of(plane), "the Create doesn't wait")  # noqa: B023
        closing = threading.Thread(target=plane.close)
        closing.start()
        if error is None:
            disk.release()
        else:
            disk.fail(error)
        thread.join()
        closing.join()
        disk.mend()
        with saved(path) as again:
            assert (found, names_of_all(again)) == (([""], ["a"]) if error is None else (["RESOURCE_EXHAUSTED"], []))


def test_a_closed_plane_changes_nothing(disk: Disk, tmp_path: Path) -> None:
    """A call that comes after the end of the saver is refused: it could not be saved."""
    plane = saved(tmp_path)
    twin = plane.shared()
    create(plane, "a")
    plane.close()
    request = rpc.DeleteRequest(app_id=app_id("p", "a"))
    assert refused(lambda: twin.stub().delete(request)) == "UNAVAILABLE"


def test_an_unknown_error_of_a_write_is_one_of_the_disk(disk: Disk, tmp_path: Path) -> None:
    """A write that fails by a bug is undone as well, is tried again, and the thread that saves lives on."""
    with saved(tmp_path) as plane:
        disk.fail(RuntimeError("planted"))
        assert refused(lambda: create(plane, "a")) == "RESOURCE_EXHAUSTED"
        tried = disk.tried
        eventually(lambda: disk.tried > tried + 2, "no further try")
        mended(disk, plane)
        create(plane, "a")


def test_stopped_apps_are_read(disk: Disk, tmp_path: Path) -> None:
    """In the dialect flyte-oss, too, a Get is answered while nothing can be saved: its cache can do without."""
    with saved(tmp_path, dialect="flyte-oss", scenarios=()) as plane:
        create(plane, "a", "")
        disk_is_full(disk, plane)
        for _ in range(3):
            assert get(plane, "a").metadata.id.name == "a"
        mended(disk, plane)
        app = get(plane, "a")
        app.spec.desired_state = STOP
        plane.stub().update(rpc.UpdateRequest(app=app))


def trouble(*_: object) -> None:
    """Raise an error that no disk has."""
    raise ZeroDivisionError("planted")


@pytest.mark.parametrize("part", ["encode", "image"])
def test_a_state_that_cannot_be_written_is_undone(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that makes trouble, as it is cut or encoded, is undone, and all that comes later is saved."""
    with saved(tmp_path) as plane:
        create(plane, "a")
        cut = plane.saving.cut

        def broken() -> Any:
            with monkeypatch.context() as patch:
                patch.setattr(plane.sections["standard_apps"], "image", trouble)
                return cut()

        with monkeypatch.context() as patch:
            if part == "image":
                patch.setattr(plane.saving, "cut", broken)
            else:
                patch.setattr(plane.sections["standard_apps"], "encode", trouble)
            assert refused(lambda: create(plane, "lost")) == "RESOURCE_EXHAUSTED"
        eventually(lambda: not saver_of(plane).trouble, "no recovery")
        assert names(plane) == ["a"]
        create(plane, "b")
        assert names(plane) == ["a", "b"]


def test_a_snapshot_of_what_cannot_be_saved(disk: Disk, tmp_path: Path) -> None:
    """One that is refused isn't there, and replaces none: a restore never brings back a write that was refused."""
    with saved(tmp_path) as plane, ThreadPoolExecutor(2) as threads:
        create(plane, "a")
        plane.snapshot("base")
        plane.snapshot("other")
        disk.hold()
        calls = [threads.submit(refused, lambda: create(plane, "lost"))]
        eventually(lambda: plane.count() == 2, "the app should be created")
        for name in ("base", "base", "new"):
            plane.take_snapshot(name)
        calls.append(threads.submit(refused, lambda: plane.snapshot("later")))
        eventually(lambda: "later" in plane.list_snapshots(), "a snapshot should be taken")
        disk.fail(FULL)
        assert [call.result() for call in calls] == ["RESOURCE_EXHAUSTED"] * 2
        mended(disk, plane)
        assert sorted(plane.list_snapshots()) == ["base", "other"]
        for name in ("base", "other"):
            create(plane, f"after-{name}")
            plane.restore(name)
            assert names(plane) == ["a"]
        for number in range(3):
            create(plane, f"kept-{number}")
            plane.snapshot("base")
        create(plane, "more")
        plane.restore("base")
        assert names(plane) == ["a", "kept-0", "kept-1", "kept-2"]
