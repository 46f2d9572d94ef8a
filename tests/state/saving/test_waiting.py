"""Answers and streams of a plane whose disk is slow: nothing is shown before it is safe, and nothing else waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.common import identifier_pb2

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import LEASE, TAIL_LOGS, WATCH
from flyteapps_fake.core.streams import OpenStream

from ..directory.stores import copied
from ..driving import app_id, app_of, new_plane
from .disks import Disk, eventually, saver_of

dialects = pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk of the test's planes."""
    with Disk().under() as made:
        yield made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for calls that wait."""
    with ThreadPoolExecutor(16) as made:
        yield made


def saved(path: Path, dialect: str = "standard", **options: Any) -> FakeControlPlane:
    """Return a plane that keeps its state in a directory."""
    more: dict[str, Any] = {"scenarios": ()} if dialect == "flyte-oss" else {}
    kept: dict[str, Any] = {"state": path / "state", "dialect": dialect, **more, **options}
    return new_plane(**kept)


def create(plane: FakeControlPlane, name: str, kind: str = "", project: str = "p") -> object:
    """Create an app."""
    return plane.stub().create(rpc.CreateRequest(app=app_of(project, name, kind, "", "img:1")))


def get(plane: FakeControlPlane, name: str, project: str = "p") -> str:
    """Return the name of an app, or the code of the refusal."""
    return outcome(lambda: plane.stub().get(rpc.GetRequest(app_id=app_id(project, name))).app.metadata.id.name)


def delete(plane: FakeControlPlane, name: str) -> str:
    """Delete an app; return "", or the code of the refusal."""
    return outcome(lambda: plane.stub().delete(rpc.DeleteRequest(app_id=app_id("p", name))) and "")


def outcome(call: Callable[[], str]) -> str:
    """Return what a call returns, or the code of its refusal."""
    try:
        return call()
    except ConnectError as error:
        return error.code.name


def waiting(plane: FakeControlPlane, number: int) -> None:
    """Wait until so many answers wait."""
    saving: Any = plane.saving
    eventually(lambda: len(saving._answers) == number, f"{number} answers should wait")


def scopes(plane: FakeControlPlane, name: str) -> list[rpc.WatchRequest]:
    """Return the Watches that show an app: of it, of its project and of all."""
    project = identifier_pb2.ProjectIdentifier(name="p", domain="dev", organization=plane.org)
    found = [rpc.WatchRequest(app_id=app_id("p", name)), rpc.WatchRequest(project=project)]
    return [*found, rpc.WatchRequest(org=plane.org)] if plane.settings.dialect == "standard" else found[:1]


def took(stream: OpenStream) -> bool:
    """Return whether a message is ready, and take it."""
    return stream.take() is not None


@dialects
def test_what_shows_a_change_waits_until_it_is_safe(
    disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor, dialect: str
) -> None:
    """Get, List, errors and the writer itself wait for a change, and Watches, old and new ones, don't show it yet."""
    with saved(tmp_path, dialect) as plane:
        create(plane, "old")
        watches = [plane.open(Call(WATCH, request)) for request in scopes(plane, "new")]
        for stream in watches:
            while took(stream):
                pass
        disk.hold()
        tried = disk.tried
        calls: list[Future[Any]] = [threads.submit(create, plane, "new")]
        waiting(plane, 1)
        eventually(lambda: disk.tried > tried, "its batch should be under way")
        calls.append(threads.submit(get, plane, "new"))
        everything = rpc.ListRequest(org=plane.org) if dialect == "standard" else rpc.ListRequest()
        calls.append(threads.submit(plane.stub().list, everything))
        calls.append(threads.submit(outcome, lambda: str(create(plane, "new"))))
        waiting(plane, 4)
        watches += [plane.open(Call(WATCH, request)) for request in scopes(plane, "new")]
        assert not any(map(took, watches))
        assert all(stream.idle() for stream in watches)
        if dialect == "standard":
            assert get(plane, "old") == "old", "a Get of another app waits"
            assert get(plane, "none") == "NOT_FOUND"
        assert not any(call.done() for call in calls)
        disk.release()
        calls[0].result()
        assert calls[1].result() == "new"
        assert len(calls[2].result().apps) == 2
        second = calls[3].result()
        assert second == "ALREADY_EXISTS" or dialect != "standard", "flyte-oss creates over an app"
        assert not any(stream.idle() for stream in watches)
        assert all(map(took, watches))
        for stream in watches:
            stream.close()


