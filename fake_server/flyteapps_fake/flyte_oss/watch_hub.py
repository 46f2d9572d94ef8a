"""Who watches: streams by the bare name of an app, fed by what happens to services. What doesn't fit is dropped.

The backend lists after it has subscribed, and hears of a write a moment after it was acknowledged: what was written
just before a Watch is in its snapshot, and comes once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager

from flyteapps_fake.core.operations import CREATE_EVENT
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.streams import OpenStream, Streams, StreamScope
from flyteapps_fake.core.time.clock import MILLISECOND

BUFFER = 100
"""Events that a slow watcher may fall behind before further ones are dropped."""
MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Bytes of the events that a slow watcher may fall behind, the stand-in's own; one event always fits."""
LAG = 5 * MILLISECOND
"""After a write was acknowledged, its event may still be to come."""


def watch_scope(name: str) -> StreamScope:
    """The scope of a Watch of apps with that bare name."""
    return ("name", name)


def event_of(kind: int, app: bytes) -> bytes:
    """An encoded WatchResponse: an update knows nothing of the app before."""
    return field(kind, field(1, app))


class Subscription(OpenStream):
    """One open Watch."""

    def __init__(self, scope: StreamScope, streams: Streams, snapshot: Iterable[bytes], buffer: int) -> None:
        super().__init__(scope, streams.remove)
        self._snapshot = deque(event_of(CREATE_EVENT, app) for app in snapshot)
        self._queue: deque[bytes] = deque()
        self._buffer = buffer
        self._waiting_bytes = 0

    def _next(self) -> bytes | None:
        if self._snapshot:
            return self._snapshot.popleft()
        if not self._queue:
            return None
        event = self._queue.popleft()
        self._waiting_bytes -= len(event)
        return event

    def _ready(self) -> bool:
        return bool(self._snapshot or self._queue)

    def feed(self, event: bytes) -> None:
        """Hands it one more event, which is lost where it is too far behind."""
        self.waiting = False
        fits = not self._queue or self._waiting_bytes + len(event) <= MAX_WAITING_BYTES
        if fits and len(self._queue) < self._buffer:
            self._waiting_bytes += len(event)
            self._queue.append(event)
            self.notify()


class Informer(Streams):
    """All open streams; it tells those that watch a name."""

    def __init__(self, buffer: int, lock: AbstractContextManager[object]) -> None:
        super().__init__(lock)
        self._buffer = buffer

    def subscribe(self, name: str, snapshot: Iterable[bytes], late: Iterable[bytes]) -> Subscription:
        """Opens a Watch of that bare name; `late` are the events that come after all. "" hears of nothing."""
        subscription = Subscription(watch_scope(name), self, snapshot, self._buffer)
        self.add(subscription)
        for event in late:
            subscription.feed(event)
        return subscription

    def watching(self, name: str) -> list[Subscription]:
        """The open Watches of that name."""
        return [each for each in self.of(watch_scope(name)) if isinstance(each, Subscription)] if name else []
