"""hypercorn's protocols on sockets of ours: for `serve`, `plane.serve()`, the console.

Its own `serve` is left out: it can't be told to end connections that hang. What is mended here and in the modules
portable_*, which alone know hypercorn, was seen on hypercorn 0.18; each has a test in tests/serving.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hypercorn import protocol
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated

from flyteapps_fake.http.limits import KEEP_ALIVE_SECONDS, Limits
from flyteapps_fake.http.protocol.wire import Receive, Scope, Send
from flyteapps_fake.servers.hypercorn.http1 import Http1
from flyteapps_fake.servers.hypercorn.http2 import Http2
from flyteapps_fake.servers.listener import BACKLOG, max_connections

if TYPE_CHECKING:
    from flyteapps_fake.http.front import Front

App = Callable[[Scope, Receive, Send], Awaitable[None]]

GRACE_SECONDS = 0.6
"""How long connections may take to end by themselves once the server closes."""
CANCEL_SECONDS = 0.2
ACCEPTED_AT_ONCE = 16
"""Connections that are accepted before others have a turn of the loop; as many as may wait are in listener.py."""
LINGER_SECONDS = 1.0
"""How long a client that was answered early may go on sending, until it has seen the answer."""
CLOSE_SECONDS = 10.0
"""How long a client may take to read the end of what it was sent."""


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later, HTTP/2 preferred. OSError (ssl.SSLError is one) where the files are of no use."""
    config = Config()
    config.certfile, config.keyfile = str(cert), str(key)
    return cast("ssl.SSLContext", config.create_ssl_context())


class PortableServer:
    """Serves one application on listening sockets, which it owns."""

    def __init__(
        self,
        app: App,
        socks: Sequence[socket.socket],
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        *,
        console: bool = False,
    ) -> None:
        self._app = ASGIWrapper(cast("Any", app))
        self._socks = socks
        self._limits = limits
        self._tls = tls
        self._context = WorkerContext(None)
        self._config = _config(limits)
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._max_connections = max_connections(console=console)
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Accepts connections."""
        handshake = None if self._tls is None else self._limits.head_seconds
        asyncio.get_running_loop().set_exception_handler(_Complaints())
        for sock in self._socks:
            self._servers.append(
                await asyncio.start_server(
                    self._serve, sock=sock, ssl=self._tls, ssl_handshake_timeout=handshake, backlog=ACCEPTED_AT_ONCE
                )
            )
            sock.listen(BACKLOG)  # asyncio has told the system its own number

    async def close(self) -> None:
        """Takes no more connections, lets those that are open end, and cuts those that hang."""
        for server in self._servers:
            server.close()
        await self._context.terminated.set()
        if self._connections:
            _, left = await asyncio.wait(self._connections, timeout=GRACE_SECONDS)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=CANCEL_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if len(self._connections) >= self._max_connections and not self._make_room():
            writer.transport.abort()
            return
        loop = asyncio.get_running_loop()
        connection = _Connection(self._app, loop, self._config, self._context, cast("Any", {}), reader, writer)
        connection.head_seconds = self._limits.head_seconds
        self._connections[task] = connection
        try:
            await connection
        except Exception:  # a broken client's, since the application's own failures are answered: the others go on
            writer.transport.abort()
        except asyncio.CancelledError:  # ours: asyncio would report it
            writer.transport.abort()
        finally:
            del self._connections[task]

    def _make_room(self) -> bool:
        """Cuts the oldest connection that has no request, else no new one would be answered; False for none."""
        for connection in self._connections.values():
            if connection.idle and not connection.writer.transport.is_closing():
                connection.writer.transport.abort()
                return True
        return False


class _Complaints:
    """asyncio's exception handler, that says once that files have run out.

    asyncio would say it for each connection that waits to be accepted, every second.
    """

    def __init__(self) -> None:
        self._said = False

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not str(context.get("message")).startswith("socket.accept() out of system resource"):
            loop.default_exception_handler(context)
        elif not self._said:
            self._said = True
            print(
                "flyteapps: no more connections are accepted for now, since all files that this process may open are "
                "open: raise the limit (ulimit -n)",
                file=sys.stderr,
                flush=True,
            )


async def serve_front(
    front: Front,
    socks: Sequence[socket.socket],
    stop: Callable[[], Awaitable[object]],
    started: Callable[[], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve `front` on `socks` until `stop` returns; `started` hears when it does. Streams end before connections."""
    server = PortableServer(front, socks, front.options.limits, tls)
    await front.start()
    await server.start()
    started()
    try:
        await stop()
    finally:
        await front.stop()
        await server.close()


def _config(limits: Limits) -> Config:
    config = Config()
    config.errorlog = None
    config.h2_max_concurrent_streams = limits.http2_streams
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = 10_000_000
    config.include_server_header = False
    return config


class _Connection(TCPServer):
    """A connection that waits little for its first request, and is gone once its client is."""

    head_seconds = 0.0
    idle = True
    """Whether it has no request."""
    _ending = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._timers: list[asyncio.TimerHandle] = []

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated):
            self.idle = event.idle
        if isinstance(event, RawData) and self.writer.transport.is_closing():
            await self.protocol.handle(Closed())  # asyncio would only log that nobody is there
        elif isinstance(event, Closed):
            self._end()
        else:
            await super().protocol_send(event)

    def _end(self) -> None:
        """Ends the connection once all is sent. A client that is still sending would lose the answer if it were cut."""
        transport = self.writer.transport
        if self._ending or self.context.terminated.is_set() or not transport.can_write_eof():
            transport.close()
        else:
            self.writer.write_eof()
            self._timers.append(self.loop.call_later(LINGER_SECONDS, transport.close))
        self._ending = True
        self._timers.append(self.loop.call_later(CLOSE_SECONDS, transport.abort))

    async def _read_data(self) -> None:
        with contextlib.suppress(OSError):  # ssl.SSLError is one
            while data := await self.reader.read(MAX_RECV):
                if not self._ending:
                    await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())
        await self.idle_task.stop()  # else the socket stays in CLOSE_WAIT until the keep-alive time is over

    async def _close(self) -> None:
        self._timers.append(self.loop.call_later(CLOSE_SECONDS, self.writer.transport.abort))
        await super()._close()
        for timer in self._timers:
            timer.cancel()

    async def _idle_timeout(self) -> None:
        seconds = KEEP_ALIVE_SECONDS if self.protocol.protocol.keep_alive_requests else self.head_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.context.terminated.wait()
        await asyncio.shield(self._initiate_server_close())


# where hypercorn's connections take them from
protocol.H11Protocol = Http1  # type: ignore[misc]
protocol.H2Protocol = Http2  # type: ignore[misc]
