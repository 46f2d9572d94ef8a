"""Planes that are not the stand-in: without revisions, lagging, lossy, or with logs. Each is a script."""

from __future__ import annotations

from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_logs_payload_pb2 as logs
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import (
    App,
    AppDeleted,
    AppNotFound,
    ChangeKind,
    Client,
    DeploymentFailed,
    DeploymentStatus,
    Substate,
    Unimplemented,
    Waits,
    WaitTimeout,
)
from flyteapps.testing import MockTransport

from .conftest import QUICK, SCOPE, Run
from .scripted import END, created, deleted, scripted, state, updated

ACTIVE = DeploymentStatus.ACTIVE
PENDING = DeploymentStatus.PENDING
FAILED = DeploymentStatus.FAILED
STOPPED = DeploymentStatus.STOPPED
DEPLOYING = DeploymentStatus.DEPLOYING

BROKEN = ConnectError(Code.UNAVAILABLE, "the stream broke")

NO_LOGS = ConnectError(Code.UNIMPLEMENTED, "no logs here")


def client_of(transport: MockTransport, **waits: float) -> Client:
    """Return a client of a script."""
    return Client(
        transport=transport, retries=QUICK, waits=Waits(**{"timeout": 5, "settle": 0.2, "poll": 0.05, **waits}), **SCOPE
    )


def got(app: Any) -> Any:
    """Return an answer of Get."""

    def answer(_: Any) -> Any:
        return payload.GetResponse(app=app)

    return answer


def replaced(run: Run, transport: MockTransport, **waits: float) -> App:
    """Return a handle that has just written; without revisions it has looked at a stream's snapshot before."""
    from .messages import spec

    return run(client_of(transport, **waits).apps.replace, "hello", spec("example.org/hello:2"), "test")


class TestWithoutRevisions:
    """The open-source backend: revision 0, and conditions of the write before until the cluster reports."""

    OLD = state((ACTIVE, "Service is ready"))

    def answers(self, reads: Any) -> dict[str, Any]:
        """Return a plane whose update returns the old conditions."""

        def update(_: Any) -> Any:
            return payload.UpdateResponse(app=self.OLD)

        return {"Get": reads, "Update": update}

    def transport(self, *scripts: list[Any]) -> MockTransport:
        """Return such a plane; the scripts are those of the streams after the write."""
        return scripted(self.answers(got(self.OLD)), [created(self.OLD)], *scripts)

    def test_another_set_of_conditions_ends_the_wait(self, run: Run) -> None:
        """The old ACTIVE doesn't count; ACTIVE after PENDING does, and is called observed."""
        new = state((ACTIVE, "Service is ready again"))
        script = [created(self.OLD), updated(self.OLD), updated(state((PENDING, "rolling out"))), updated(new)]
        handle = replaced(run, self.transport(script), settle=60)
        run(handle.watch)
        assert handle.waited is not None
        assert handle.waited.how == "observed"
        assert handle.message == "Service is ready again"

    def test_an_unchanged_active_is_believed_after_a_while(self, run: Run) -> None:
        """If the state never changes the result says that it only settled."""
        handle = replaced(run, self.transport(*[[created(self.OLD)]] * 50))
        run(handle.watch)
        assert handle.waited is not None
        assert handle.waited.how == "settled"
        assert handle.waited.seconds >= 0.2

    def test_a_state_that_has_settled_is_not_waited_for_again(self, run: Run) -> None:
        """The write was waited for once: another wait ends with what is there."""
        handle = replaced(run, self.transport(*[[created(self.OLD)]] * 50))
        run(handle.watch)
        run(handle.watch)
        assert handle.waited is not None
        assert handle.waited.how == "observed"

    def test_a_failure_within_the_while_is_reported(self, run: Run) -> None:
        """The active state was the old one: the new one fails."""
        new = state((FAILED, "RevisionFailed: no"))
        handle = replaced(run, self.transport([created(self.OLD), updated(new)], [created(new)]), settle=60)
        with pytest.raises(DeploymentFailed, match="RevisionFailed"):
            run(handle.watch)

    def test_an_event_that_was_lost_is_found_by_another_stream(self, run: Run) -> None:
        """Streams there can lose events, and reads be old: another stream's snapshot shows the app, now and then."""
        new = state((ACTIVE, "Service is ready again"))
        handle = replaced(run, self.transport([created(self.OLD)], [created(new)]), settle=60)
        run(handle.watch)
        assert handle.message == "Service is ready again"
        transport: Any = handle.client.transport
        assert [call.rpc for call in transport.calls if not call.streaming] == ["Get", "Update"]

    def test_a_create_that_returned_no_conditions(self, run: Run) -> None:
        """The first ACTIVE that is seen may be the one of an app that stood before: it has to settle."""
        answers = {"Create": lambda _: payload.CreateResponse(app=state()), "Get": got(self.OLD)}  # pyright: ignore[reportUnknownLambdaType]
        client = client_of(scripted(answers, [created(state()), updated(self.OLD)], *[[created(self.OLD)]] * 50))
        handle = run(client.apps.create, state())
        run(handle.watch)
        assert handle.waited is not None
        assert handle.waited.how == "settled"

    def test_other_apps_do_not_count(self, run: Run) -> None:
        """Streams there go by the bare name: what fails, stops or goes in another project or domain is no news."""
        theirs = state((FAILED, "RevisionFailed: no"))
        theirs.metadata.id.domain = "production"
        new = state((ACTIVE, "Service is ready again"))
        script = [created(theirs), created(self.OLD), updated(theirs), deleted(theirs), updated(new)]
        handle = replaced(run, self.transport(script), settle=60, poll=60)
        assert run(handle.watch).message == "Service is ready again"

    def test_events_may_be_older_than_the_snapshot(self, run: Run) -> None:
        """A stop or a deletion before the write that is told after it ends nothing: another snapshot is asked."""
        pending, new = state((PENDING, "rolling out")), state((ACTIVE, "Service is ready again"))
        stopped = state((STOPPED, "App scaled to zero"), desired=definition.Spec.DESIRED_STATE_STOPPED)
        for late in updated(stopped), deleted(stopped):
            scripts = [[created(pending), late], [created(pending), updated(new)]]
            handle = replaced(run, self.transport(*scripts), settle=60, poll=60)
            assert run(handle.watch).message == "Service is ready again"

    def test_a_deletion_counts_though_the_stop_before_it_was_lost(self, run: Run) -> None:
        """A stopped app doesn't show when it was created: it is the one that was seen."""
        stopped = state((STOPPED, "App scaled to zero"), desired=definition.Spec.DESIRED_STATE_STOPPED)
        stopped.status.ClearField("created_at")
        transport = scripted({}, [created(self.OLD), deleted(stopped)])
        changes = run.items(App(self.OLD, client_of(transport, poll=60)).events, most=1, timeout=60)
        assert [change.kind for change in changes] == [ChangeKind.DELETED]

    def test_a_failure_counts_wherever_it_stands(self, run: Run) -> None:
        """Conditions are a state there: the routes to the version before can stand after the failure of the new one."""
        failed = state((FAILED, "RevisionFailed: no"), (FAILED, "RevisionFailed: no"), (DEPLOYING, "Routes are ready"))
        script = [created(self.OLD), updated(failed)]
        handle = replaced(run, self.transport(script, [created(failed)]), settle=60, poll=60)
        with pytest.raises(DeploymentFailed, match="RevisionFailed"):
            run(handle.watch)
        assert handle.deployment_status is FAILED


