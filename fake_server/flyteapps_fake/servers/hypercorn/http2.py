"""hypercorn's HTTP/2, that many streams of a connection cost what they must, and that frees what is over."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from h2.stream import StreamState
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import h2
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import StreamClosed
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError

from flyteapps_fake.servers.hypercorn.requests import CONNECT_REFUSAL, EarlyRequest

MIN_UNCOUNTED = 64
PIECE_BYTES = 2 * 1024
"""Bytes that are decoded at once: in them, dozens of streams may be opened."""
TURN = 32
"""Streams that are opened or closed at once."""


class CountedConnection(H2Connection):
    """An HTTP/2 connection that doesn't count all of its open streams for each that is opened.

    It counts them where the limit may be reached and, as counting also forgets those that are over, once a quarter as
    many have been opened as it knew of.
    """

    _known = 0
    _opened = 0

    @property
    def open_inbound_streams(self) -> int:
        """How many there are, at most."""
        self._opened += 1
        most = self.local_settings.max_concurrent_streams
        if self._opened > MIN_UNCOUNTED + self._known // 4 or self._known + self._opened >= most:
            self._known = super().open_inbound_streams
            self._opened = 1
            return self._known
        return self._known + self._opened - 1


class _Gone:
    """The stream that isn't there any more: what still comes for it is dropped."""

    idle = True

    async def handle(self, event: object) -> None:
        """Drops it; hypercorn would end the whole connection by a KeyError."""


class _Streams(dict[int, Any]):
    def __missing__(self, stream_id: int) -> Any:
        return _Gone()


class _Turns:
    """Which stream may send next: each that has something, in turn.

    In the place of a tree of HTTP/2 priorities, which took 1,000 streams, searched all of them for each frame, and
    which RFC 9113 has given up.
    """

    def __init__(self) -> None:
        self._streams: set[int] = set()
        self._ready: dict[int, None] = {}

    def insert_stream(self, stream_id: int, **_priority: Any) -> None:
        if stream_id in self._streams:
            raise DuplicateStreamError(stream_id)
        self._streams.add(stream_id)

    def remove_stream(self, stream_id: int) -> None:
        self._streams.discard(stream_id)
        self._ready.pop(stream_id, None)

    def reprioritize(self, stream_id: int, **_priority: Any) -> None:
        pass

    def block(self, stream_id: int) -> None:
        self._ready.pop(stream_id, None)

    def unblock(self, stream_id: int) -> None:
        if stream_id not in self._streams:
            raise MissingStreamError(stream_id)
        self._ready[stream_id] = None

    def __next__(self) -> int:
        for stream_id in self._ready:
            del self._ready[stream_id]
            self._ready[stream_id] = None
            return stream_id
        raise DeadlockError


class _Buffer(h2.StreamBuffer):
    """What a stream has to send; it holds the application up until the client has read most of it.

    hypercorn's goes on as soon as nothing may be sent, which is when the client doesn't read.
    """

    @property
    def waiting(self) -> bool:
        """Whether there is something to send, be it the end."""
        return bool(self.buffer) or self._complete

    async def pop(self, max_length: int) -> bytes:
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < h2.BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


