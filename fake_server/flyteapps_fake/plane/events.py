"""Changes of apps and who watches them: every commit is one event, encoded once, shared by all streams.

A subscription is a snapshot and everything after it. Nothing here reads a clock or does IO.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from flyteapps_fake.plane.apps import AppKey, AppRecord, Scope, scopes_of
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.wire import field

CREATE_EVENT, UPDATE_EVENT, DELETE_EVENT = 1, 2, 3

WatchScope = Scope
"""A Scope, or ("app", PROJECT, DOMAIN, NAME)."""


class Event:
    """One committed change: what the app was and what it became (None: absent)."""

    __slots__ = ("_encoded", "new", "old")

    def __init__(self, old: AppRecord | None, new: AppRecord | None) -> None:
        self.old = old
        self.new = new
        self._encoded: dict[int, bytes] = {}

    def encoded(self, kind: int) -> bytes:
        """The event as a WatchResponse of that kind."""
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


class Subscription:
    """One open Watch: take what is there, wait to be woken, take again."""

    def __init__(self, log: EventLog, scope: WatchScope | None, snapshot: Iterable[AppRecord], buffer: int) -> None:
        self.wake: Callable[[], None] | None = None
        self.scope = scope
        self.waiting = False
        self.confirmed_at = 0.0
        self.opened = 0
        self.on_sent: Callable[[Subscription], None] | None = None
        self.on_closed: Callable[[Subscription], None] | None = None
        self.closed = False
        self._log = log
        self._snapshot = deque(snapshot)
        self._queue: deque[tuple[Event, int]] = deque()
        self._buffer = buffer
        self._end: RpcError | None = None

    def take(self) -> bytes | None:
        """The next encoded WatchResponse; None where nothing is there now.

        Raises RpcError once the stream has ended: RESOURCE_EXHAUSTED for a
        consumer that fell behind, UNAVAILABLE for a plane that went away.
        """
        if self._snapshot:
            return Event(None, self._snapshot.popleft()).encoded(CREATE_EVENT)
        if self._queue:
            event, kind = self._queue.popleft()
            return event.encoded(kind)
        if self._end is not None:
            raise self._end
        return None

    def sent(self) -> None:
        """Says that all that was taken reached the network and that the client is there."""
        if self.on_sent is not None and not self.closed:
            self.on_sent(self)

    def idle(self) -> bool:
        """Whether there is nothing to take, nor will be unless something happens."""
        return not (self._snapshot or self._queue or self._end or self.closed)

    def close(self) -> None:
        """Frees the subscription, and has whoever waits on it look again; a second call does nothing."""
        if not self.closed:
            self._log.remove(self)
            self.notify()

    def push(self, event: Event, kind: int) -> None:
        if self._end is not None:
            return
        self.waiting = False
        if len(self._queue) >= self._buffer:
            message = f"this watcher fell more than {self._buffer} events behind; open a new one"
            self.end(RpcError(Code.RESOURCE_EXHAUSTED, message))
            return
        self._queue.append((event, kind))
        self.notify()

    def end(self, error: RpcError) -> None:
        """Ends the stream with that error, after what is queued."""
        if self._end is None:
            self._end = error
            self.waiting = False
            self.notify()

    def notify(self) -> None:
        """Has the transport look again; one whose event loop is gone never will, and must not undo a commit."""
        if self.wake is not None:
            try:
                self.wake()
            except RuntimeError:
                self.wake = None
                self.close()


class EventLog:
    """Fans each event out to the subscriptions of its scopes; keeps nothing itself."""

    def __init__(self, buffer: int, lock: AbstractContextManager[object]) -> None:
        self._buffer = buffer
        self._lock = lock
        """The plane's own: subscriptions are opened and fed under it, but closed from anywhere."""
        self._subscriptions: dict[WatchScope | None, dict[Subscription, None]] = {}
        self._opened = 0

    def __len__(self) -> int:
        return sum(map(len, self._subscriptions.values()))

    def subscribe(self, scope: WatchScope | None, snapshot: Iterable[AppRecord]) -> Subscription:
        """Opens a subscription; a scope of None never matches."""
        subscription = Subscription(self, scope, snapshot, self._buffer)
        self._subscriptions.setdefault(scope, {})[subscription] = None
        return subscription

    def remove(self, subscription: Subscription) -> None:
        with self._lock:
            subscription.closed = True
            if subscription.on_closed is not None:
                subscription.on_closed(subscription)
            subscription.waiting = False
            members = self._subscriptions.get(subscription.scope)
            if members is not None:
                members.pop(subscription, None)
                if not members:
                    self._subscriptions.pop(subscription.scope, None)

    def publish(self, event: Event) -> None:
        """Hands the event to everybody who watches it."""
        subscriptions = self._subscriptions
        if not subscriptions:
            return
        before = _watch_scopes(event.old) if event.old is not None else ()
        after = _watch_scopes(event.new) if event.new is not None else ()
        for scope in dict.fromkeys((*before, *after)):
            members = subscriptions.get(scope)
            if members:
                was, shall = scope in before, scope in after
                kind = UPDATE_EVENT if was and shall else CREATE_EVENT if shall else DELETE_EVENT
                for subscription in tuple(members):
                    subscription.push(event, kind)

    def watchers(self, record: AppRecord) -> list[Subscription]:
        """The open subscriptions that see the app."""
        return [s for scope in _watch_scopes(record) for s in self._subscriptions.get(scope, ())]

    def end(self, error: RpcError) -> None:
        """Ends every open stream."""
        for members in tuple(self._subscriptions.values()):
            for subscription in tuple(members):
                subscription.end(error)


def app_scope(key: AppKey) -> WatchScope:
    """The scope of one app."""
    return ("app", key.project, key.domain, key.name)


def _watch_scopes(record: AppRecord) -> tuple[WatchScope, ...]:
    return (app_scope(record.key), *scopes_of(record))