def test_an_answer_waits_for_its_own_batch(disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """A change that comes while a batch is written waits for the next one, and the batches are numbered in a row."""
    with saved(tmp_path) as plane:
        create(plane, "a", "stopped")
        first_position, tried = position_of(plane), disk.tried
        disk.hold()
        first = threads.submit(create, plane, "b", "stopped")
        eventually(lambda: disk.tried > tried, "no batch was begun")
        second = threads.submit(create, plane, "c", "stopped")
        waiting(plane, 2)
        disk.release(1)
        first.result()
        eventually(lambda: disk.tried > tried + 1, "no further batch was begun")
        assert not second.done()
        waiting(plane, 1)
        disk.release()
        second.result()
        assert position_of(plane) == first_position + 2


def position_of(plane: FakeControlPlane) -> int:
    """Return the number of the last transaction of a plane's directory."""
    directory: Any = saver_of(plane)
    return int(directory._directory.position)


@pytest.mark.parametrize(("sync", "level"), [("always", 2), ("group", 2), ("never", 0)])
def test_what_is_answered_is_on_the_disk(tmp_path: Path, sync: str, level: int) -> None:
    """A copy of the files, as a kill would leave them, has the app; they are synchronized unless that is not wanted."""
    with saved(tmp_path, state_sync=sync) as plane:
        create(plane, "a", "stopped")
        directory: Any = saver_of(plane)
        assert directory._directory._connection.execute("PRAGMA synchronous").fetchone() == (level,)
        path = copied(tmp_path / "state", tmp_path / "copy")
    for place in (path, tmp_path / "state"):
        with new_plane(state=place) as again:  # type: ignore[arg-type]
            assert get(again, "a") == "a"


def test_a_clock_that_was_moved_stays_there(tmp_path: Path) -> None:
    """The time of a manual clock is part of the state, also where nothing happened meanwhile."""
    with saved(tmp_path) as plane:
        plane.clock.advance("1h")
        now = plane.now_ns()
        (tmp_path / "killed").mkdir()
        copied(tmp_path / "state", tmp_path / "killed" / "state")  # before the end of the plane writes its time
    for place in (tmp_path, tmp_path / "killed"):
        with saved(place) as again:
            assert again.now_ns() == now


def test_an_org_that_was_adopted_is_the_one_of_the_next_run(tmp_path: Path) -> None:
    """A plane keeps what it has learnt besides its apps."""
    with saved(tmp_path) as plane:
        app = app_of("p", "a", "stopped", "", "img:1")
        app.metadata.id.org = "acme"
        plane.stub().create(rpc.CreateRequest(app=app))
    with saved(tmp_path) as again:
        assert again.org == "acme"


def test_a_lease_runs_out_after_a_restart(tmp_path: Path) -> None:
    """An app whose cluster doesn't report is free again at the end of its lease, whatever happened in between."""
    with saved(tmp_path, data_plane="none") as plane:
        request = rpc.LeaseRequest(id=identifier_pb2.ClusterIdentifier(name="east", organization=plane.org))
        stream = plane.open(Call(LEASE, request))
        create(plane, "a", "east")
        eventually(lambda: took(stream), "the app isn't leased")
        stream.close()
    with saved(tmp_path, data_plane="none") as again:
        get_app = rpc.GetRequest(app_id=app_id("p", "a"))
        assert again.stub().get(get_app).app.status.assigned_cluster == "east"
        again.clock.advance("2m")
        assert again.stub().get(get_app).app.status.assigned_cluster == ""


def test_an_error_that_shows_a_deletion_waits(disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """Get, Delete and Watch don't say that an app is gone before that is safe."""
    with saved(tmp_path) as plane:
        create(plane, "a", "stopped")
        stream = plane.open(Call(WATCH, rpc.WatchRequest(app_id=app_id("p", "a"))))
        assert took(stream)
        disk.hold()
        first = threads.submit(delete, plane, "a")
        waiting(plane, 1)
        rest = [threads.submit(delete, plane, "a"), threads.submit(get, plane, "a")]
        logs = TailLogsRequest(app_id=app_id("p", "a"))
        rest.append(threads.submit(outcome, lambda: str(list(plane.logs_stub().tail_logs(logs)))))
        eventually(lambda: len(plane.saving._answers) == 4, "the refusals don't wait")  # pyright: ignore[reportPrivateUsage]
        assert not took(stream)
        assert not any(call.done() for call in (first, *rest))
        disk.release()
        assert first.result() == ""
        assert [call.result() for call in rest] == ["NOT_FOUND"] * 3
        assert took(stream)
        stream.close()


def test_a_lease_waits_until_it_is_safe(disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """A cluster gets an app once its lease is on the disk, by a stream that is open or by one that it opens."""
    with saved(tmp_path, data_plane="none") as plane:
        request = rpc.LeaseRequest(id=identifier_pb2.ClusterIdentifier(name="east", organization=plane.org))
        stream = plane.open(Call(LEASE, request))
        disk.hold()
        call = threads.submit(create, plane, "a", "east")
        waiting(plane, 1)
        assert not took(stream)
        assert stream.idle()
        stream.close()
        stream = plane.open(Call(LEASE, request))
        assert not took(stream)
        disk.release()
        call.result()
        eventually(lambda: took(stream), "the app isn't leased")
        stream.close()


def test_log_lines_wait_until_their_state_is_safe(disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """A log shows nothing of an app whose change isn't on the disk."""
    with saved(tmp_path) as plane:
        create(plane, "a", "logging")
        create(plane, "b")
        plane.advance(10)
        stream = plane.open(Call(TAIL_LOGS, TailLogsRequest(app_id=app_id("p", "a"))))
        while took(stream):
            pass
        disk.hold()
        call = threads.submit(plane.clock.advance, "30s")
        waiting(plane, 1)
        update = app_of("p", "a", "logging", "", "img:2")
        further = threads.submit(plane.stub().update, rpc.UpdateRequest(app=update))
        waiting(plane, 2)
        assert not took(stream)
        disk.release()
        call.result()
        further.result()
        assert not stream.idle()
        stream.close()


@pytest.mark.parametrize("sync", ["group", "always", "never"])
def test_a_watch_shows_what_is_there(tmp_path: Path, sync: str) -> None:
    """A Watch that is opened between two changes shows the apps at once, whatever the policy."""
    with saved(tmp_path, state_sync=sync) as plane:
        for name in ("a", "b", "c"):
            create(plane, name)
            for _ in range(5):
                stream = plane.open(Call(WATCH, rpc.WatchRequest(app_id=app_id("p", name))))
                eventually(lambda stream=stream: took(stream), "the Watch shows nothing")  # type: ignore[misc]
                stream.close()


def test_a_thousand_watchers_are_woken_once_each(disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """An event wakes its watchers once it is safe, and not before."""
    with saved(tmp_path) as plane:
        create(plane, "a", "stopped")
        woken = [0] * 1_000
        streams: list[OpenStream] = []
        for number in range(len(woken)):
            stream = plane.open(Call(WATCH, rpc.WatchRequest(app_id=app_id("p", "a"))))
            assert took(stream)
            assert not took(stream)

            def wake(number: int = number) -> None:
                woken[number] += 1

            stream.wake = wake
            streams.append(stream)
        disk.hold()
        call = threads.submit(delete, plane, "a")
        waiting(plane, 1)
        assert not any(map(took, streams))
        assert all(stream.idle() for stream in streams)
        assert set(woken) == {0}
        disk.release()
        call.result()
        assert set(woken) == {1}
        assert all(map(took, streams))
        for stream in streams:
            stream.close()


def test_readers_in_process_sleep_meanwhile(
    disk: Disk, tmp_path: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that waits for an event looks for it a few times, not in a loop, while the event isn't safe."""
    from flyteapps_fake.standard.watch import Subscription

    takes: list[int] = []
    take = Subscription.take

    def counted(stream: Subscription) -> bytes | None:
        takes.append(1)
        return take(stream)

    monkeypatch.setattr(Subscription, "take", counted)
    with saved(tmp_path) as plane:
        create(plane, "a", "stopped")
        request = rpc.WatchRequest(app_id=app_id("p", "a"))
        events: Any = plane.stub().watch(request)
        assert next(events).HasField("create_event")

        async def read() -> rpc.WatchResponse:
            async for event in plane.async_stub().watch(request):
                if event.HasField("delete_event"):
                    return event
            raise AssertionError("the stream ended")

        task = threads.submit(asyncio.run, read())
        thread = threads.submit(next, events)
        eventually(lambda: len(plane.awaited_streams()) == 2, "no second Watch")
        disk.hold()
        call = threads.submit(delete, plane, "a")
        waiting(plane, 1)
        before = len(takes)
        assert not threading.Event().wait(0.3)
        assert len(takes) - before <= 6
        assert not task.done()
        assert not thread.done()
        disk.release()
        call.result()
        assert thread.result(30).HasField("delete_event")
        assert task.result(30).HasField("delete_event")
        events.close()


def test_steps_wait_for_a_client_that_has_not_seen_the_last_one(tmp_path: Path) -> None:
    """On the `auto` clock a saved plane goes through the same states as one in memory, seen from a Watch."""

    def history(**options: Any) -> list[str]:
        with new_plane(clock="auto", **options) as plane:
            create(plane, "a", "choosing")
            found: list[str] = []
            with plane.stub().watch(rpc.WatchRequest(app_id=app_id("p", "a"))) as events:  # type: ignore[attr-defined]
                next(events)
                for _ in range(2):
                    app = next(events).update_event.updated_app
                    now = plane.stub().get(rpc.GetRequest(app_id=app_id("p", "a"))).app
                    found.append(f"{app.metadata.revision} {len(app.status.conditions)} {now == app}")
            return found

    assert history(state=tmp_path / "state") == history()


def test_a_race_of_readers_and_the_disk_loses_no_wake(tmp_path: Path) -> None:
    """A reader that looks just as a batch becomes safe gets its event: none is left asleep."""
    with saved(tmp_path, state_sync="never") as plane, ThreadPoolExecutor(4) as threads:
        create(plane, "a", "stopped")
        turns = 150

        def read() -> int:
            seen = 0
            with plane.stub().watch(rpc.WatchRequest(app_id=app_id("p", "a"))) as events:  # type: ignore[attr-defined]
                while seen < turns:
                    seen = int(app_image(events.receive(timeout=30)).partition(":")[2])
            return seen

        readers = [threads.submit(read) for _ in range(3)]
        for turn in range(1, turns + 1):
            plane.stub().update(rpc.UpdateRequest(app=app_of("p", "a", "stopped", "", f"img:{turn + 1}")))
        assert all(reader.result() >= turns for reader in readers)


def app_image(event: rpc.WatchResponse) -> str:
    """Return the image of the app that an event shows."""
    app = event.create_event.app if event.HasField("create_event") else event.update_event.updated_app
    return app.spec.container.image
