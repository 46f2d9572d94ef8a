"""TailLogs: rows LO-1 and LO-2.

The apps are run by a cluster of the check's own (clusters.py), so that their replicas are those that it reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as rpc
from flyteidl2.app import replica_definition_pb2 as replicas
from flyteidl2.logs.dataplane import payload_pb2 as logs

from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.session import ACTIVE, DEPLOYING, PENDING, STOP, Session, copy
from flyteapps_contract.streams import SYSTEM, USER, LogLine, LogTail

S = model.Status
RUNNING = S.RUNNING
ANY, LIVE, KEPT = logs.LIVE_OR_PERSISTED, logs.LIVE_ONLY, logs.PERSISTED_ONLY
"""The sources of lines; ANY is also the meaning of an unset source."""
BATCH, BACKLOG = 100, 1_000
DAY = 86_400.0


# ---- LO-1


@check("LO-1")
def logs_of_what_is_not_there_are_not_found(s: Session) -> None:
    """An absent app, an unknown replica, and an app that never started: NOT_FOUND."""
    mine = Cluster(s)
    running = _given_running(mine, 1)
    for what, request in (
        ("an absent app", _of(s.app())),
        ("an app that never started", _of(s.given_stopped())),
        ("an app that waits for a cluster", _of(s.given(Cluster(s).app()))),
        ("an app that was only accepted", _of(mine.given(PENDING))),
        ("an unknown replica", _of_replica(running, "nobody")),
        ("a replica of an absent app", _of_replica(s.app(), "nobody")),
    ):
        for source in (ANY, LIVE, KEPT):
            request.source = source
            _expect_not_found(s, request, what)


@check("LO-1")
def live_lines_need_a_replica(s: Session) -> None:
    """LIVE_ONLY without replicas is NOT_FOUND, of a stopped app and of one at zero."""
    mine = Cluster(s)
    for app in (_given_stopped(mine), _given_at_zero(mine)):
        _expect_not_found(s, _of(app, LIVE), "the live lines of an app without replicas")


@check("LO-1")
def the_lines_of_an_app_without_replicas_stay(s: Session) -> None:
    """The lines of a stopped app and of one at zero are served from where they are kept, then the stream ends."""
    mine = Cluster(s)
    for app in (_given_stopped(mine), _given_at_zero(mine)):
        for source in (ANY, KEPT):
            tail = s.logs(_of(app, source))
            expect(tail.replicas(), "an app that ran has no replicas in its log")
            expect(tail.rest(), "an app that ran has no lines in its log")


@check("LO-1")
def source_unset_is_live_or_persisted(s: Session) -> None:
    """Without a source a running app's lines are those that run with LIVE_ONLY."""
    mine = Cluster(s)
    app = _given_running(mine, 2)
    reported: list[list[LogLine]] = []
    for source in (ANY, LIVE):
        tail = s.logs(_of(app, source))
        names = tail.replicas()
        expect_equal(len(names), 2, "the replicas in the log of an app with 2")
        reported.append(_until_running(tail))
        tail.close()
    expect_equal(reported[1], reported[0], "the lines with LIVE_ONLY, beside those without a source")


@check("LO-1")
def the_persisted_lines_of_a_running_app_end(s: Session) -> None:
    """PERSISTED_ONLY of a running app gives what was logged so far, then the stream ends."""
    mine = Cluster(s)
    app = _given_running(mine, 1)
    live = s.logs(_of(app))
    live.replicas()
    lines = _until_running(live)
    tail = s.logs(_of(app, KEPT))
    expect_equal(len(tail.replicas()), 1, "the replicas in the persisted log")
    expect_equal(tail.rest()[: len(lines)], lines, "the persisted lines")


# ---- LO-2


@check("LO-2")
def a_log_begins_with_the_replicas(s: Session) -> None:
    """The first message lists the replicas, with the app's id; only they have lines, each batch of one of them."""
    mine = Cluster(s)
    app = _given_running(mine, 3)
    tail = s.logs(_of(app))
    names = tail.replicas()
    expect_equal(len(set(names)), 3, "the names of the replicas of an app with 3")
    for each in tail.seen[0].replicas.replicas:
        expect_equal(each.app_id, app.metadata.id, "the app of a replica")
    lines = tail.lines_until(lambda line: line.replica == names[2] and "RUNNING" in line.text, "lines of the last")
    expect_equal(sorted({line.replica for line in lines}), sorted(names), "the replicas that have lines")
    for message in tail.seen[1:]:
        expect(message.WhichOneof("resp") == "batches", f"a later message is of {message.WhichOneof('resp')}")
        for group in message.batches.logs:
            expect(0 < len(group.structured_lines) <= BATCH, f"a batch has {len(group.structured_lines)} lines")
            expect_equal(group.replica_id.app_id, app.metadata.id, "the app of a batch")


@check("LO-2")
def a_line_has_a_time_and_an_originator(s: Session) -> None:
    """Lines carry a time, a text and who says it; those of one replica are in order of time."""
    mine = Cluster(s)
    app = _given_running(mine, 1)
    lines = _lines(s, app)
    for line in lines:
        expect(line.at >= _nanoseconds(app), f"a line is older than its app: {line}")
        expect(line.text, "a line is empty")
        expect(line.originator in (SYSTEM, USER), f"a line's originator is {line.originator}")
    expect(all(before.at <= after.at for before, after in pairwise(lines)), "the lines are not in order of time")


