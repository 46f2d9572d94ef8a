"""The watch hub: open Watch streams by the bare name of an app. Events beyond a stream's buffer are dropped.

The backend subscribes before it lists, and receives a write's event a moment after it acknowledged the write: a write
just before a Watch is in the snapshot, and its event follows once more.

When the deadline of a Watch passes, two of the backend's services end the stream at once: the inner one without an
error, the outer one as its own call of the inner one failed. Which is first is drawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from flyteapps_fake.core.draws import Seed, fraction
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import CREATE_EVENT
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.streams import OpenStream, Streams, StreamScope
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.core.time.clock import MILLISECOND

MAX_BUFFERED_EVENTS = 100
"""Unread events of one stream; further ones are dropped."""
MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Bytes of the unread events of one stream, the stand-in's own bound; one event always fits."""
EVENT_DELAY_NS = 5 * MILLISECOND
"""The time after an acknowledged write within which its event may still follow."""
ENDS_WELL = 1 / 3
"""The odds that the deadline of a Watch ends it without an error."""
CONTEXT_DEADLINE = "context deadline exceeded"
"""Go's words for a deadline that has passed."""

Encoder = Callable[[], bytes]
"""Returns an encoded App, as it was shown when its Watch was opened."""


def watch_scope(name: str) -> StreamScope:
    """Return the scope of a Watch of apps with that bare name."""
    return ("name", name)


def event_of(kind: int, app: bytes) -> bytes:
    """Return an encoded WatchResponse; an update has no old_app."""
    return field(kind, field(1, app))


class Subscription(OpenStream):
    """An open Watch subscription; `sees`: the apps that its caller may see, None for all.

    `snapshot`: what encodes each app, which is done when it is read, so that unread streams don't hold an app each.
    """

    def __init__(
        self, scope: StreamScope, streams: WatchHub, snapshot: Iterable[Encoder], since: Iterable[bytes], buffer: int
    ) -> None:
        super().__init__(scope, streams.remove)
        self.sees = streams.sees
        self._snapshot = deque(snapshot)
        self._since = deque(since)
        self._queue: deque[tuple[bytes, Cause | None, int]] = deque()
        """The events, each with its cause and the batch of its change."""
        self._changes = streams.changes
        self._hub = streams
        self._begun = False
        """Whether it has shown anything."""
        self._opened_in = streams.changes.shown_batch
        """The batch of the last change that the snapshot may show."""
        self._buffer = buffer
        self._waiting_bytes = 0

    def _next(self) -> bytes | None:
        if self._snapshot or self._since:
            if self._opened_in and not self._changes.is_safe(self._opened_in, self):
                return None
            self._begun = True
            return event_of(CREATE_EVENT, self._snapshot.popleft()()) if self._snapshot else self._since.popleft()
        if not self._queue:
            return None
        event, cause, batch = self._queue[0]
        if batch and not self._changes.is_safe(batch, self):
            return None
        self._queue.popleft()
        self._begun = True
        self.cause = cause
        self._waiting_bytes -= len(event)
        return event

    def _ready(self) -> bool:
        if self._snapshot or self._since:
            return self._changes.is_safe(self._opened_in, self)
        return bool(self._queue and self._changes.is_safe(self._queue[0][2], self))

    def _holds_back(self) -> bool:
        return bool(self._snapshot or self._since or self._queue)

    def late(self) -> RpcError | None:
        """Return DEADLINE_EXCEEDED, INTERNAL for a stream that has shown nothing, or None: the end is drawn."""
        if self._hub.deadline_ends_well():
            return None
        if self._begun:
            return RpcError(Code.DEADLINE_EXCEEDED, CONTEXT_DEADLINE)
        return RpcError(Code.INTERNAL, f"deadline_exceeded: {CONTEXT_DEADLINE}")

    def feed(self, event: bytes, cause: Cause | None = None) -> None:
        """Queue an event with its cause, or drop it if the stream's buffer is full."""
        self.waiting = False
        fits = not self._queue or self._waiting_bytes + len(event) <= MAX_WAITING_BYTES
        if fits and len(self._queue) < self._buffer:
            self._waiting_bytes += len(event)
            batch = self._changes.shown_batch if self._changes.saves else 0
            self._queue.append((event, cause, batch))
            if not batch or self._changes.is_safe(batch, self):
                self.notify()


class WatchHub(Streams):
    """All open streams of one plane."""

    def __init__(self, buffer: int, lock: AbstractContextManager[object], changes: Changes, seed: Seed) -> None:
        super().__init__(lock)
        self._buffer = buffer
        self.changes = changes
        self._seed = seed
        self._lock = lock
        self._deadlines = 0
        """The Watches so far that their deadlines ended."""

    def subscribe(
        self, name: str, snapshot: Iterable[Encoder], recent: Iterable[bytes], since: Iterable[bytes] = ()
    ) -> Subscription:
        """Open a Watch of that bare name; "" receives no events.

        `recent`: events that follow the snapshot at once. `since`: those after an old snapshot, which no buffer holds.
        """
        subscription = Subscription(watch_scope(name), self, snapshot, since, self._buffer)
        self.add(subscription)
        for event in recent:
            subscription.feed(event)
        return subscription

    def deadline_ends_well(self) -> bool:
        """Return whether the next Watch that its deadline ends, ends without an error, as drawn."""
        with self._lock:
            self._deadlines += 1
            return fraction(self._seed, "watch deadline", self._deadlines) < ENDS_WELL

    def draw_anew(self) -> None:
        """Begin with the first draw again, since the plane goes on from another state."""
        self._deadlines = 0

    def watching(self, name: str) -> list[Subscription]:
        """Return the open Watches of that name."""
        return [each for each in self.of(watch_scope(name)) if isinstance(each, Subscription)] if name else []
