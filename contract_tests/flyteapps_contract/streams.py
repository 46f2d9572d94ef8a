"""Open streams as checks read them: watches, leases, logs. Each remembers its messages; a wait in vain is Broken."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.logs.dataplane import payload_pb2 as logs
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Broken, NotOffered, Refused, StreamEnded
from flyteapps_contract.run import Ending
from flyteapps_contract.targets.target import QueueStream

PATIENCE = 20.0
"""Real seconds that something expected may take."""
DOUBTFUL_SECONDS = 2.0
"""The same on a plane that is known to leave out what is waited for."""
QUIET = 0.05
"""Real seconds in which what must not come would come, where no later event can show that it didn't."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event of a watch: its kind ("create", "update", "delete"), the app as it leaves it, and the one before."""

    kind: str
    app: model.App
    old: model.App | None

    @property
    def name(self) -> str:
        """The app's name."""
        return self.app.metadata.id.name


class OpenStream:
    """An open stream."""

    def __init__(self, queue_stream: QueueStream) -> None:
        self._queue_stream = queue_stream
        self.ending = Ending()

    def pause(self) -> None:
        """Leave on the wire what comes from now on, save one message."""
        self._queue_stream.pause()

    def resume(self) -> None:
        """Read on."""
        self._queue_stream.resume()

    def close(self) -> None:
        """End the stream from this side."""
        self._queue_stream.close()


class _Reading(OpenStream, Generic[T]):
    """An open stream of messages that are one thing each; remembers them in `seen`."""

    def __init__(self, queue_stream: QueueStream) -> None:
        super().__init__(queue_stream)
        self.seen: list[T] = []
        self.doubtful = False
        """Whether the plane is known to leave out some of what is waited for."""

    @abstractmethod
    def _read(self, message: Message) -> T:
        """Return what a message says."""

    def poll(self, seconds: float = 0.0) -> T | None:
        """Return the next one, None where none came in time. Raises Refused or StreamEnded at the stream's end."""
        try:
            message = self._queue_stream.next(self.ending.at_most(seconds))
        except (Refused, StreamEnded):
            self.ending.require_time()  # ended by this side, together with the run
            raise
        if message is None:
            self.ending.require_time()
            return None
        thing = self._read(message)
        self.seen.append(thing)
        return thing

    def next(self, what: str = "an event") -> T:
        """Return the next one; Broken where none comes."""
        patience = DOUBTFUL_SECONDS if self.doubtful else PATIENCE
        try:
            thing = self.poll(patience)
        except StreamEnded as end:
            raise Broken(f"waiting for {what}: {end}") from end
        if thing is None:
            raise Broken(f"waiting for {what}: nothing came within {patience:g} s")
        return thing

    def until(self, wanted: Callable[[T], bool], what: str) -> list[T]:
        """Return those up to the first that is wanted, that one included; Broken where it doesn't come."""
        things: list[T] = []
        while not things or not wanted(things[-1]):
            things.append(self.next(what))
        return things

    def end(self, what: str = "the stream's end") -> Refused | None:
        """Return how the stream ends, None for an end without error; Broken where it stays open."""
        deadline = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < deadline:
                self.poll(PATIENCE)
        except Refused as error:
            return error
        except StreamEnded:
            return None
        raise Broken(f"waiting for {what}: the stream stayed open for {PATIENCE:g} s")


class Watcher(_Reading[WatchEvent]):
    """An open Watch; `of_cluster`: an app may leave its target and come back."""

    of_cluster = False

    def _read(self, message: Message) -> WatchEvent:
        assert isinstance(message, rpc.WatchResponse)
        match message.WhichOneof("event"):
            case "create_event":
                return WatchEvent("create", message.create_event.app, None)
            case "update_event":
                event = message.update_event
                return WatchEvent("update", event.updated_app, event.old_app if event.HasField("old_app") else None)
            case "delete_event":
                return WatchEvent("delete", message.delete_event.app, None)
            case _:
                raise Broken("a WatchResponse without an event")


class _Optional(_Reading[T]):
    """A stream of an RPC that a plane may not have."""

    def poll(self, seconds: float = 0.0) -> T | None:
        """Return the next one. Raises NotOffered where the plane has no such RPC."""
        try:
            return super().poll(seconds)
        except Refused as error:
            if error.code == "UNIMPLEMENTED":
                raise NotOffered(f"the plane has no such stream: {error.message}") from error
            raise


class Leases(_Optional[list[model.App]]):
    """An open Lease: batches of apps."""

    def _read(self, message: Message) -> list[model.App]:
        assert isinstance(message, rpc.LeaseResponse)
        return list(message.apps)

    def take(self, count: int, what: str = "leased apps") -> list[model.App]:
        """Return the next `count` apps, of one batch or several; Broken where fewer come, or more in the last batch."""
        apps: list[model.App] = []
        while len(apps) < count:
            apps += self.next(f"{what} ({len(apps)} of {count} came)")
        if len(apps) > count:
            raise Broken(f"waiting for {what}: {len(apps)} came, not {count}")
        return apps


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a replica's log; `at` in nanoseconds since 1970."""

    replica: str
    at: int
    text: str
    originator: int


class LogTail(_Optional[logs_rpc.TailLogsResponse]):
    """An open TailLogs."""

    def _read(self, message: Message) -> logs_rpc.TailLogsResponse:
        assert isinstance(message, logs_rpc.TailLogsResponse)
        return message

    def replicas(self) -> list[str]:
        """Return the names of the replicas, which have to come first."""
        first = self.next("the replicas")
        if first.WhichOneof("resp") != "replicas":
            raise Broken(f"the first message should list the replicas, but is of {first.WhichOneof('resp')}")
        return [each.name for each in first.replicas.replicas]

    def rest(self) -> list[LogLine]:
        """Return the lines of a stream that ends, up to there."""
        before = len(self.seen)
        end = self.end("the end of the log")
        if end is not None:
            raise end
        return [line for message in self.seen[before:] for line in lines_of(message)]

    def lines_until(self, wanted: Callable[[LogLine], bool], what: str) -> list[LogLine]:
        """Return the lines up to and with the message that has a wanted one."""
        messages = self.until(lambda message: any(map(wanted, lines_of(message))), what)
        return [line for message in messages for line in lines_of(message)]


def lines_of(message: logs_rpc.TailLogsResponse) -> list[LogLine]:
    """Return the structured lines of a message."""
    return [
        LogLine(
            group.replica_id.name,
            line.timestamp.seconds * 1_000_000_000 + line.timestamp.nanos,
            line.message,
            line.originator,
        )
        for group in message.batches.logs
        for line in group.structured_lines
    ]


SYSTEM, USER = logs.SYSTEM, logs.USER
