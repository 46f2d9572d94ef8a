"""Changes of apps and their watchers: every commit is one event, encoded once, shared by all streams.

A subscription is a snapshot and everything after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import CREATE_EVENT, DELETE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.streams import OpenStream, Streams
from flyteapps_fake.core.time.causes import UNKNOWN, Cause
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.store import Scope, scopes_of

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Bytes of the apps in the events that a watcher may fall behind, whatever their number; one event always fits."""

WatchScope = Scope
"""A Scope, or ("app", PROJECT, DOMAIN, NAME)."""


class Event:
    """One committed change: what the app was and what it became (None: absent), and its cause."""

    __slots__ = ("_encoded", "batch", "cause", "new", "old", "size")

    def __init__(self, old: AppRecord | None, new: AppRecord | None, cause: Cause = UNKNOWN, batch: int = 0) -> None:
        self.cause = cause
        self.batch = batch
        """The batch of changes that it belongs to."""
        self.old = old
        self.new = new
        self.size = (old.size if old is not None else 0) + (new.size if new is not None else 0)
        """Bytes of its apps."""
        self._encoded: dict[int, bytes] = {}

    @property
    def place(self) -> tuple[str, str]:
        """The project and the domain of its app."""
        record = self.new or self.old
        return (record.key.project, record.key.domain) if record is not None else ("", "")

    def encoded(self, kind: int) -> bytes:
        """Return the event as a WatchResponse of that kind."""
        found = self._encoded.get(kind)
        if found is None:
            found = self._encoded[kind] = self._encode(kind)
        return found

    def _encode(self, kind: int) -> bytes:
        shown = self.old if kind == DELETE_EVENT else self.new
        body = field(1, shown.encoded) if shown is not None else b""
        if kind == UPDATE_EVENT and self.old is not None:
            body += field(2, self.old.encoded)
        return field(kind, body)


class Subscription(OpenStream):
    """One open Watch, of the apps that its caller may see."""

    def __init__(
        self,
        log: EventLog,
        scope: WatchScope | None,
        snapshot: Iterable[AppRecord],
        since: Iterable[Event],
        buffer: int,
    ) -> None:
        super().__init__(scope, log.remove)
        self._sees = sees = log.sees
        self._snapshot = deque(snapshot)
        self._since = deque(since)
        if sees is not None:
            self._snapshot = deque(each for each in self._snapshot if sees(each.key.project, each.key.domain))
            self._since = deque(each for each in self._since if sees(*each.place))
        self._queue: deque[tuple[Event, int]] = deque()
        self._changes = log.changes
        self._opened_in = log.changes.shown_batch
        """The batch of the last change that the snapshot may show."""
        self._buffer = buffer
        self._waiting_bytes = 0

    def _next(self) -> bytes | None:
        if (self._snapshot or self._since) and not self._changes.is_safe(self._opened_in, self):
            return None
        if self._snapshot:
            return Event(None, self._snapshot.popleft()).encoded(CREATE_EVENT)
        while self._since:
            event = self._since.popleft()
            kind = kind_of(event, self.scope) if self.scope is not None else None
            if kind is not None:
                return event.encoded(kind)
        if self._queue:
            event, kind = self._queue[0]
            if event.batch and not self._changes.is_safe(event.batch, self):
                return None
            self._queue.popleft()
            self._waiting_bytes -= event.size
            self.cause = event.cause
            return event.encoded(kind)
        return None

    def _ready(self) -> bool:
        if self._snapshot or self._since:
            return self._changes.is_safe(self._opened_in, self)
        return bool(self._queue) and self._changes.is_safe(self._queue[0][0].batch, self)

    def _holds_back(self) -> bool:
        return bool(self._snapshot or self._since or self._queue)

    def push(self, event: Event, kind: int) -> None:
        """Queue an event; end the stream if its watcher has fallen too far behind."""
        if self._end is not None or (self._sees is not None and not self._sees(*event.place)):
            return
        self.waiting = False
        if len(self._queue) >= self._buffer:
            message = f"this watcher fell more than {self._buffer} events behind; open a new one"
            self.end(RpcError(Code.RESOURCE_EXHAUSTED, message))
            return
        if self._queue and self._waiting_bytes + event.size > MAX_WAITING_BYTES:
            message = f"this watcher fell more than {MAX_WAITING_BYTES:,} bytes of apps behind; open a new one"
            self.end(RpcError(Code.RESOURCE_EXHAUSTED, message))
            return
        self._waiting_bytes += event.size
        self._queue.append((event, kind))
        if not event.batch or self._changes.is_safe(event.batch, self):
            self.notify()


class EventLog(Streams):
    """The open streams by scope, to which each event is fanned out; no event is stored."""

    def __init__(self, buffer: int, lock: AbstractContextManager[object], changes: Changes) -> None:
        super().__init__(lock)
        self._buffer = buffer
        self.changes = changes

    def subscribe(
        self, scope: WatchScope | None, snapshot: Iterable[AppRecord], since: Iterable[Event] = ()
    ) -> Subscription:
        """Open a subscription; a scope of None never matches. `since`: the events after an old snapshot."""
        subscription = Subscription(self, scope, snapshot, since, self._buffer)
        self.add(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Push the event to every stream that watches it."""
        streams = self._streams
        if not streams:
            return
        before = watch_scopes(event.old) if event.old is not None else ()
        after = watch_scopes(event.new) if event.new is not None else ()
        for scope in dict.fromkeys((*before, *after)):
            members = streams.get(scope)
            if members:
                was, is_in = scope in before, scope in after
                kind = UPDATE_EVENT if was and is_in else CREATE_EVENT if is_in else DELETE_EVENT
                for stream in tuple(members):
                    stream.push(event, kind)


def kind_of(event: Event, scope: WatchScope) -> int | None:
    """Return the kind of an event in a scope; None where the app isn't in it before or after."""
    was = event.old is not None and scope in watch_scopes(event.old)
    is_in = event.new is not None and scope in watch_scopes(event.new)
    return UPDATE_EVENT if was and is_in else CREATE_EVENT if is_in else DELETE_EVENT if was else None


def app_scope(key: AppKey) -> WatchScope:
    """Return the scope of one app."""
    return ("app", key.project, key.domain, key.name)


def watch_scopes(record: AppRecord) -> tuple[WatchScope, ...]:
    """Return the scopes of all watches that see the app."""
    return (app_scope(record.key), *scopes_of(record))