class TestLagging:
    """A plane with revisions that shows the old condition for a while after a write."""

    BEFORE = state((ACTIVE, "ready"), revision=1, counters=True)
    LAGGING = state((ACTIVE, "ready"), revision=2, counters=True)

    def transport(self, *script: Any) -> MockTransport:
        """Return a plane that shows a script after the update."""
        answers = {"Get": got(self.BEFORE), "Update": lambda _: payload.UpdateResponse(app=self.LAGGING)}  # pyright: ignore[reportUnknownLambdaType]
        return scripted(answers, [created(self.LAGGING), *script])

    def test_the_condition_that_stood_before_does_not_count(self, run: Run) -> None:
        """Neither in the snapshot nor in an event; one with a later counter does."""
        new = state((ACTIVE, "ready"), (PENDING, "new"), (ACTIVE, "ready"), revision=2, counters=True)
        between = state((ACTIVE, "ready"), (PENDING, "new"), revision=2, counters=True)
        handle = replaced(
            run, self.transport(updated(self.LAGGING), updated(between), updated(new)), settle=60, poll=60
        )
        run(handle.watch)
        assert len(handle.pb2.status.conditions) == 3

    def test_an_old_failure_does_not_count_either(self, run: Run) -> None:
        """FAILED from before the write isn't the failure of the write."""
        before = state((FAILED, "crashed"), revision=1, counters=True)
        after = state((FAILED, "crashed"), revision=2, counters=True)
        new = state((FAILED, "crashed"), (ACTIVE, "ready"), revision=2, counters=True)
        answers = {"Get": got(before), "Update": lambda _: payload.UpdateResponse(app=after)}  # pyright: ignore[reportUnknownLambdaType]
        handle = replaced(run, scripted(answers, [created(after), updated(new)]), settle=60, poll=60)
        assert run(handle.watch).is_active()

    def test_an_event_of_an_older_revision_does_not_count(self, run: Run) -> None:
        """At any delay."""
        handle = replaced(run, self.transport(updated(self.BEFORE)), timeout=0.3, settle=60)
        with pytest.raises(WaitTimeout, match="revision 2"):
            run(handle.watch)


def test_scaled_to_zero_counts_as_active_and_says_so(run: Run) -> None:
    """`waited.scaled_to_zero` and the substate tell."""
    asleep = state((ACTIVE, "no traffic"), revision=1, substate=Substate.SCALED_TO_ZERO)
    handle = App(asleep, client_of(scripted({}, [created(asleep)])))
    run(handle.watch)
    assert handle.waited is not None
    assert handle.waited.scaled_to_zero
    assert handle.substate is Substate.SCALED_TO_ZERO


