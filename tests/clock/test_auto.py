"""The auto clock: the cases that hang a clock that jumps on every wait. Real time is a number here."""

from __future__ import annotations

import sys

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec, Status
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    GetRequest,
    GetResponse,
    ListRequest,
    UpdateRequest,
    UpdateResponse,
    WatchRequest,
    WatchResponse,
)
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from flyteidl2.core.tasks_pb2 import Container
from innards import state_of

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, DELETE, GET, LIST, UPDATE, WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.auto_clock import _Moving  # pyright: ignore[reportPrivateUsage]  # what must not be asked

ACTIVE = Status.DEPLOYMENT_STATUS_ACTIVE
ASSIGNED = Status.DEPLOYMENT_STATUS_ASSIGNED


class Bench:
    """A plane on the auto clock whose real time is moved by hand."""

    def __init__(self) -> None:
        self.real = 0.0
        self.plane = FakeControlPlane.of(Settings(), real=lambda: self.real)

    def later(self, seconds: float) -> None:
        """Let real time pass; the plane looks every 10 ms, as a driver would."""
        end = self.real + seconds
        while self.real < end:
            self.real += 0.01
            self.plane.run_due()

    def create(self, name: str = "a") -> App:
        app = App(metadata=Meta(id=identifier(name)), spec=Spec(container=Container(image="x")))
        return CreateResponse.FromString(self.plane.call(Call(CREATE, CreateRequest(app=app)))).app

    def touch(self, app: App, image: str) -> App:
        app.spec.container.image = image
        return UpdateResponse.FromString(self.plane.call(Call(UPDATE, UpdateRequest(app=app)))).app

    def status(self, name: str = "a") -> int:
        """Return the app's status, read past the plane's own counting of reads."""
        with self.plane._lock:  # pyright: ignore[reportPrivateUsage]  # a Get would count as polling
            record = next(r for r in state_of(self.plane).store.members(("org",)) if r.key.name == name)
            return record.status

    def get(self, name: str = "a") -> int:
        app = GetResponse.FromString(self.plane.call(Call(GET, GetRequest(app_id=identifier(name))))).app
        return app.status.conditions[-1].deployment_status

    def watch(self, name: str = "a") -> OpenStream:
        return self.plane.open(Call(WATCH, WatchRequest(app_id=identifier(name))))

    def watch_project(self) -> OpenStream:
        return self.plane.open(Call(WATCH, WatchRequest(project=ProjectIdentifier(name="p", domain="d"))))


def identifier(name: str) -> Identifier:
    return Identifier(project="p", domain="d", name=name)


def read_all(watcher: OpenStream) -> list[int]:
    """Return the statuses that a connected client reads, in order, until nothing comes at once."""
    seen: list[int] = []
    while True:
        item = watcher.take()
        if item is None:
            watcher.sent()
            if watcher.idle():
                return seen
            continue
        response = WatchResponse.FromString(item)
        app = response.update_event.updated_app if response.HasField("update_event") else response.create_event.app
        seen.append(app.status.conditions[-1].deployment_status)


def follow(bench: Bench, watcher: OpenStream) -> list[int]:
    """Return the statuses that a client reads until nothing comes for a second."""
    seen = read_all(watcher)
    quiet = 0.0
    while quiet < 1.0:
        bench.later(0.05)
        more = read_all(watcher)
        quiet = 0.0 if more else quiet + 0.05
        seen += more
    return seen


def test_one_write_and_a_later_watch_move_at_once() -> None:
    """The SDK's plain serve needs no real time: Create, then Watch, then every state in order."""
    bench = Bench()
    bench.create()
    assert read_all(bench.watch()) == [
        ASSIGNED,
        Status.DEPLOYMENT_STATUS_PENDING,
        Status.DEPLOYMENT_STATUS_DEPLOYING,
        Status.DEPLOYMENT_STATUS_DEPLOYING,
        ACTIVE,
    ]


def test_nobody_waits_and_time_stands_still() -> None:
    """An hour of real time moves nothing where no one watches or polls."""
    bench = Bench()
    bench.create()
    before = bench.plane.now_ns()
    bench.real += 3600
    bench.plane.run_due()
    assert (bench.status(), bench.plane.now_ns()) == (ASSIGNED, before)


