"""The realtime clock: a client that writes and watches late sees the step that its write leads to. Time is a number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec, Status
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    GetResponse,
    ListRequest,
    UpdateRequest,
    WatchRequest,
    WatchResponse,
)
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from flyteidl2.core.literals_pb2 import KeyValuePair
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, DELETE, GET, LIST, UPDATE, WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.streams import OpenStream

ACTIVE = Status.DEPLOYMENT_STATUS_ACTIVE
FAILED = Status.DEPLOYMENT_STATUS_FAILED
STOPPED = Status.DEPLOYMENT_STATUS_STOPPED
IDENTIFIER = Identifier(project="p", domain="d", name="a")


class Bench:
    """A plane on the realtime clock whose real time is moved by hand, and one app of it."""

    def __init__(self, dialect: str, speed: float = 1.0) -> None:
        self.real = 0.0
        seconds = 0 if dialect == "flyte-oss" else None  # no caller here waits for a write
        settings = Settings(dialect=dialect, clock="realtime", speed=speed, write_seconds=seconds)
        self.plane = FakeControlPlane.of(settings, real=lambda: self.real)
        self._app = App(metadata=Meta(id=IDENTIFIER))

    def later(self, seconds: float) -> None:
        """Let real time pass; the plane looks as often as it asks for."""
        end = self.real + seconds
        while (wait := self.plane.next_due()) is not None and self.real + wait <= end:
            self.real += max(wait, 0.001)
            self.plane.run_due()
        self.real = max(end, self.real)
        self.plane.run_due()

    def create(self, scenario: str = "healthy") -> None:
        env = [KeyValuePair(key="FLYTEAPPS_SCENARIO", value=scenario)]
        self._app.spec.CopyFrom(Spec(container=Container(image="img", env=env)))
        self.plane.call(Call(CREATE, CreateRequest(app=self._app)))

    def update(self, state: Spec.DesiredState = Spec.DESIRED_STATE_ACTIVE, image: str = "img") -> None:
        self._app.spec.desired_state = state
        self._app.spec.container.image = image
        self.plane.call(Call(UPDATE, UpdateRequest(app=self._app)))

    def get(self) -> App:
        return GetResponse.FromString(self.plane.call(Call(GET, GetRequest(app_id=IDENTIFIER)))).app

    def watch(self) -> Watch:
        return Watch(self.plane.open(Call(WATCH, WatchRequest(app_id=IDENTIFIER))))

    def watch_project(self) -> Watch:
        return Watch(self.plane.open(Call(WATCH, WatchRequest(project=ProjectIdentifier(name="p", domain="d")))))


class Watch:
    """A Watch as the Flyte SDK reads it: only updates count."""

    def __init__(self, stream: OpenStream) -> None:
        self._stream = stream

    def updates(self) -> list[int]:
        """Return the last conditions of the updates that have come since."""
        found: list[int] = []
        while (item := self._stream.take()) is not None:
            response = WatchResponse.FromString(item)
            if response.HasField("update_event") and response.update_event.updated_app.status.conditions:
                found.append(response.update_event.updated_app.status.conditions[-1].deployment_status)
        return found


@pytest.fixture(params=["standard", "flyte-oss"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each dialect."""
    return str(request.param)


@pytest.mark.parametrize(("scenario", "end"), [("healthy", ACTIVE), ("image-pull-error", FAILED), ("wrong", FAILED)])
def test_a_watch_that_opens_seconds_after_create_sees_the_end(dialect: str, scenario: str, end: int) -> None:
    """`flyte.serve` ends though its Watch opens 5 s after its Create, whatever the app's end is."""
    bench = Bench(dialect)
    bench.create(scenario)
    bench.later(5)
    watch = bench.watch()
    bench.later(0.1)
    assert watch.updates()[-1] == end


def test_a_watch_that_opens_seconds_after_a_stop_or_an_update_sees_the_end(dialect: str) -> None:
    """So does `App.deactivate(wait=True)`, and a `flyte.serve` of a changed app, though older Watches are open."""
    bench = Bench(dialect)
    bench.create()
    older = bench.watch()
    bench.later(5)
    assert older.updates()[-1] == ACTIVE
    bench.update(image="img:2")
    bench.later(5)
    watch = bench.watch()
    bench.later(0.2)
    assert watch.updates()[-1] == ACTIVE
    bench.update(Spec.DESIRED_STATE_STOPPED)
    bench.later(5)
    watch = bench.watch()
    bench.later(0.2)
    assert watch.updates()[-1] == STOPPED


@pytest.mark.parametrize("open_watch", [Bench.watch, Bench.watch_project])
def test_who_watches_sees_the_app_active_after_about_a_second(open_watch: Callable[[Bench], Watch]) -> None:
    """For a Watch that opens right after the write, of the app or of its project, nothing is later than it was."""
    bench = Bench("standard")
    bench.create()
    watch = open_watch(bench)
    bench.later(1.3)
    assert watch.updates()[-1] == ACTIVE