def test_an_app_that_is_gone_before_the_watch_opens(run: Run) -> None:
    """No snapshot and no event tell of it: it is found by reading."""
    missing = ConnectError(Code.NOT_FOUND, "no such app")
    transport = scripted({"Get": lambda _: missing}, [])  # pyright: ignore[reportUnknownLambdaType]
    handle = App(state((PENDING, ""), revision=1), client_of(transport))
    with pytest.raises(AppDeleted):
        run(handle.watch)


def test_changes_outlive_dropped_streams(run: Run) -> None:
    """Each state comes once, in order; what a new snapshot repeats is not given again."""
    one = state((PENDING, "one"), revision=1, counters=True)
    two = state((PENDING, "one"), (ACTIVE, "two"), revision=1, counters=True)
    three = state((PENDING, "three"), revision=2, counters=True)
    scripts = [[created(one), updated(two), BROKEN], [created(two), END], [created(three), deleted(three)]]
    handle = App(one, client_of(scripted({}, *scripts)))
    changes = run.items(handle.events, most=3)
    assert [change.kind for change in changes] == [ChangeKind.UPDATED, ChangeKind.UPDATED, ChangeKind.DELETED]
    assert [change.app.pb2 for change in changes] == [two, three, three]
    assert [change.old.pb2 for change in changes if change.old] == [one, two, three]


def test_changes_end_after_their_time(run: Run) -> None:
    """With a timeout the iteration ends by itself."""
    one = state((PENDING, "one"), revision=1)
    handle = App(one, client_of(scripted({"Get": got(one)}, [created(one)])))
    assert run.items(handle.events, timeout=0.1) == []


def batch(*lines: tuple[int, str], replica: str = "a") -> logs.TailLogsResponse:
    """Return a batch of lines of one replica, each with the second that it was written."""
    response = logs.TailLogsResponse()
    group = response.batches.logs.add()
    group.replica_id.name = replica
    for second, message in lines:
        group.structured_lines.add(message=message + "\n", timestamp={"seconds": second}, originator=1)  # pyright: ignore[reportArgumentType]
    return response


REPLICAS = logs.TailLogsResponse(replicas={"replicas": [{"name": "a"}]})


def test_log_lines_come_once(run: Run) -> None:
    """Every stream repeats the backlog; a line that says the same again is another line."""
    scripts = [
        [REPLICAS, batch((1, "up"), (2, "tick"), (2, "tick")), BROKEN],
        [REPLICAS, batch((1, "up"), (2, "tick"), (2, "tick"), (2, "tick")), END],
        [batch((2, "tick"), (3, "down"), replica="a"), batch((1, "up"), replica="b"), END],
        [END],
        [END],
        [END],
    ]
    handle = App(state((ACTIVE, ""), revision=1), client_of(scripted({}, *scripts)))
    lines = run.items(handle.logs)
    assert [str(line) for line in lines] == ["[a] up", "[a] tick", "[a] tick", "[a] tick", "[a] down", "[b] up"]
    assert lines[0].timestamp is not None
    assert lines[0].timestamp.timestamp() == 1


def test_the_backlog_alone(run: Run) -> None:
    """Without `follow` the first stream is the only one."""
    transport = scripted({}, [batch((1, "up")), END], [batch((2, "more")), END])
    handle = App(state((ACTIVE, ""), revision=1), client_of(transport))
    assert [line.message for line in run.items(handle.logs, follow=False)] == ["up"]
    assert len(transport.calls) == 1


def test_logs_that_are_not_there(run: Run) -> None:
    """An app that never started, and a plane without logs, are told apart."""
    missing = ConnectError(Code.NOT_FOUND, "no replicas found")
    for error, kind in ((missing, AppNotFound), (NO_LOGS, Unimplemented)):
        handle = App(state((PENDING, ""), revision=1), client_of(scripted({}, [error])))
        with pytest.raises(kind):
            run.items(handle.logs)


def test_shown_lines(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed as they come; with timestamps, and without the platform's own lines, where asked."""
    response = batch((1, "up"))
    response.batches.logs[0].structured_lines.add(message="[flyte] starting", timestamp={"seconds": 2})  # pyright: ignore[reportArgumentType]
    for options, shown in (
        ({}, "[a] up\n[a] [flyte] starting\n"),
        ({"filter_system": True, "show_ts": True}, "[1970-01-01T00:00:01+00:00] [a] up\n"),
    ):
        transport = scripted({}, [response, END], [END], [END], [END])
        run(App(state((ACTIVE, ""), revision=1), client_of(transport)).show_logs, **options)
        assert capsys.readouterr().out == shown


def test_the_last_words_of_a_failed_app(run: Run) -> None:
    """The error carries the last log lines where the plane gives them."""
    failed = state((FAILED, "exit 1"), revision=1)
    transport = scripted({}, [created(failed)], [REPLICAS, batch((1, "Traceback"), (2, "boom")), END])
    handle = App(failed, client_of(transport))
    with pytest.raises(DeploymentFailed) as caught:
        run(handle.watch)
    assert caught.value.log_lines == ("[a] Traceback", "[a] boom")