def test_four_serves_of_one_app_each_see_it_become_active() -> None:
    """With several writes and watchers nothing moves until the last watcher had 300 ms to open."""
    bench = Bench()
    app = bench.create()
    watchers = [bench.watch()]
    assert bench.status() == ASSIGNED
    for image in ("y", "z", "q"):
        app = bench.touch(app, image)
        bench.later(0.12)
        watcher = bench.watch()
        assert ACTIVE not in read_all(watcher), "moved before this client could watch"
        watchers.append(watcher)
    for _ in range(60):
        bench.later(0.01)
        for watcher in watchers:
            read_all(watcher)
    assert bench.status() == ACTIVE


def test_a_console_that_watches_the_project_does_not_outrun_a_serve() -> None:
    """A project watch waits 300 ms after the write, so that the writer's own Watch opens first."""
    bench = Bench()
    console = bench.watch_project()
    read_all(console)
    bench.create()
    for _ in range(28):
        bench.later(0.01)
        read_all(console)
        assert bench.status() == ASSIGNED
    own = bench.watch()
    assert read_all(own)[-1] == ACTIVE


def test_a_project_watch_alone_moves_its_apps_after_the_quiet_time() -> None:
    """A client that only watches the project sees its app become active, without any other help."""
    bench = Bench()
    console = bench.watch_project()
    read_all(console)
    bench.create()
    seen: list[int] = []
    for _ in range(40):
        bench.later(0.01)
        seen += read_all(console)
    assert seen[-1] == ACTIVE


def test_polling_every_millisecond_moves_a_step_every_50_ms() -> None:
    """Get as fast as it goes reaches ACTIVE, and sees each state on the way."""
    bench = Bench()
    bench.create()
    seen: list[int] = []
    for _ in range(400):
        bench.real += 0.001
        seen.append(bench.get())
    assert list(dict.fromkeys(seen)) == [
        ASSIGNED,
        Status.DEPLOYMENT_STATUS_PENDING,
        Status.DEPLOYMENT_STATUS_DEPLOYING,
        ACTIVE,
    ]
    assert seen.index(Status.DEPLOYMENT_STATUS_PENDING) >= 50


def test_polling_goes_on_while_another_client_is_busy() -> None:
    """Writes to other apps every 10 ms do not hold up an app that is polled."""
    bench = Bench()
    bench.create()
    busy = bench.create("busy")
    for i in range(40):
        bench.later(0.01)
        busy = bench.touch(busy, f"image-{i}")
        bench.get()
    assert bench.status() == ACTIVE


def test_a_get_of_three_apps_does_not_move_them_before_their_watches() -> None:
    """One read is no polling: a watch opened later still sees the app become active."""
    bench = Bench()
    for name in "abc":
        bench.create(name)
    for name in "abc":
        bench.get(name)
    bench.later(0.2)
    for name in "abc":
        assert bench.status(name) == ASSIGNED
        seen = follow(bench, bench.watch(name))
        assert (seen[0], seen[-1]) == (ASSIGNED, ACTIVE)


def test_serves_of_one_unchanged_app_each_see_it_become_active() -> None:
    """A client whose Create was refused looks before it watches: until it had its time, the first one's watch waits."""
    bench = Bench()
    bench.create()
    with pytest.raises(RpcError):
        bench.create()
    assert bench.get() == ASSIGNED
    first = bench.watch()
    assert read_all(first) == [ASSIGNED]
    bench.later(0.12)
    second = bench.watch()
    assert read_all(second) == [ASSIGNED]
    assert follow(bench, first)[-1] == ACTIVE
    assert read_all(second)[-1] == ACTIVE


def test_an_app_created_again_moves_at_once() -> None:
    """The history of a deleted app of the same id doesn't slow down the new one."""
    bench = Bench()
    app = bench.create()
    app = bench.touch(app, "y")
    app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
    bench.touch(app, "z")
    bench.plane.call(Call(DELETE, DeleteRequest(app_id=identifier("a"))))
    bench.create()
    assert read_all(bench.watch())[-1] == ACTIVE


