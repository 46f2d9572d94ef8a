"""The log lines of an app, followed over streams that end whenever its replicas change.

Each new stream repeats the backlog; lines already emitted are recognized by their timestamp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.auth.streams import ServerStream
from flyteapps.errors import AppNotFound, CallerError, Error, ProtocolError, Unimplemented
from flyteapps.flows.methods import tail_logs
from flyteapps.flows.operations import Emit, Flow, ItemFlow, Now, Quiet, Sleep
from flyteapps.settings import Settings
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

IDLE_STREAMS = 3
"""Number of streams in a row without a new line that end the iteration: then no replica is left."""


BACKLOG_SILENCE_SECONDS = 1.0
"""Time without a message that ends a backlog: not every plane ends its stream."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log line.

    `timestamp`: None if the plane has none. `originator`: "USER", "SYSTEM" or "UNKNOWN". `message`: without a line
    end. `replica`: "" if the plane doesn't name one.
    """

    message: str
    timestamp: datetime | None = None
    originator: str = "UNKNOWN"
    replica: str = ""

    def __str__(self) -> str:
        return f"[{self.replica}] {self.message}" if self.replica else self.message


def request_of(identifier: definition.Identifier, replica: str | None, *, follow: bool = True) -> Any:
    """Return the request for the logs of an app, or of one of its replicas; without `follow` its stream ends."""
    from flyteidl2.app import app_logs_payload_pb2, replica_definition_pb2
    from flyteidl2.logs.dataplane import payload_pb2

    request = app_logs_payload_pb2.TailLogsRequest(app_id=identifier)
    if replica:
        request.replica_id.CopyFrom(replica_definition_pb2.ReplicaIdentifier(app_id=identifier, name=replica))
    if not follow:
        request.source = payload_pb2.PERSISTED_ONLY
    return request


def lines_of(response: Any) -> Iterator[LogLine]:
    """Return the lines of one TailLogsResponse; none for a replica list."""
    which = response.WhichOneof("resp")
    groups = [response.log_lines] if which == "log_lines" else response.batches.logs if which == "batches" else []
    for group in groups:
        replica = group.replica_id.name
        if group.structured_lines:
            for line in group.structured_lines:
                yield _structured(line, replica)
        else:
            for text in group.lines:
                yield LogLine(text.rstrip("\n"), replica=replica)


def _structured(line: Any, replica: str) -> LogLine:
    from flyteidl2.logs.dataplane import payload_pb2

    at = None
    if line.HasField("timestamp"):
        at = datetime.fromtimestamp(line.timestamp.seconds, UTC).replace(microsecond=line.timestamp.nanos // 1_000)
    names = {value: name for name, value in payload_pb2.LogLineOriginator.items()}
    return LogLine(line.message.rstrip("\n"), at, names.get(line.originator, "UNKNOWN"), replica)


class EmittedLines:
    """The record of emitted lines: for each replica the newest timestamp, and the messages at it."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[datetime, dict[str, int]]] = {}
        self._again: dict[str, dict[str, int]] = {}

    def reopened(self) -> None:
        """Record the begin of a new stream: equal lines at the newest timestamp may be repeated."""
        self._again = {replica: dict(messages) for replica, (_, messages) in self._newest.items()}

    def is_new(self, line: LogLine) -> bool:
        """Record a line, and return whether it is new; one without a timestamp always is."""
        if line.timestamp is None:
            return True
        empty: tuple[datetime | None, dict[str, int]] = (None, {})
        at, messages = self._newest.get(line.replica, empty)
        if at is not None and line.timestamp < at:
            return False
        if line.timestamp == at:
            again = self._again.get(line.replica, {})
            if again.get(line.message, 0):
                again[line.message] -= 1
                return False
        else:
            messages = {}
            self._again.pop(line.replica, None)
        messages[line.message] = messages.get(line.message, 0) + 1
        self._newest[line.replica] = (line.timestamp, messages)
        return True


def follow_logs(
    settings: Settings, identifier: definition.Identifier, replica: str | None, follow: bool
) -> ItemFlow[LogLine]:
    """Emit the lines of an app as they arrive, until no replica is left, or without `follow` until the backlog ends.

    Raises AppNotFound if the app has never started, Unimplemented if the plane serves no logs.
    """
    emitted, any_emitted, idle, drops = EmittedLines(), False, 0, 0
    while True:
        emitted.reopened()
        fresh, stream = False, ServerStream(settings, tail_logs(), request_of(identifier, replica, follow=follow))
        try:
            yield from stream.open()
            patience = None if follow else settings.timeout
            while not isinstance(message := (yield from stream.next(patience)), Quiet):
                patience = None if follow else BACKLOG_SILENCE_SECONDS
                for line in lines_of(message):
                    if emitted.is_new(line):
                        fresh = any_emitted = True
                        yield Emit(line)
            drops = 0
        except AppNotFound:
            if any_emitted:
                return  # the app was stopped or deleted meanwhile
            raise
        except Error as error:
            drops += 1
            if isinstance(error, CallerError | ProtocolError | Unimplemented) or drops > settings.retries.attempts:
                raise
        yield from stream.close()
        idle = 0 if fresh else idle + 1
        if not follow or (idle >= IDLE_STREAMS and not drops):
            return
        yield Sleep(settings.retries.pause(max(idle, drops, 1)))


def read_backlog(
    settings: Settings, identifier: definition.Identifier, seconds: float, max_lines: int
) -> Flow[tuple[LogLine, ...]]:
    """Return the last lines of the backlog, at most `max_lines`, read within `seconds`. Raises Error."""
    until: float = seconds + (yield Now())
    stream = ServerStream(settings, tail_logs(), request_of(identifier, None), until)
    yield from stream.open()
    lines: list[LogLine] = []
    while True:
        left = until - (yield Now())
        patience = min(left, seconds / 4 if lines else left)
        message = (yield from stream.next(patience)) if left > 0 else Quiet.SILENCE
        if isinstance(message, Quiet):
            break
        lines = [*lines, *lines_of(message)][-max_lines:]
    yield from stream.close()
    return tuple(lines)
