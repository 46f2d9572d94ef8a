"""The open-source backend, by its dialect: what it doesn't have, shows late or ignores, the client makes up for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import (
    AppDeleted,
    AppNotFound,
    ChangeKind,
    Client,
    Code,
    DeadlineExceeded,
    DeploymentFailed,
    DeploymentStatus,
    DesiredState,
    PlaneError,
    Retries,
    Unavailable,
    Waits,
    WaitTimeout,
)
from flyteapps.flows.methods import CREATE, WATCH
from flyteapps.flows.operations import Open, Unary
from flyteapps.testing import FaultyTransport, faults
from flyteapps.transports.errors import error_of
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.settings import Settings

from .conftest import QUICK, SCOPE, Run, client_of
from .messages import app, spec

PASSED = "deadline_exceeded: context deadline exceeded"
"""The message of a Watch whose deadline passed within the backend."""


KNATIVE = 'services.serving.knative.dev "hello-demo-development"'
EXISTS = f"failed to create KService hello-demo-development: {KNATIVE} already exists"
GONE = f"failed to update KService hello-demo-development: {KNATIVE} not found"
REPLACED = (
    f"failed to update KService hello-demo-development: Operation cannot be fulfilled on {KNATIVE}: StorageError: "
    "invalid object, Code: 4, Key: /registry/serving.knative.dev/services/flyte/hello-demo-development"
)


@pytest.fixture
def dialect() -> str:
    """The fixtures' planes are of this dialect alone here."""
    return "flyte-oss"


@pytest.fixture
def slow(dialect: str) -> Iterator[FakeControlPlane]:
    """A plane whose time stands still."""
    with FakeControlPlane(dialect=dialect, clock="manual") as plane:
        yield plane


def losing(plane: FakeControlPlane, **waits: float) -> Client:
    """Return a client of the plane that never sees an event."""
    return Client(
        transport=FaultyTransport(plane.transport(), [faults.stall("Watch", after=1)]),
        retries=QUICK,
        waits=Waits(**{"timeout": 5, **waits}),
        **SCOPE,
    )


def there(plane: FakeControlPlane) -> definition.App:
    """Return the one app, as the plane has it."""
    [found] = plane.stub().list(payload.ListRequest()).apps
    return found


def is_stopped(app: definition.App) -> bool:
    """Return whether the app is stopped, whatever its spec says."""
    return [each.deployment_status for each in app.status.conditions] == [DeploymentStatus.STOPPED]


def meanwhile(plane: FakeControlPlane, act: Callable[[], object]) -> threading.Thread:
    """Start a thread that acts as soon as a stream is open."""

    def wait() -> None:
        while not plane.open_streams():
            time.sleep(0.001)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


class TestReads:
    """Get may be answered from a cache for half a minute."""

    def test_a_failed_app_is_started_though_a_read_does_not_show_it(self, direct: Client, run: Run) -> None:
        """The basis of a write is read from a stream, not by Get."""
        made = direct.apps.create(app(scenario="crash-loop"))
        direct.apps.get("hello")  # is kept
        with pytest.raises(DeploymentFailed):
            run(made.watch)
        stale = direct.apps.get("hello")
        assert stale.deployment_status is DeploymentStatus.UNSPECIFIED
        with pytest.raises(DeploymentFailed, match="00002"):
            run(stale.activate, wait=True)

    def test_a_wait_does_not_settle_on_a_read(self, slow: FakeControlPlane, run: Run) -> None:
        """At the end of the while another stream is asked, not Get: that the app has failed isn't missed."""
        client = losing(slow, settle=3, poll=60)  # until then the clock must have been moved
        client.apps.create(app())
        slow.advance(60)
        updated = client.apps.replace("hello", app(scenario="crash-loop").spec, "test")
        assert client.apps.get("hello").is_active()  # and is kept
        acting = meanwhile(slow, lambda: slow.advance(20))
        with pytest.raises(DeploymentFailed):
            run(updated.watch)
        acting.join()

    def test_an_app_that_was_deleted_by_another_name_of_it(self, slow: FakeControlPlane, run: Run) -> None:
        """It can be read for a while; a wait for it ends once it can't."""
        client = client_of(slow, "direct", waits=Waits(timeout=60, poll=0.02))
        client.apps.create(app())
        handle = client.apps.get("hello")
        other = definition.Identifier(project="demo", domain="development", name="HELLO")
        slow.stub().delete(payload.DeleteRequest(app_id=other))
        assert client.apps.get("hello").name == "hello"
        acting = meanwhile(slow, lambda: slow.advance(31))
        with pytest.raises(AppDeleted):
            run(handle.watch)
        acting.join()