def test_who_polls_sees_the_app_active_after_about_a_second(dialect: str) -> None:
    """Two reads after the write count as a waiting client, by List too; one doesn't."""
    bench = Bench(dialect)
    bench.create()
    bench.get()
    bench.later(5)
    service = bench.plane.call(Call(LIST, ListRequest(project=ProjectIdentifier(name="p", domain="d"))))
    assert service
    bench.later(0.1)
    listed = bench.plane.call(Call(LIST, ListRequest(project=ProjectIdentifier(name="p", domain="d"))))
    assert b"Running" in listed if dialect == "standard" else b"Routes are ready" in listed


def test_requests_to_its_url_are_reads(dialect: str) -> None:
    """A client that asks an app's URL again and again sees it ACTIVE after about a second, and not ten seconds late."""
    bench = Bench(dialect)
    bench.create()
    host = bench.get().status.ingress.public_url.removeprefix("http://")

    def requested() -> int:
        encoded = bench.plane.ask(host)
        assert encoded is not None
        return App.FromString(encoded).status.conditions[-1].deployment_status

    bench.later(1.3)
    assert requested() == ACTIVE, "with the Get this is the second read"


def test_the_second_read_shows_the_step_that_it_ends_the_wait_of() -> None:
    """A client of the SDK that reads an app, sees it DEPLOYING and watches it must not miss the step in between."""
    bench = Bench("standard")
    bench.create()
    bench.later(3)
    assert bench.get().status.conditions[-1].deployment_status != ACTIVE, "one read alone moves nothing"
    assert bench.get().status.conditions[-1].deployment_status == ACTIVE


@pytest.mark.parametrize("seconds", [0.5, 0.9, 0.99])
def test_a_watch_right_after_reads_sees_the_step(dialect: str, seconds: float) -> None:
    """However shortly before the step the reads were: it waits for the Watch that follows them."""
    bench = Bench(dialect)
    bench.create()
    bench.later(seconds)
    reads = [bench.get().status.conditions[-1].deployment_status for _ in range(3)]
    bench.later(1)
    watch = bench.watch()
    bench.later(1)
    assert reads[-1] == ACTIVE or watch.updates()[-1] == ACTIVE


def test_who_read_twice_and_went_away_delays_the_step_by_two_seconds() -> None:
    """A client that polled before the step was due and doesn't come again: the step is made all the same."""
    bench = Bench("standard")
    older = bench.watch()
    bench.create()
    bench.get()
    bench.get()
    bench.later(2.5)
    assert ACTIVE not in older.updates()
    bench.later(1)
    assert older.updates()[-1] == ACTIVE
    assert bench.get().status.conditions[-1].deployment_status == ACTIVE
    due = bench.plane.next_due()
    assert due is None or due > 1, "nothing is left behind"


def test_where_nobody_comes_the_end_is_ten_seconds_late(dialect: str) -> None:
    """Without a Watch or a read after the write, or with an older Watch alone, the step is made after 10 s."""
    bench = Bench(dialect)
    older = bench.watch()
    bench.create()
    bench.later(9.5)
    assert ACTIVE not in older.updates()
    bench.later(2.5)
    assert older.updates()[-1] == ACTIVE
    due = bench.plane.next_due()
    assert due is None or due > 1, "nothing is left behind"


def test_ten_seconds_are_of_real_time() -> None:
    """However fast the plane's time runs, a late Watch has as much real time, and a lease doesn't run out meanwhile."""
    bench = Bench("standard", speed=1_000.0)
    bench.create()
    bench.later(5)
    watch = bench.watch()
    bench.later(0.1)
    assert watch.updates()[-1] == ACTIVE


def test_a_write_to_an_app_that_waits_begins_anew() -> None:
    """An update, or a deletion and another Create, while the last step waits: the Watch after it sees the new end."""
    bench = Bench("standard")
    bench.create()
    bench.later(5)
    bench.update(image="img:2")
    bench.later(5)
    first = bench.watch()
    bench.later(0.1)
    assert first.updates()[-1] == ACTIVE
    assert bench.get().metadata.revision == 2
    bench.update(Spec.DESIRED_STATE_STOPPED)
    bench.later(2)
    bench.plane.call(Call(DELETE, DeleteRequest(app_id=IDENTIFIER)))
    bench.later(1)
    bench.create()
    bench.later(5)
    second = bench.watch()
    bench.later(0.1)
    assert second.updates()[-1] == ACTIVE


def test_what_follows_by_itself_waits_for_nobody() -> None:
    """Only the step that a write leads to waits: what happens after it comes at its time."""
    bench = Bench("standard")
    bench.create("recovers-in-place")
    watch = bench.watch()
    bench.later(60)
    assert watch.updates()[-3:] == [ACTIVE, FAILED, ACTIVE]
