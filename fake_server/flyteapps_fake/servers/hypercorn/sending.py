"""The unsent data of an HTTP/2 connection: a buffer for each stream, and the order in which the streams send."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BUFFER_LOW_WATER, BufferCompleteError
from hypercorn.typing import Event as Signal
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError

MAX_UNREAD_BYTES = 8 * 1024 * 1024
"""Bytes in the buffers of a connection from which its further requests wait; a large answer has 64 KiB there."""
MAX_RESUMED = 16
"""Requests that go on at once where the client reads and no answer ends."""


class Unread:
    """The unsent bytes of a connection, whose client doesn't read, and the requests that wait until it does.

    A request that is held has arrived but for the note that it has ended, so that its handler doesn't answer it yet.
    """

    __slots__ = ("_held", "size")

    def __init__(self) -> None:
        self.size = 0
        self._held: deque[Callable[[], None]] = deque()

    @property
    def full(self) -> bool:
        """Whether the client has to read before further requests are answered."""
        return self.size > MAX_UNREAD_BYTES

    def hold(self, resume: Callable[[], None]) -> None:
        """Hold a request; `resume` is called once the client has read enough."""
        self._held.append(resume)

    def resume(self) -> None:
        """Let a request go on, if there is room: an answer has ended, so that no more of them are unfinished."""
        if self._held and not self.full:
            self._held.popleft()()

    def check(self) -> None:
        """Let requests go on though no answer ends: those before them may be delayed."""
        for _ in range(MAX_RESUMED if self.size < MAX_UNREAD_BYTES // 8 else 0):
            self.resume()

    def drop(self) -> None:
        """Forget the held requests: the client has left."""
        self._held.clear()


class SendBuffer:
    """The unsent data of a stream; it blocks the application until the client has read most of it.

    hypercorn's own releases the application as soon as nothing may be sent, that is, while the client doesn't read. It
    also copies what it is given: an event that thousands of watchers receive would be kept as often.
    """

    def __init__(self, event_class: type[Signal], unread: Unread) -> None:
        self._parts: deque[bytes | memoryview] = deque()
        self._size = 0
        self._unread = unread
        self._complete = False
        self._is_empty = event_class()
        self._paused = event_class()

    @property
    def waiting(self) -> bool:
        """Whether there is data to send, or the end of the stream."""
        return bool(self._parts) or self._complete

    @property
    def complete(self) -> bool:
        """Whether all data has been sent, and no more follows."""
        return self._complete and not self._parts

    def set_complete(self) -> None:
        """Note that no more data follows."""
        self._complete = True

    async def drain(self) -> None:
        """Wait until all data has been sent."""
        await self._is_empty.wait()

    async def push(self, data: bytes) -> None:
        """Add data, and wait until the client has read most of it. Raises BufferCompleteError."""
        if self._complete:
            raise BufferCompleteError
        self._parts.append(data)
        self._size += len(data)
        self._unread.size += len(data)
        await self._is_empty.clear()
        if self._size >= BUFFER_HIGH_WATER:
            await self._paused.wait()
            await self._paused.clear()

    async def pop(self, max_length: int) -> bytes:
        """Return the next bytes to send, at most `max_length`."""
        data = self._cut(max_length)
        self._size -= len(data)
        self._unread.size -= len(data)
        if self._size < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self._parts:
            await self._is_empty.set()
        return data

    def _cut(self, max_length: int) -> bytes:
        parts = self._parts
        if len(parts) == 1 and self._size <= max_length:
            return bytes(parts.popleft())
        found: list[bytes | memoryview] = []
        while parts and max_length > 0:
            part = parts.popleft()
            if len(part) > max_length:
                view = memoryview(part)
                parts.appendleft(view[max_length:])
                part = view[:max_length]
            max_length -= len(part)
            found.append(part)
        return b"".join(found)

    async def close(self) -> None:
        """Drop the data, and release the application."""
        self._complete = True
        self._parts.clear()
        self._unread.size -= self._size
        self._size = 0
        await self._is_empty.set()
        await self._paused.set()


class RoundRobin:
    """The order in which streams send: each that has data, in turn.

    It stands in for hypercorn's tree of HTTP/2 priorities, which is limited to 1,000 streams, searches all of them for
    each frame, and is deprecated by RFC 9113. A stream that was blocked while the connection's window was closed waits
    for it in a queue, so that a window update of one byte makes one stream try, instead of thousands.
    """

    def __init__(self, window: Callable[[], int]) -> None:
        """Take the function that returns the bytes that the connection may send."""
        self._window = window
        self._streams: set[int] = set()
        self._ready: OrderedDict[int, None] = OrderedDict()  # a dict would search its first entry
        self._stalled: OrderedDict[int, None] = OrderedDict()

    def insert_stream(self, stream_id: int, **_priority: Any) -> None:
        """Add a stream without data. Raises DuplicateStreamError."""
        if stream_id in self._streams:
            raise DuplicateStreamError(stream_id)
        self._streams.add(stream_id)

    def remove_stream(self, stream_id: int) -> None:
        """Remove a stream, if it is there."""
        self._streams.discard(stream_id)
        self._ready.pop(stream_id, None)
        self._stalled.pop(stream_id, None)

    def reprioritize(self, stream_id: int, **_priority: Any) -> None:
        """Ignore a priority."""

    def block(self, stream_id: int) -> None:
        """Note that a stream can't send: until the connection's window opens if it is closed, else until `unblock`."""
        self._ready.pop(stream_id, None)
        if self._window() <= 0:
            self._stalled[stream_id] = None

    def unblock(self, stream_id: int) -> None:
        """Note that a stream may have something to send. Raises MissingStreamError."""
        if stream_id not in self._streams:
            raise MissingStreamError(stream_id)
        self._stalled.pop(stream_id, None)
        self._ready[stream_id] = None

    def __next__(self) -> int:
        """Return the stream that sends next. Raises DeadlockError where there is none."""
        if not self._ready and self._stalled and self._window() > 0:
            self._ready[self._stalled.popitem(last=False)[0]] = None
        for stream_id in self._ready:
            self._ready.move_to_end(stream_id)
            return stream_id
        raise DeadlockError