class TestWaits:
    """No revisions, conditions that are a state, streams that lose events and tell of others."""

    def test_lost_events(self, slow: FakeControlPlane, run: Run) -> None:
        """After a silence another stream's snapshot shows what was lost."""
        client = losing(slow, settle=60, poll=0.02)
        client.apps.create(app())
        handle = client.apps.get("hello")
        acting = meanwhile(slow, lambda: slow.advance(60))
        assert run(handle.watch).is_active()
        acting.join()

    @pytest.mark.parametrize(
        "ending",
        [
            faults.cut("Watch", after=0, code="", times=2),
            faults.cut("Watch", after=1, code="", times=2),
            faults.cut("Watch", after=1, code="DEADLINE_EXCEEDED", times=2),
            faults.fail("Watch", code="INTERNAL", message=PASSED, times=2),
        ],
        ids=["nothing shown", "no error", "DEADLINE_EXCEEDED", "INTERNAL"],
    )
    def test_streams_that_a_deadline_ends(self, plane: FakeControlPlane, ending: faults.Fault, run: Run) -> None:
        """However a deadline on the network ends a stream, the wait goes on with another."""
        client = Client(transport=FaultyTransport(plane.transport(), [ending]), retries=QUICK, **SCOPE)
        assert run(client.apps.create(app()).watch).is_active()

    def test_a_wait_whose_streams_deadlines_end(self, slow: FakeControlPlane, run: Run) -> None:
        """It ends with its own deadline, as a wait does whose stream stays open."""
        always = faults.cut("Watch", after=0, code="")
        client = Client(
            transport=FaultyTransport(slow.transport(), [always]), retries=QUICK, waits=Waits(timeout=0.3), **SCOPE
        )
        made = client.apps.create(app())
        with pytest.raises(WaitTimeout):
            run(made.watch)

    def test_a_deadline_within_the_plane(self) -> None:
        """The INTERNAL that wraps a passed deadline is DeadlineExceeded for a stream, and PlaneError for a write."""
        error = ConnectError(ConnectCode.INTERNAL, PASSED)
        opened = error_of(error, Open(WATCH, payload.WatchRequest(), {}), "http://plane")
        assert isinstance(opened, DeadlineExceeded)
        assert opened.code is Code.INTERNAL
        written = error_of(error, Unary(CREATE, payload.CreateRequest(), 1.0, {}), "http://plane")
        assert type(written) is PlaneError

    def test_more_events_than_a_stream_holds(self, dialect: str, run: Run) -> None:
        """Events that don't fit are dropped; the wait ends nevertheless."""
        with FakeControlPlane(dialect=dialect, clock="manual", watch_buffer=1) as plane:
            client = client_of(plane, "direct", waits=Waits(timeout=60, settle=60, poll=0.05))
            made = client.apps.create(app())
            acting = meanwhile(plane, lambda: plane.advance(60))
            assert run(made.watch).is_active()
            acting.join()

    def test_apps_of_that_name_elsewhere(self, slow: FakeControlPlane, run: Run) -> None:
        """Their changes are not this app's."""
        client = client_of(slow, "direct", waits=Waits(timeout=60, settle=60))
        ours = client.apps.create(app())
        theirs = app(scenario="crash-loop")
        theirs.metadata.id.project = "theirs"

        def act() -> None:
            client.apps.create(theirs)
            client.apps.delete("hello", project="theirs")
            client.apps.create(theirs)
            slow.advance(60)

        acting = meanwhile(slow, act)
        assert run(ours.watch).pb2.metadata.id.project == "demo"
        acting.join()
        assert ours.is_active()

    def test_starting_what_was_just_written_waits_for_the_write(self, slow: FakeControlPlane, run: Run) -> None:
        """Nothing is written where the app runs, but what is active is the app before the write."""
        client = client_of(slow, "direct", waits=Waits(settle=60))
        client.apps.create(app())
        slow.advance(60)
        updated = client.apps.replace("hello", spec("example.org/hello:2"), "test")
        with pytest.raises(WaitTimeout, match="ACTIVE"):
            run(updated.activate, wait=True, timeout=0.5)

    def test_what_had_failed_and_is_not_written_fails(self, direct: Client, run: Run) -> None:
        """Creating it again changes nothing and returns no conditions: in the end the old failure is believed."""
        with pytest.raises(DeploymentFailed):
            direct.apps.create(app(scenario="crash-loop")).watch()
        again = direct.apps.create(app(scenario="crash-loop"))
        with pytest.raises(DeploymentFailed, match="00001"):
            run(again.watch)

    def test_a_revision_that_was_sent_is_none(self, direct: Client, run: Run) -> None:
        """The plane returns it as it was sent; nothing is ever seen at it."""
        message = app()
        message.metadata.revision = 7
        made = direct.apps.create(message)
        assert made.revision == 0
        changed = definition.App()
        changed.CopyFrom(message)
        changed.spec.container.image = "example.org/hello:2"
        updated = run(direct.apps.update, changed, "test")
        assert updated.revision == 0
        assert run(updated.watch).is_active()

    def test_zero_replicas(self, slow: FakeControlPlane, run: Run) -> None:
        """The app is active, and there is no substate to tell; the replicas do."""
        client = client_of(slow, "direct")
        message = app()
        message.spec.autoscaling.scaledown_period.seconds = 60
        client.apps.create(message)
        slow.advance(3600)
        handle = run(client.apps.get("hello").watch)
        assert handle.waited.scaled_to_zero
        assert handle.is_active()

    def test_an_app_created_anew_is_another(self, slow: FakeControlPlane, run: Run) -> None:
        """By the time when it was created, in whole seconds."""
        client = client_of(slow, "direct")
        client.apps.create(app())
        slow.advance(60)
        handle = client.apps.get("hello")
        client.apps.delete("hello")
        client.apps.create(app())
        slow.advance(60)
        with pytest.raises(AppDeleted):
            run(handle.watch)


