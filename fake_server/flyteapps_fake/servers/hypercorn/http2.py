"""hypercorn's HTTP/2 with a bounded cost for each of many streams, and with closed streams freed."""

from __future__ import annotations

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
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.utils import filter_pseudo_headers
from priority.priority import DuplicateStreamError

from flyteapps_fake.servers.hypercorn.requests import CONNECT_REFUSAL, EarlyRequest
from flyteapps_fake.servers.hypercorn.sending import RoundRobin, SendBuffer, Unread
from flyteapps_fake.servers.hypercorn.settings import ClientSettings
from flyteapps_fake.servers.hypercorn.turns import Context

MIN_UNCOUNTED = 64
"""Streams that may be opened between two counts, at least."""
PIECE_BYTES = 2 * 1024
"""Bytes that are decoded at once: they may open dozens of streams."""


class CountedConnection(H2Connection):
    """An HTTP/2 connection that doesn't count all of its open streams for each that is opened.

    It counts them, and so forgets closed ones, once an eighth as many have been opened as the last count found: a
    connection may exceed its limit by as many. Near the limit each count finds thousands; a client that opens and
    resets streams there would have them counted for each.
    """

    _known = 0
    _opened = 0

    @property
    def open_inbound_streams(self) -> int:
        """The number of open streams; between two counts, at most one less than the limit."""
        self._opened += 1
        if self._opened > max(MIN_UNCOUNTED, self._known // 8):
            self._known = super().open_inbound_streams
            self._opened = 1
            return self._known
        return min(self._known + self._opened, self.local_settings.max_concurrent_streams) - 1


class _ClosedStream:
    """A closed stream: events that still arrive for it are dropped."""

    idle = True

    async def handle(self, event: object) -> None:
        """Drop the event; hypercorn would end the whole connection by a KeyError."""


class _Streams(dict[int, Any]):
    def __missing__(self, stream_id: int) -> Any:
        return _ClosedStream()


class Http2(H2Protocol):
    """An HTTP/2 connection that frees the data of a reset stream, and resets a stream whose answer breaks off."""

    context: Context
    keep_alive_requests: int

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.streams = _Streams()
        self.unread = Unread()
        self.priority = cast("Any", RoundRobin(lambda: self.connection.outbound_flow_control_window))
        self.connection = CountedConnection(H2Configuration(client_side=False, header_encoding=None))
        self.connection.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: self.config.h2_max_concurrent_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: self.config.h2_max_header_list_size,
            },
        )
        self.connection.remote_settings = ClientSettings(lambda: len(self.connection.streams))
        self._ended_silently = False
        """Whether a stream ended without an `Updated` event, which alone starts the idle timer."""

    @property
    def head_begun(self) -> bool:
        """Whether a part of a request's head has arrived."""
        return bool(self.connection.incoming_buffer._headers_buffer)  # pyright: ignore[reportPrivateUsage]

    @property
    def arriving(self) -> bool:
        """Whether there are no requests but those that haven't arrived whole."""
        streams = self.connection.streams.values()
        return not any(each.state_machine.state is StreamState.HALF_CLOSED_REMOTE for each in streams)

    async def initiate(self, headers: list[tuple[bytes, bytes]] | None = None, settings: bytes | None = None) -> None:
        """Start the connection; `headers` and `settings` are those of an upgrade from HTTP/1."""
        await super().initiate(headers, settings)
        if self.idle:  # the preface was no request, though hypercorn's HTTP/1 took it for one
            await self.send(Updated(idle=True))

    async def handle(self, event: Event) -> None:
        """Process bytes of the client, or the end of the connection."""
        if isinstance(event, Closed):
            self.closed = True
            self.unread.drop()
            for stream_id in list(self.streams):
                await self._close_stream(stream_id)
                await self._take_turn()
        elif isinstance(event, RawData) and len(event.data) > PIECE_BYTES:
            for start in range(0, len(event.data), PIECE_BYTES):
                await self.handle(RawData(event.data[start : start + PIECE_BYTES]))
                await self.context.turns.wait()
            return
        await super().handle(event)
        if isinstance(event, Closed):
            for stream_id in list(self.stream_buffers):
                await self._forget(stream_id)
        elif self._ended_silently:
            self._ended_silently = False
            if self.idle:
                await self.send(Updated(idle=True))

    async def stream_send(self, event: StreamEvent) -> None:
        """Send a part of an answer."""
        if isinstance(event, StreamClosed) and self._breaks_off(event.stream_id):
            await self._reset(event.stream_id, ErrorCodes.INTERNAL_ERROR)
        await super().stream_send(event)
        if isinstance(event, StreamClosed) and self._answered_early(event.stream_id):  # by trailers
            await self._forget(event.stream_id)
            await self._reset(event.stream_id, ErrorCodes.NO_ERROR)

    async def _create_stream(self, request: RequestReceived) -> None:
        await self._take_turn()
        pairs = request.headers or []
        fields = dict(pairs)
        if fields.get(b":method") == b"CONNECT":
            await self._refuse_tunnel(request.stream_id)
            return
        # hypercorn's own method names its own classes
        number = request.stream_id
        stream = EarlyRequest(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            number,
        )
        self.streams[number] = stream
        stream.unread = self.unread
        self.stream_buffers[number] = cast("Any", SendBuffer(self.context.event_class, self.unread))
        with contextlib.suppress(DuplicateStreamError):  # a PRIORITY frame came before
            self.priority.insert_stream(number)
        await stream.handle(
            Request(
                stream_id=number,
                headers=filter_pseudo_headers(pairs),
                http_version="2",
                method=fields[b":method"].decode("ascii").upper(),
                raw_path=fields[b":path"],
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _refuse_tunnel(self, stream_id: int) -> None:
        self._ended_silently = True
        head = [
            (b":status", b"405"),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(CONNECT_REFUSAL)).encode()),
        ]
        with contextlib.suppress(ProtocolError):  # a window of no size
            self.connection.send_headers(stream_id, head)
            self.connection.send_data(stream_id, CONNECT_REFUSAL, end_stream=True)
        await self._reset(stream_id, ErrorCodes.NO_ERROR)

    async def _take_turn(self) -> None:
        """Let other connections proceed: one may open, and close, thousands of streams at once."""
        if not self.context.turns.take():
            await self.context.turns.wait()

    async def _window_updated(self, stream_id: int | None) -> None:
        """Unblock streams that have data; hypercorn would have each of thousands try, for each that has some.

        `stream_id`: 0 for the connection, whose streams wait in `RoundRobin`; None for all, after a change of settings.
        """
        if stream_id:
            # hypercorn calls this after a reset, too, and reports the end of the stream to no one
            self._ended_silently = self._ended_silently or stream_id not in self.streams
            await super()._window_updated(stream_id)
            return
        if stream_id == 0:
            await self.has_data.set()
            return
        for number, buffer in self.stream_buffers.items():
            if cast("Any", buffer).waiting:
                self.priority.unblock(number)
        await self.has_data.set()

    async def _close_stream(self, stream_id: int) -> None:
        broken = self._breaks_off(stream_id)
        await super()._close_stream(stream_id)
        if broken:
            await self._forget(stream_id)

    def _breaks_off(self, stream_id: int) -> bool:
        """Return whether the stream would end before its answer does."""
        stream = self.streams.get(stream_id)
        return stream is not None and not stream.closed and stream.state.name != "CLOSED"

    async def _send_data(self, stream_id: int) -> None:
        with contextlib.suppress(KeyError):  # it was reset during a send
            await super()._send_data(stream_id)
        if stream_id not in self.stream_buffers and self._answered_early(stream_id):
            await self._reset(stream_id, ErrorCodes.NO_ERROR)

    def _answered_early(self, stream_id: int) -> bool:
        """Return whether the answer is sent and the request goes on: its stream is reset then (RFC 9113, 8.1)."""
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