def test_one_step_at_a_time_for_a_watch_of_many() -> None:
    """A watcher of several apps waits for the next step only once it has got the one before."""
    bench = Bench()
    for name in "ab":
        bench.create(name)
    watcher = bench.watch_project()
    while watcher.take() is not None:
        pass
    bench.real += 1
    watcher.sent()
    taken = [watcher.take(), watcher.take()]
    assert taken[0] is not None and taken[1] is None


def test_apps_that_nobody_awaits_cost_a_call_nothing() -> None:
    """A call checks the gates of awaited apps alone, however many others move; no timer is kept without end."""
    bench = Bench()
    for number in range(300):
        app = bench.create(f"x{number}")
        app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
        bench.touch(app, "y")
        bench.plane.call(Call(DELETE, DeleteRequest(app_id=identifier(f"x{number}"))))
    assert len(bench.plane._timeline.timers) < 200  # pyright: ignore[reportPrivateUsage]  # what must not grow
    for number in range(50):
        bench.create(f"y{number}")
    bench.later(0.4)
    asked: list[object] = []
    auto = bench.plane._timeline.auto  # pyright: ignore[reportPrivateUsage]  # what must not be asked
    assert auto is not None
    gate = auto._gate  # pyright: ignore[reportPrivateUsage]

    def counted(moving: _Moving, now: float) -> float | None:
        asked.append(moving.key)
        return gate(moving, now)

    auto._gate = counted  # pyright: ignore[reportPrivateUsage]
    bench.get("y1")
    assert asked == []
    read_all(bench.watch("y2"))
    assert {str(key) for key in asked} == {"flyte/p/d/y2"}


@pytest.mark.parametrize("awaited", ["org", "project", "own", "polled"])
def test_many_apps_cost_no_more_each(awaited: str) -> None:
    """Four times as many starting apps take about four times as many calls of functions, not sixteen times as many."""

    def calls(count: int) -> int:
        bench = Bench()
        names = [f"a{number}" for number in range(count)]
        for name in names:
            bench.create(name)
        made = 0

        def counted(frame: object, event: str, argument: object) -> None:
            nonlocal made
            made += event == "call"

        watchers = {
            "org": lambda: [bench.plane.open(Call(WATCH, WatchRequest(org="flyte")))],
            "project": lambda: [bench.watch_project()],
            "own": lambda: [bench.watch(name) for name in names],
            "polled": list[OpenStream],
        }[awaited]()
        before = sys.getprofile()
        sys.setprofile(counted)
        try:
            for _ in range(count * 6 if awaited in ("org", "project") else 12):
                for watcher in watchers:
                    while watcher.take() is not None:
                        pass
                    watcher.sent()
                if awaited == "polled":
                    for name in names:
                        bench.get(name)
                bench.real += 0.06
                bench.plane.run_due()
                bench.plane.next_due()
        finally:
            sys.setprofile(before)
        assert {bench.status(name) for name in names} == {ACTIVE}
        return made

    assert calls(80) < 6 * calls(20)


def test_polling_by_list_moves_what_the_list_returns() -> None:
    """Two Lists without an event between are polling, too."""
    bench = Bench()
    bench.create()
    for _ in range(40):
        bench.later(0.01)
        bench.plane.call(Call(LIST, ListRequest()))
    assert bench.status() == ACTIVE


def test_a_watcher_whose_client_is_gone_moves_nothing() -> None:
    """A stream without confirmations does not count as waiting once it has to be confirmed again."""
    bench = Bench()
    gone = bench.watch()
    read_all(gone)
    bench.create()
    while gone.take() is not None:
        pass
    bench.later(5)
    assert bench.status() == ASSIGNED
    assert read_all(bench.watch())[-1] == ASSIGNED
    bench.later(0.4)
    assert bench.status() == ASSIGNED, "no confirmation came after the quiet time"


def test_a_closed_watch_is_forgotten() -> None:
    """Watches that waited for apps at rest leave nothing behind when they are closed."""
    bench = Bench()
    auto = bench.plane._timeline.auto  # pyright: ignore[reportPrivateUsage]  # what must not grow
    assert auto is not None
    for number in range(20):
        watchers = [bench.watch(f"absent-{number}"), bench.watch_project()]
        for watcher in watchers:
            read_all(watcher)
            watcher.close()
    assert not auto._watched and not auto._wide  # pyright: ignore[reportPrivateUsage]