class TestChanges:
    """`events` on such a plane."""

    def test_a_restart_is_no_new_app(self, direct: Client, run: Run) -> None:
        """A stopped app shows no time of creation; it is the same one all the same."""
        handle = direct.apps.create(app()).watch()
        direct.apps.get("hello").deactivate(wait=True)
        stopped = direct.apps.get("hello")
        direct.apps.get("hello").activate(wait=True)
        for known in handle, stopped:
            kinds = {change.kind for change in run.items(known.events, timeout=0.05)}
            assert kinds <= {ChangeKind.UPDATED}

    def test_a_stopped_app_is_gone_once_it_is_deleted(self, direct: Client, run: Run) -> None:
        """The deletion of what shows no time of creation counts."""
        handle = direct.apps.create(app()).watch()
        events = handle.events(timeout=60)
        other = direct.apps.get("hello")
        other.deactivate()
        assert next(events).app.is_deactivated()
        run(direct.apps.delete, "hello")
        kinds = (change.kind for change in events)
        assert next(kind for kind in kinds if kind is not ChangeKind.UPDATED) is ChangeKind.DELETED
        events.close()

    def test_what_is_read_late_is_no_change(self, slow: FakeControlPlane, run: Run) -> None:
        """An app that was deleted by another name of it is still read, as it was at the first reading."""
        client = client_of(slow, "direct", waits=Waits(poll=0.02, settle=0.05))
        made = client.apps.create(app())
        slow.advance(60)
        run(made.watch)
        client.apps.replace("hello", spec("example.org/hello:2"), "test")
        client.apps.get("hello")  # is kept
        slow.advance(20)
        known = run(made.watch)
        slow.stub().delete(payload.DeleteRequest(app_id={"project": "demo", "domain": "development", "name": "HELLO"}))
        assert run.items(known.events, timeout=0.2) == []
        acting = meanwhile(slow, lambda: slow.advance(31))
        assert [change.kind for change in run.items(known.events, timeout=60, most=1)] == [ChangeKind.DELETED]
        acting.join()

    def test_the_time_of_reading_is_no_change(self, slow: FakeControlPlane, run: Run) -> None:
        """A stopped app is stamped whenever it is read."""
        client = client_of(slow, "direct", waits=Waits(poll=0.02))
        made = client.apps.create(app()).deactivate(wait=True)
        acting = meanwhile(slow, lambda: slow.advance(60))
        assert run.items(made.events, timeout=0.2) == []
        acting.join()


