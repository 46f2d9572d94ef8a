"""Logs in flyte-oss: rows OSS-35 to OSS-37."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import replica_definition_pb2 as replica_model

from flyteapps_contract.checks.support.oss import rests, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Refused, StreamEnded
from flyteapps_contract.session import Session
from flyteapps_contract.streams import USER, LogTail, lines_of

AT_ONCE = 100
"""Log streams at once."""
BATCH, BACKLOG = 100, 1_000
"""Lines of a batch, and of what was logged before, at most."""
ARRIVAL = 0.5


def _of(app_id: model.Identifier) -> logs_rpc.TailLogsRequest:
    return logs_rpc.TailLogsRequest(app_id=app_id)


def _ended(tail: LogTail) -> None:
    """Raise what the stream ends with."""
    error = tail.end()
    if error is not None:
        raise error


@check("OSS-35", needs=("cluster",))
def logs_without_replicas_are_not_found(s: Session) -> None:
    """Logs of an absent app, and of a stopped one once its replicas are gone, are NOT_FOUND."""
    with expect_refusal("NOT_FOUND", "the logs of an absent app", opening="no replicas found"):
        _ended(s.logs(_of(s.id())))
    app = stopped(s, s.given_active())
    if s.capabilities.clock:
        s.advance(60.0)
        with expect_refusal("NOT_FOUND", "the logs of a stopped app", opening="no replicas found"):
            _ended(s.logs(_of(app.metadata.id)))


@check("OSS-35")
def an_unknown_replica_is_listed_and_not_found(s: Session) -> None:
    """Of a replica that isn't there the list comes, with its name, and then NOT_FOUND."""
    replica = replica_model.ReplicaIdentifier(app_id=s.given().metadata.id, name="nope")
    tail = s.logs(logs_rpc.TailLogsRequest(replica_id=replica))
    expect_equal(tail.replicas(), ["nope"], "the replicas that the stream lists")
    with expect_refusal("NOT_FOUND", "the logs of an unknown replica", opening="pod nope not found in namespace"):
        _ended(tail)


@check("OSS-35")
def a_log_stream_needs_a_target(s: Session) -> None:
    """Without a target, or a replica's name, it is INVALID_ARGUMENT."""
    text = "target (app_id or replica_id) is required"
    with expect_refusal("INVALID_ARGUMENT", "logs of nothing", opening=text):
        _ended(s.logs(logs_rpc.TailLogsRequest()))
    text = "replica_id with app_id and name is required"
    for replica in (replica_model.ReplicaIdentifier(app_id=s.id()), replica_model.ReplicaIdentifier(name="x")):
        with expect_refusal("INVALID_ARGUMENT", "logs of half a replica", opening=text):
            _ended(s.logs(logs_rpc.TailLogsRequest(replica_id=replica)))


@check("OSS-36", needs=("cluster",))
def logs_come_in_batches(s: Session) -> None:
    """First the replicas, then their last lines, in batches of one replica and at most 100, of originator USER."""
    app = s.app()
    app.spec.autoscaling.replicas.min = app.spec.autoscaling.replicas.max = 1
    s.given(app)
    s.until(app.metadata.id, rests)
    if s.capabilities.clock:
        s.advance(3_600.0)
    tail = s.logs(_of(app.metadata.id))
    replicas = tail.replicas()
    expect(replicas, "an active app should have a replica")
    count = 0
    try:
        while (message := tail.poll(ARRIVAL)) is not None:
            expect_equal(message.WhichOneof("resp"), "batches", "what follows the replicas")
            expect_equal(len(message.batches.logs), 1, "the replicas in one batch")
            lines = lines_of(message)
            expect(0 < len(lines) <= BATCH, f"a batch should have 1 to {BATCH} lines, not {len(lines)}")
            expect({line.replica for line in lines} <= set(replicas), "lines should be of a replica that was listed")
            expect_equal({line.originator for line in lines}, {USER}, "the originators of the lines")
            count += len(lines)
            if count > BACKLOG * len(replicas):
                break
    except StreamEnded:
        pass
    if s.capabilities.clock:
        expect(count <= BACKLOG * len(replicas), f"of each replica the last {BACKLOG} lines should come, not {count}")


@check("OSS-37", needs=("fresh", "cluster"))
def there_are_only_so_many_log_streams(s: Session) -> None:
    """Of 100 open log streams the next is RESOURCE_EXHAUSTED, and one more is taken where one was closed."""
    app = s.given_active()
    tails = [s.logs(_of(app.metadata.id)) for _ in range(AT_ONCE)]
    for tail in tails:
        tail.replicas()
    with expect_refusal("RESOURCE_EXHAUSTED", "a log stream too many", opening="too many concurrent log streams"):
        _ended(s.logs(_of(app.metadata.id)))
    tails.pop().close()
    for _ in range(AT_ONCE):
        try:
            s.logs(_of(app.metadata.id)).replicas()
        except Refused as error:
            expect_equal(error.code, "RESOURCE_EXHAUSTED", "the code of a log stream too many")
        else:
            return
    expect(False, "where a log stream was closed another should be taken")