class Http2(h2.H2Protocol):
    """HTTP/2 that frees what belonged to a stream that was reset, and resets one whose answer broke off."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.streams = _Streams()
        self.priority = cast("Any", _Turns())
        self.connection = CountedConnection(H2Configuration(client_side=False, header_encoding=None))
        self.connection.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: self.config.h2_max_concurrent_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: self.config.h2_max_header_list_size,
            },
        )
        self._refused = False
        self._in_turn = 0

    async def initiate(self, headers: list[tuple[bytes, bytes]] | None = None, settings: bytes | None = None) -> None:
        await super().initiate(headers, settings)
        if self.idle:  # what came so far was no request, though hypercorn's HTTP/1 took it for one
            await self.send(Updated(idle=True))

    async def handle(self, event: Event) -> None:
        if isinstance(event, Closed):
            self.closed = True
            for stream_id in list(self.streams):
                await self._close_stream(stream_id)
                await self._give_way()
        elif isinstance(event, RawData) and len(event.data) > PIECE_BYTES:
            for start in range(0, len(event.data), PIECE_BYTES):
                await self.handle(RawData(event.data[start : start + PIECE_BYTES]))
                await asyncio.sleep(0)
            return
        await super().handle(event)
        if isinstance(event, Closed):
            for stream_id in list(self.stream_buffers):
                await self._forget(stream_id)
        elif self._refused:
            self._refused = False
            if self.idle:
                await self.send(Updated(idle=True))

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed) and self._breaks_off(event.stream_id):
            await self._reset(event.stream_id, ErrorCodes.INTERNAL_ERROR)
        await super().stream_send(event)
        if isinstance(event, StreamClosed) and self._answered_early(event.stream_id):  # by trailers
            await self._forget(event.stream_id)
            await self._reset(event.stream_id, ErrorCodes.NO_ERROR)

    async def _create_stream(self, request: RequestReceived) -> None:
        await self._give_way()
        fields = dict(request.headers or ())
        if fields.get(b":method") != b"CONNECT":
            await super()._create_stream(request)
            return
        self._refused = True
        head = [
            (b":status", b"405"),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(CONNECT_REFUSAL)).encode()),
        ]
        with contextlib.suppress(ProtocolError):  # a window of no size
            self.connection.send_headers(request.stream_id, head)
            self.connection.send_data(request.stream_id, CONNECT_REFUSAL, end_stream=True)
        await self._reset(request.stream_id, ErrorCodes.NO_ERROR)

    async def _give_way(self) -> None:
        """Lets other connections in: a connection may open, and close, thousands of streams at once."""
        self._in_turn += 1
        if self._in_turn % TURN == 0:
            await asyncio.sleep(0)

    async def _window_updated(self, stream_id: int | None) -> None:
        """Lets those send that have something: hypercorn would let each of thousands try, for each that has."""
        if stream_id:
            await super()._window_updated(stream_id)
            return
        for number, buffer in self.stream_buffers.items():
            if cast("_Buffer", buffer).waiting:
                self.priority.unblock(number)
        await self.has_data.set()

    async def _close_stream(self, stream_id: int) -> None:
        broken = self._breaks_off(stream_id)
        await super()._close_stream(stream_id)
        if broken:
            await self._forget(stream_id)

    def _breaks_off(self, stream_id: int) -> bool:
        """Whether the stream would end before its answer does."""
        stream = self.streams.get(stream_id)
        return stream is not None and not stream.closed and stream.state.name != "CLOSED"

    async def _send_data(self, stream_id: int) -> None:
        with contextlib.suppress(KeyError):  # it was reset while a part of it was being sent
            await super()._send_data(stream_id)
        if stream_id not in self.stream_buffers and self._answered_early(stream_id):
            await self._reset(stream_id, ErrorCodes.NO_ERROR)

    def _answered_early(self, stream_id: int) -> bool:
        """Whether all of the answer is sent, and the request goes on: its stream is reset (RFC 9113, 8.1)."""
        stream = self.connection.streams.get(stream_id)
        return stream is not None and stream.state_machine.state is StreamState.HALF_CLOSED_LOCAL

    async def _reset(self, stream_id: int, why: ErrorCodes) -> None:
        with contextlib.suppress(ProtocolError):  # it may be gone
            self.connection.reset_stream(stream_id, why)
            await self._flush()

    async def _forget(self, stream_id: int) -> None:
        self.priority.remove_stream(stream_id)
        buffer = self.stream_buffers.pop(stream_id, None)
        if buffer is not None:
            await buffer.close()


# where hypercorn's HTTP/2 takes them from
h2.StreamBuffer = _Buffer  # type: ignore[misc]
h2.HTTPStream = EarlyRequest  # type: ignore[misc]
