"""TailLogs: the replicas of a request, their lines in order of time, and the end of the stream.

Streams hold no lines: what a client has not read yet is computed when it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby, repeat

from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_logs_payload_pb2 import LogLines, TailLogsRequest, TailLogsResponse
from flyteidl2.app.replica_definition_pb2 import ReplicaIdentifier
from flyteidl2.logs.dataplane import payload_pb2 as logs

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.log_tails import Tail
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.time.clock import timestamp
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import STANDARD_APPS, State
from flyteapps_fake.standard.replicas import Replica
from flyteapps_fake.standard.watch import Event, app_scope

MAX_LINES = 100
"""Lines in one message."""


def tail_logs(state: State, request: TailLogsRequest) -> LogStream:
    """Return a stream of the lines of an app's replicas, or of one of them."""
    one = request.HasField("replica_id")
    app_id = request.replica_id.app_id if one else request.app_id
    record = state.require(AppKey.of(app_id))
    live, ended = state.replicas.live(record), state.replicas.ended(record)
    if one:
        name = request.replica_id.name
        live, ended = ([each for each in kept if each.name == name] for kept in (live, ended))
        if not (live or ended):
            raise RpcError(Code.NOT_FOUND, f"app {record.key} has no replica {quoted(name)}")
    if request.source == logs.LIVE_ONLY and not live:
        raise RpcError(Code.NOT_FOUND, f"app {record.key} has no replica that runs: there are no live logs")
    if not (live or ended):
        raise RpcError(Code.NOT_FOUND, f"app {record.key} has never started: there are no logs yet")
    if request.source == logs.PERSISTED_ONLY:
        return LogStream(state, record, [*ended, *live], follow=False)
    if live:
        return LogStream(state, record, list(live), follow=True)
    return LogStream(state, record, ended, follow=False)


class LogStream(Tail):
    """The lines of some replicas: their ids, the backlog, and new lines as long as no replica begins or ends."""

    def __init__(self, state: State, record: AppRecord, replicas: list[Replica], *, follow: bool) -> None:
        self._state = state
        self._record = record
        self._replicas = tuple(replicas)
        self._follow = follow
        self._source = logs.LOG_LINE_SOURCE_LIVE if follow else logs.LOG_LINE_SOURCE_PERSISTED
        self._read = 0
        """The time up to which lines were taken."""
        self._until: int | None = None
        """The time at which the set of replicas changed."""
        first = TailLogsResponse()
        first.replicas.replicas.extend(self._ids())
        entry = Entry(STANDARD_APPS, record.key)
        super().__init__(app_scope(record.key), state.events, state.timeline, encode(first), entry)

    def push(self, event: Event, kind: int) -> None:
        """Follow a change of the app: new lines, or the end of a replica."""
        if event.new is not None:
            self._record = event.new
        if self._until is None and (event.new is None or not self._same()):
            self._until = self._state.clock.now()
        self.stir()

    def _same(self) -> bool:
        """Return whether the replicas that are followed are still those that run."""
        living = self._state.replicas.living(self._record.key)
        if any(each.life not in living for each in self._replicas):
            return False
        return len(self._replicas) == 1 or len(living) == len(self._replicas)

    def _over(self) -> bool:
        return self._until is not None or not self._follow

    def _since(self) -> Iterator[bytes]:
        after, until = self._read, self._until or self._state.clock.now()
        self._read = until
        found = self._state.lines.between(self._record, self._replicas, after, until)
        lines = [zip(lines, repeat(replica)) for lines, replica in zip(found, self._replicas, strict=True)]
        return self._messages(merge(*lines, key=lambda pair: pair[0].at))

    def _messages(self, lines: Iterable[tuple[Line, Replica]]) -> Iterator[bytes]:
        for replica, run in groupby(lines, key=lambda pair: pair[1]):
            batch: list[Line] = []
            for line, _ in run:
                batch.append(line)
                if len(batch) == MAX_LINES:
                    yield self._message(replica, batch)
                    batch = []
            if batch:
                yield self._message(replica, batch)

    def _message(self, replica: Replica, lines: list[Line]) -> bytes:
        response = TailLogsResponse()
        group: LogLines = response.batches.logs.add()
        group.replica_id.CopyFrom(self._id(replica))
        group.source = self._source
        for line in lines:
            group.structured_lines.add(
                timestamp=timestamp(line.at),
                message=line.text,
                originator=logs.SYSTEM if line.system else logs.USER,
            )
        return encode(response)

    def _next_at(self) -> int | None:
        return self._state.lines.next_at(self._record, self._replicas, self._read)

    def _ids(self) -> list[ReplicaIdentifier]:
        return [self._id(each) for each in self._replicas]

    def _id(self, replica: Replica) -> ReplicaIdentifier:
        key = self._record.key
        where = Identifier(org=key.org, project=key.project, domain=key.domain, name=key.name)
        return ReplicaIdentifier(app_id=where, name=replica.name)