@check("LO-2")
def a_log_follows(s: Session) -> None:
    """An open log gets a line for each further transition of the app, later than those before."""
    mine = Cluster(s)
    app = _given_running(mine, 1)
    tail = s.logs(_of(app))
    tail.replicas()
    known = _until_running(tail)
    for number in range(3):
        app = mine.report(app, ACTIVE, substate=RUNNING, message=f"word {number}", replicas=1)
        lines = tail.lines_until(lambda line, number=number: f"word {number}" in line.text, "a line of a transition")
        expect(lines[0].at > known[-1].at, "a line that follows should be later than those before")
        known += lines
    expect_equal(len(set(known)), len(known), "the number of lines, none twice")


@check("LO-2")
def a_log_ends_with_its_replicas(s: Session) -> None:
    """The stream ends without an error when the set of replicas changes: scaled up, down, to zero, a new revision."""
    mine = Cluster(s)
    for replicas_ in (3, 1, 0):
        app = _given_running(mine, 2)
        tail = s.logs(_of(app))
        tail.replicas()
        _until_running(tail)
        mine.given_reports(app, ACTIVE, substate=RUNNING, replicas=replicas_, message="scaled")
        _expect_over(tail, f"the replicas became {replicas_}")
    app = _given_running(mine, 1)
    tail = s.logs(_of(app))
    tail.replicas()
    asked = copy(app)
    asked.spec.container.image = "img:2"
    mine.given_reports(s.given_update(asked), DEPLOYING, ACTIVE, replicas=1)
    _expect_over(tail, "a new revision was deployed")


@check("LO-2")
def a_backlog_comes_again(s: Session) -> None:
    """After a reconnect the same lines come again, with identical times."""
    mine = Cluster(s)
    app = _given_running(mine, 2)
    first = _lines(s, app)
    for number in range(5):
        app = mine.report(app, ACTIVE, substate=RUNNING, message=f"word {number}")
    tail = s.logs(_of(app))
    tail.replicas()
    again = tail.lines_until(lambda line: "word 4" in line.text, "the last line")
    missing = set(first) - set(again)
    expect(not missing, f"a line of before a reconnect is not among those after it: {sorted(missing, key=str)[:1]}")


@check("LO-2")
def one_replica_can_be_followed(s: Session) -> None:
    """By its id one replica's lines come alone, and are those that it has in the app's log."""
    mine = Cluster(s)
    app = _given_running(mine, 2)
    tail = s.logs(_of(app))
    names = tail.replicas()
    both = tail.lines_until(lambda line: line.replica == names[1] and "RUNNING" in line.text, "lines of the last")
    for name in names:
        alone = s.logs(_of_replica(app, name))
        expect_equal(alone.replicas(), [name], "the replicas in the log of one")
        lines = _until_running(alone)
        expect_equal({line.replica for line in lines}, {name}, "whose lines come in the log of one")
        shown = [line for line in both if line.replica == name]
        least = min(len(shown), len(lines))  # the app goes on logging while it is read twice
        expect_equal(lines[:least], shown[:least], "the lines of one replica")


@check("LO-2", needs=("clock",))
def a_backlog_is_the_last_thousand_lines(s: Session) -> None:
    """Of a long log the last 1,000 lines of a replica come, in batches of at most 100."""
    mine = Cluster(s)
    app = _given_running(mine, 1)
    for _ in range(7):
        s.advance(DAY / 2)
    last = mine.report(app, ACTIVE, substate=RUNNING, message="the last word")
    tail = s.logs(_of(last))
    tail.replicas()
    lines = tail.lines_until(lambda line: "the last word" in line.text, "the last line")
    expect(len(lines) <= BACKLOG, f"the backlog of a replica has {len(lines)} lines, more than {BACKLOG}")
    sizes = [len(group.structured_lines) for message in tail.seen[1:] for group in message.batches.logs]
    expect(max(sizes) <= BATCH, f"a batch has {max(sizes)} lines, more than {BATCH}")


# ---- what they share


def _given_running(cluster: Cluster, count: int) -> model.App:
    """Return an app that runs with so many replicas, and has said so."""
    return cluster.given(ACTIVE, substate=RUNNING, replicas=count)


def _given_stopped(cluster: Cluster) -> model.App:
    app = copy(_given_running(cluster, 2))
    app.spec.desired_state = STOP
    return cluster.given_stopped(app)


def _given_at_zero(cluster: Cluster) -> model.App:
    return cluster.given_reports(_given_running(cluster, 1), ACTIVE, substate=S.SCALED_TO_ZERO, replicas=0)


def _of(app: model.App, source: logs.LogsSource = ANY) -> rpc.TailLogsRequest:
    return rpc.TailLogsRequest(app_id=app.metadata.id, source=source)


def _of_replica(app: model.App, name: str) -> rpc.TailLogsRequest:
    return rpc.TailLogsRequest(replica_id=replicas.ReplicaIdentifier(app_id=app.metadata.id, name=name))


def _until_running(tail: LogTail) -> list[LogLine]:
    """Return the lines up to the one that says that the app runs."""
    return tail.lines_until(lambda line: "RUNNING" in line.text, "the line that says that the app runs")


def _lines(s: Session, app: model.App) -> Sequence[LogLine]:
    tail = s.logs(_of(app))
    tail.replicas()
    lines = _until_running(tail)
    tail.close()
    return lines


def _expect_not_found(s: Session, request: rpc.TailLogsRequest, what: str) -> None:
    with expect_refusal("NOT_FOUND", f"the log of {what}, source {request.source}"):
        s.logs(request).next("an answer")


def _expect_over(tail: LogTail, why: str) -> None:
    end = tail.end(f"the end of a log after {why}")
    expect(end is None, f"after {why} the log should end without an error, not with {end}")


def _nanoseconds(app: model.App) -> int:
    return app.status.created_at.seconds * 1_000_000_000 + app.status.created_at.nanos
