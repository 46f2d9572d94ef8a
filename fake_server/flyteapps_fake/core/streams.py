"""What every open stream of the plane is: take what is there, wait to be woken, take again. No clocks, no IO.

What a stream gives is its subclass's business: a watch's events, a cluster's leases, an app's log lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

from flyteapps_fake.core.errors import RpcError

StreamScope = tuple[str, ...]
"""What a stream is about: a Scope of the store, ("app", PROJECT, DOMAIN, NAME) or ("lease", CLUSTER)."""


class OpenStream(ABC):
    """One open server stream."""

    def __init__(self, scope: StreamScope | None, remove: Callable[[Any], None]) -> None:
        self.wake: Callable[[], None] | None = None
        self.scope = scope
        self.waiting = False
        self.confirmed_at = 0.0
        self.opened = 0
        self.on_sent: Callable[[OpenStream], None] | None = None
        self.on_closed: list[Callable[[OpenStream], None]] = []
        self.closed = False
        self.abandoned = False
        """Whether its reader was cancelled, and hasn't come back: nobody will close it."""
        self._remove = remove
        self._end: RpcError | EOFError | None = None

    @abstractmethod
    def _next(self) -> bytes | None:
        """The next encoded message, None where nothing is there now."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether something is there."""

    def push(self, event: Any, kind: int) -> None:  # noqa: B027  # most kinds of streams follow no events
        """Receive an event, of the dialect's own type, about an app in the stream's scope."""

    def detached(self) -> None:  # noqa: B027  # who holds nothing has nothing to let go of
        """Lets go of what it holds: it has just been closed, under the plane's lock."""

    def take(self) -> bytes | None:
        """The next encoded message; None where nothing is there now.

        Raises EOFError once the stream has ended as it should, RpcError once it ended otherwise: RESOURCE_EXHAUSTED
        for a consumer that fell behind, UNAVAILABLE for a plane that went away.
        """
        item = self._next()
        if item is None and self._end is not None:
            raise self._end
        return item

    def sent(self) -> None:
        """Says that all that was taken reached the network and that the client is there."""
        if self.on_sent is not None and not self.closed:
            self.on_sent(self)

    def idle(self) -> bool:
        """Whether there is nothing to take, nor will be unless something happens."""
        return not (self._ready() or self._end or self.closed)

    def close(self) -> None:
        """Frees the stream, and has whoever waits on it look again; a second call does nothing."""
        if not self.closed:
            self._remove(self)
            self.notify()

    def end(self, error: RpcError | EOFError) -> None:
        """Ends the stream with that error, after what is there."""
        if self._end is None:
            self._end = error
            self.waiting = False
            self.notify()

    def finish(self) -> None:
        """Ends the stream as it should end, after what is there."""
        self.end(EOFError("the stream is over"))

    def stir(self) -> None:
        """Has the transport look: there may be something to take."""
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


class Streams:
    """Knows every open stream, by its scope."""

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        """The plane's own: streams are opened and fed under it, but closed from anywhere."""
        self._streams: dict[StreamScope | None, dict[OpenStream, None]] = {}
        self.gone: RpcError | None = None
        """Why no more are opened; None as long as the plane is there."""

    def __len__(self) -> int:
        return sum(map(len, self._streams.values()))

    def of(self, scope: StreamScope | None) -> Collection[OpenStream]:
        """The open streams of that scope, in the order in which they were opened."""
        return self._streams.get(scope, ())

    def add(self, stream: OpenStream) -> None:
        """Has the stream hear of its scope's events, until it is removed."""
        self._streams.setdefault(stream.scope, {})[stream] = None

    def remove(self, stream: OpenStream) -> None:
        """Forgets a stream, which is closed by that."""
        with self._lock:
            stream.closed = True
            for listener in stream.on_closed:
                listener(stream)
            stream.waiting = False
            members = self._streams.get(stream.scope)
            if members is not None:
                members.pop(stream, None)
                if not members:
                    self._streams.pop(stream.scope, None)
            stream.detached()

    def awaited(self) -> int:
        """How many are open and have a reader."""
        return sum(not stream.abandoned for members in self._streams.values() for stream in members)

    def end(self, error: RpcError) -> None:
        """Ends every open stream, and those that come."""
        self.gone = error
        for members in tuple(self._streams.values()):
            for stream in tuple(members):
                stream.end(error)
