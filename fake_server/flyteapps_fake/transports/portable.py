"""hypercorn's protocols on a socket of ours: for `serve`, `plane.serve()`, the console. Nothing else knows hypercorn.

Its own `serve` is left out: it can't be told to end connections that hang, and its HTTP/2 forgets nothing of a stream
that was reset. What is mended here was seen on hypercorn 0.18; each has a test in tests/serving.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn import protocol
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import h2
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError

from flyteapps_fake.transports.limits import MAX_STREAMS, Limits
from flyteapps_fake.transports.wire import Receive, Scope, Send

if TYPE_CHECKING:
    from flyteapps_fake.transports.asgi import Front

App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEEP_ALIVE_SECONDS = 75.0
GRACE_SECONDS = 0.6
"""How long connections may take to end by themselves once the server closes."""
CANCEL_SECONDS = 0.2


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later, HTTP/2 preferred. OSError (ssl.SSLError is one) where the files are of no use."""
    config = Config()
    config.certfile, config.keyfile = str(cert), str(key)
    return cast("ssl.SSLContext", config.create_ssl_context())


class PortableServer:
    """Serves one application on one listening socket, which it owns."""

    def __init__(self, app: App, sock: socket.socket, limits: Limits, tls: ssl.SSLContext | None = None) -> None:
        self._app = ASGIWrapper(cast("Any", app))
        self._sock = sock
        self._limits = limits
        self._tls = tls
        self._context = WorkerContext(None)
        self._config = _config()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens."""
        handshake = None if self._tls is None else self._limits.head_seconds
        self._server = await asyncio.start_server(
            self._serve, sock=self._sock, ssl=self._tls, ssl_handshake_timeout=handshake
        )

    async def close(self) -> None:
        """Takes no more connections, lets those that are open end, and cuts those that hang."""
        if self._server is not None:
            self._server.close()
        await self._context.terminated.set()
        if self._connections:
            _, left = await asyncio.wait(self._connections, timeout=GRACE_SECONDS)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=CANCEL_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        loop = asyncio.get_running_loop()
        connection = _Connection(self._app, loop, self._config, self._context, cast("Any", {}), reader, writer)
        connection.head_seconds = self._limits.head_seconds
        try:
            await connection
        except Exception:  # a broken client's, since the application's own failures are answered: the others go on
            writer.transport.abort()
        except asyncio.CancelledError:  # ours: asyncio would report it
            writer.transport.abort()
        finally:
            self._connections.discard(task)


async def serve_front(
    front: Front,
    sock: socket.socket,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve `front` on `sock` until `stop` returns; `started` hears when it does. Streams end before connections."""
    server = PortableServer(front, sock, front.options.limits, tls)
    await front.start()
    await server.start()
    started()
    try:
        await stop()
    finally:
        await front.stop()
        await server.close()


def _config() -> Config:
    config = Config()
    config.errorlog = None
    config.h2_max_concurrent_streams = MAX_STREAMS
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = 10_000_000
    config.include_server_header = False
    return config


class _Connection(TCPServer):
    """A connection that waits little for its first request, and is gone once its client is."""

    head_seconds = 0.0
    _asked = False

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated) and not event.idle:
            self._asked = True
        if isinstance(event, RawData) and self.writer.transport.is_closing():
            await self.protocol.handle(Closed())  # asyncio would only log that nobody is there
        else:
            await super().protocol_send(event)

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()  # else the socket stays in CLOSE_WAIT until the keep-alive time is over

    async def _idle_timeout(self) -> None:
        seconds = KEEP_ALIVE_SECONDS if self._asked else self.head_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.context.terminated.wait()
        await asyncio.shield(self._initiate_server_close())


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

    async def pop(self, max_length: int) -> bytes:
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < h2.BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


class _Http2(H2Protocol):
    """HTTP/2 that frees what belonged to a stream that was reset, and resets one whose answer broke off."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.streams = _Streams()
        self.priority = cast("Any", _Turns())

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if isinstance(event, Closed):
            for stream_id in list(self.stream_buffers):
                await self._forget(stream_id)

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed) and self._breaks_off(event.stream_id):
            with contextlib.suppress(ProtocolError):
                self.connection.reset_stream(event.stream_id, ErrorCodes.INTERNAL_ERROR)
                await self._flush()
        await super().stream_send(event)

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

    async def _forget(self, stream_id: int) -> None:
        self.priority.remove_stream(stream_id)
        buffer = self.stream_buffers.pop(stream_id, None)
        if buffer is not None:
            await buffer.close()


# where hypercorn's connections and its HTTP/2 take them from
protocol.H2Protocol = _Http2  # type: ignore[misc]
h2.StreamBuffer = _Buffer  # type: ignore[misc]
