"""Open streams: take the messages that are ready, wait for a wake, take again. No clocks, no IO.

A subclass makes the messages: a watch's events, a cluster's leases, an app's log lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Protocol

from flyteapps_control.selection import NO_APP
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.causes import Cause

StreamScope = tuple[str, ...]
"""The subject of a stream: a Scope of the store, ("app", PROJECT, DOMAIN, NAME) or ("lease", CLUSTER)."""

_KINDS = {"lease": "cluster", "org": "the org"}
"""The subject of a stream by the kind of its scope, if it isn't that kind's name."""


def deadline_passed() -> RpcError:
    """Return the error of a stream whose deadline passes."""
    return RpcError(Code.DEADLINE_EXCEEDED, "the stream's deadline has passed")


class Filter(Protocol):
    """A filter between a stream and its reader."""

    def take(self, following: Callable[[], bytes | None]) -> bytes | None:
        """Return the next message for the reader, from those that `following` returns. Raises as `following`."""
        ...

    def idle(self, idle: bool) -> bool:
        """Return whether no message is ready for the reader; `idle`: whether the stream has none."""
        ...

    @property
    def stalled(self) -> bool:
        """Whether it holds all messages back."""
        ...


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
        self.filter: Filter | None = None
        """The filter between the stream and its reader."""
        self.closed = False
        self.abandoned = False
        """Whether its reader was cancelled and hasn't returned: it will not be closed."""
        self.cause: Cause | None = None
        """The cause of the message that was taken last; None for one of the call that opened the stream."""
        self.method = ""
        """The name of the RPC that opened it."""
        self.app = NO_APP
        """The app that its request named."""
        self.call: Call[Any] | None = None
        """The call that opened it."""
        self.since = 0
        """The plane's time at which it was opened."""
        self.credential: tuple[str, ...] = ()
        """The ids of the token that it was opened with, and of that token's session."""
        self._remove = remove
        self._end: RpcError | EOFError | None = None
        self._is_cut = False
        """Whether it ends before the messages that are ready."""

    def __str__(self) -> str:
        kind, *names = self.scope or ("org",)
        return f"{self.method} of {_KINDS.get(kind, kind)} {'/'.join(names)}".rstrip()

    @abstractmethod
    def _next(self) -> bytes | None:
        """Return the next encoded message, or None if none is ready."""

    @abstractmethod
    def _ready(self) -> bool:
        """Return whether a message is ready."""

    def _holds_back(self) -> bool:
        """Return whether there are messages, which may be not ready yet as what they show isn't saved."""
        return False

    def push(self, event: Any, kind: int) -> None:  # noqa: B027  # most kinds of streams follow no events
        """Receive an event, of the dialect's own type, about an app in the stream's scope."""

    def detached(self) -> None:  # noqa: B027  # most kinds of streams hold nothing
        """Release what the stream holds; called under the plane's lock when it has been closed."""

    def take(self) -> bytes | None:
        """Return the next encoded message, or None if none is ready.

        Raises EOFError once the stream has ended as it should, RpcError once it ended otherwise: RESOURCE_EXHAUSTED
        for a consumer that fell behind, UNAVAILABLE for a plane that went away.
        """
        if self.filter is not None:
            return self.filter.take(self._following)
        item = self._next()  # as _following, without a call of its own
        if self._end is not None and (item is None or self._is_cut):
            raise self._end
        return item

    def _following(self) -> bytes | None:
        item = self._next()
        if self._end is not None and (item is None or self._is_cut):
            raise self._end
        return item

    def sent(self) -> None:
        """Record that all messages taken reached the network, and that the client is there."""
        if self.on_sent is not None and not self.closed:
            self.on_sent(self)

    def late(self) -> RpcError | None:
        """Return the error with which its deadline ends the stream, None where it ends without one."""
        return deadline_passed()

    def idle(self) -> bool:
        """Return whether no message is ready, nor will be before the next change."""
        idle = not (self._ready() or self._end)
        return (idle if self.filter is None else self.filter.idle(idle)) and not self.closed

    def is_caught_up(self) -> bool:
        """Return whether no message is ready, and none waits until what it shows is saved."""
        return self.idle() and not self._holds_back()

    def close(self) -> None:
        """Close the stream and wake its reader; a second call does nothing."""
        if not self.closed:
            self._remove(self)
            self.notify()

    def end(self, error: RpcError | EOFError) -> None:
        """End the stream with that error, after the messages that are ready."""
        if self._end is None:
            self._end = error
            self.waiting = False
            self.notify()

    def cut(self, error: RpcError) -> None:
        """End the stream with that error, or as it has ended, without the messages that are ready: they are untrue."""
        self._is_cut = True
        self.end(error)

    def finish(self) -> None:
        """End the stream without an error, after the messages that are ready."""
        self.end(EOFError("the stream is over"))

    def stir(self) -> None:
        """Wake the transport: a message may be ready."""
        self.waiting = False
        self.notify()

    def notify(self) -> None:
        """Wake the transport; one whose event loop is closed ends its stream, and must not undo a commit."""
        if self.wake is not None:
            try:
                self.wake()
            except RuntimeError:
                self.wake = None
                self.close()


class Streams:
    """The open streams of a plane, by scope."""

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        """The plane's own: streams are opened and fed under it, but closed from anywhere."""
        self._streams: dict[StreamScope | None, dict[OpenStream, None]] = {}
        self.sees: Callable[[str, str], bool] | None = None
        """The apps that the caller of new streams may see, by project and domain; None for all."""
        self.gone: RpcError | None = None
        """The error of new streams; None as long as the plane is open."""

    def __len__(self) -> int:
        return sum(map(len, self._streams.values()))

    def of(self, scope: StreamScope | None) -> Collection[OpenStream]:
        """Return the open streams of that scope, in the order in which they were opened."""
        return self._streams.get(scope, ())

    def add(self, stream: OpenStream) -> None:
        """Add a stream, which receives the events of its scope until it is removed."""
        self._streams.setdefault(stream.scope, {})[stream] = None

    def remove(self, stream: OpenStream) -> None:
        """Remove a stream, which closes it."""
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

    def awaited(self) -> list[str]:
        """Return those that are open and have a reader, such as "Watch of app demo/development/web"."""
        return [str(stream) for members in self._streams.values() for stream in members if not stream.abandoned]

    def all(self) -> list[OpenStream]:
        """Return the open streams."""
        return [stream for members in self._streams.values() for stream in members]

    def end(self, error: RpcError) -> None:
        """End every open stream, and refuse new ones."""
        self.gone = error
        for members in tuple(self._streams.values()):
            for stream in tuple(members):
                stream.end(error)