class TestWrites:
    """Upserts, conflicts, and a desired state that is ignored."""

    def test_an_app_created_stopped_is_stopped(self, plane: FakeControlPlane, direct: Client, run: Run) -> None:
        """The plane has it run; the client stops it, and says so where it can't."""
        message = app()
        message.spec.desired_state = definition.Spec.DESIRED_STATE_STOPPED
        made = run(direct.apps.create, message)
        assert is_stopped(there(plane))
        assert run(made.watch, "deactivated").is_deactivated()

    def test_what_runs_though_it_says_stopped_can_be_stopped(
        self, plane: FakeControlPlane, direct: Client, run: Run
    ) -> None:
        """Another client had created it stopped: it runs, and its spec says that it doesn't."""
        message = app()
        message.metadata.id.project, message.metadata.id.domain = "demo", "development"
        message.spec.desired_state = definition.Spec.DESIRED_STATE_STOPPED
        plane.stub().create(payload.CreateRequest(app=message))
        handle = direct.apps.get("hello")
        assert handle.desired_state is DesiredState.STOPPED
        assert not is_stopped(there(plane))
        run(handle.deactivate, wait=True)
        assert is_stopped(there(plane))

    def test_stopping_right_after_creating(self, plane: FakeControlPlane, direct: Client, run: Run) -> None:
        """And again, and starting after that."""
        made = run(direct.apps.create, app())
        run(made.deactivate)
        assert is_stopped(there(plane))
        run(run(made.deactivate, wait=True).activate, wait=True)
        assert made.is_active()

    def test_conflicts_are_tried_again(self, client: Client, run: Run) -> None:
        """A write that met one of the cluster's was not made."""
        made = run(client.apps.create, app(scenario="write-conflict"))
        run(made.watch)
        replaced = run(client.apps.replace, "hello", app(image="new", scenario="write-conflict").spec, "test")
        assert run(replaced.watch).pb2.spec.container.image == "new"
        run(run(made.deactivate, wait=True).activate, wait=True)
        created = run(client.apps.create, app(image="newer", scenario="write-conflict"))
        assert run(created.watch).pb2.spec.container.image == "newer"

    def test_a_conflict_has_changed_nothing(self, plane: FakeControlPlane, run: Run) -> None:
        """Without retries the error says that it was not applied."""
        client = client_of(plane, "direct", retries=1)
        client.apps.create(app(scenario="write-conflict"))
        with pytest.raises(PlaneError, match="nothing was written") as caught:
            run(client.apps.replace, "hello", spec("new"), "test")
        assert not caught.value.maybe_applied
        assert there(plane).spec.container.image == "example.org/hello:1"

    @pytest.mark.parametrize("words", [EXISTS, REPLACED, GONE])
    def test_a_create_that_meets_another_write(self, plane: FakeControlPlane, run: Run, words: str) -> None:
        """It is tried again, more often than failures; without retries the error says that nothing was written."""
        plane.faults.fail("Create", code="INTERNAL", message=words, times=2 * QUICK.attempts)
        with pytest.raises(PlaneError, match="nothing was written") as caught:
            run(client_of(plane, "direct", retries=1).apps.create, app())
        assert not caught.value.maybe_applied
        assert run(client_of(plane, "direct").apps.create, app(image="new")).pb2.spec.container.image == "new"

    def test_an_update_whose_app_is_deleted_meanwhile(self, plane: FakeControlPlane, direct: Client, run: Run) -> None:
        """It is not found, and no retry brings the app back."""
        run(direct.apps.create, app())
        plane.faults.fail("Update", code="INTERNAL", message=GONE, times=1)
        with pytest.raises(AppNotFound, match="nothing was written") as caught:
            run(direct.apps.replace, "hello", spec("new"), "test")
        assert not caught.value.maybe_applied
        assert there(plane).spec.container.image == "example.org/hello:1"

    @pytest.mark.parametrize("writers", [2, 4])
    def test_writers_that_race(self, writers: int) -> None:
        """Of clients that write at once all but one are refused at first, and all their writes are made by retries."""
        settings = Settings(dialect="flyte-oss", clock="manual", write_seconds=1, call_log=1_000)
        with FakeControlPlane.of(settings) as plane, ThreadPoolExecutor(writers) as threads:
            made = threads.submit(client_of(plane, "direct").apps.create, app())
            while not made.done():
                plane.advance(1)
                time.sleep(0.001)
            plane.advance(60)

            def write(image: str) -> None:
                client = client_of(plane, "direct", retries=Retries(attempts=2))
                client.apps.replace("hello", spec(image), "test")

            for number in range(2):
                writes = [threads.submit(write, f"img:{number}.{writer}") for writer in range(writers)]
                while sum("the end of its write" in each.awaited for each in plane.clock.why()) < writers:
                    assert not any(each.done() for each in writes)
                    time.sleep(0.001)
                while not all(each.done() for each in writes):
                    plane.advance(1)
                    time.sleep(0.001)
                assert [each.result() for each in writes] == [None] * writers
            assert len(plane.calls.list("Update", code="OK")) == 2 * writers
            assert len(plane.calls.list("Update", code="INTERNAL")) >= 2 * (writers - 1)

    def test_labels_are_not_wanted_for_ever(self, plane: FakeControlPlane, run: Run) -> None:
        """They never come back: an equal spec is not written because of them."""
        transport = FaultyTransport(plane.transport())
        client = Client(transport=transport, retries=QUICK, **SCOPE)
        client.apps.create(app(team="blue"))
        transport.clear()
        stored = client.apps.get("hello").pb2.spec
        run(client.apps.replace, "hello", stored, "test", labels={"team": "red"})
        assert "Update" not in [call.rpc for call in transport.calls]

    def test_what_breaks_the_plane_is_not_tried_for_ever(self, plane: FakeControlPlane, run: Run) -> None:
        """As often as `retries` says, then the error says that it isn't known what became of it."""
        transport = FaultyTransport(plane.transport())
        client = Client(transport=transport, retries=Retries(attempts=3, initial=0, maximum=0), **SCOPE)
        with pytest.raises(Unavailable) as caught:
            run(client.apps.create, broken())
        assert caught.value.maybe_applied
        assert len(transport.calls) == 3
        with pytest.raises(AppNotFound):
            run(client.apps.get, "hello")

    def test_an_app_that_breaks_the_plane_over_every_transport(self, client: Client, run: Run) -> None:
        """The connection is cut; the error is one of the network, not a hang."""
        with pytest.raises(Unavailable) as caught:
            run(client.apps.create, broken())
        assert caught.value.maybe_applied
        assert caught.value.app == "demo/development/hello"

    def test_a_running_app_is_deleted(self, direct: Client, run: Run) -> None:
        """It isn't refused there."""
        run(direct.apps.create, app())
        run(direct.apps.delete, "hello")
        with pytest.raises(AppNotFound):
            run(direct.apps.get, "hello")


def broken() -> definition.App:
    """Return an app with an invalid quantity."""
    message = app()
    message.spec.container.resources.requests.add(name=1, value="lots")  # pyright: ignore[reportArgumentType]  # an open enum
    return message


def test_the_backlog_ends(client: Client, run: Run) -> None:
    """Its log streams follow, whatever is asked for; a silence ends them where only the backlog is wanted."""
    run(run(client.apps.create, app()).watch)
    assert run.items(client.apps.get("hello").logs, follow=False)


def test_the_logs_of_a_stopped_app(direct: Client, run: Run) -> None:
    """Without replicas there are none."""
    made = direct.apps.create(app()).watch()
    made.deactivate(wait=True)
    with pytest.raises(AppNotFound, match="no replicas"):
        run.items(made.logs)
