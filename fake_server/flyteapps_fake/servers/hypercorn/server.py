"""hypercorn's protocols on our own sockets: for `serve`, `plane.serve()` and the console.

hypercorn's own `serve` is not used: it offers no way to end connections that hang. Its protocols are subclassed, never
patched. Each change in this package answers something seen on hypercorn 0.18, and has a test in tests/serving.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config

from flyteapps_fake.core.time.forks import register_inherited
from flyteapps_fake.http.limits import KEEP_ALIVE_SECONDS, Limits
from flyteapps_fake.http.protocol.wire import Receive, Scope, Send
from flyteapps_fake.servers.hypercorn.connections import Connection
from flyteapps_fake.servers.hypercorn.turns import Context
from flyteapps_fake.servers.listener import BACKLOG, abandon_sockets, close_servers, max_connections

if TYPE_CHECKING:
    from flyteapps_fake.http.front import Front

App = Callable[[Scope, Receive, Send], Awaitable[None]]

CHECK_SECONDS = 1.0
"""Time between two checks of all connections for those that have been silent for too long."""
GRACE_SECONDS = 0.6
"""Time that connections with an open call may take to end by themselves once the server closes."""
CANCEL_SECONDS = 0.2
"""Time that connections may take to end once they are cancelled."""
MAX_ACCEPTED_PER_TURN = 16
"""Connections that are accepted before others have a turn of the loop; listener.py bounds those that may wait."""


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later, HTTP/2 preferred. Raises OSError, such as ssl.SSLError."""
    config = Config()
    config.certfile, config.keyfile = str(cert), str(key)
    return cast("ssl.SSLContext", config.create_ssl_context())


class PortableServer:
    """A server of one application on listening sockets, which it owns."""

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
        self._context = Context()
        self._config = _config(limits)
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._max_connections = max_connections(console=console)
        self._servers: list[asyncio.Server] = []
        self._next_check: asyncio.TimerHandle | None = None
        register_inherited(self)

    def forked(self) -> None:
        """See Inherited. Nothing serves the sockets in a child, whose copies would keep clients waiting for answers."""
        transports = (connection.writer.transport for connection in self._connections.values())
        abandon_sockets([*self._socks, *(transport.get_extra_info("socket") for transport in transports)])

    async def start(self) -> None:
        """Start to accept connections."""
        handshake = None if self._tls is None else self._limits.head_seconds
        asyncio.get_running_loop().set_exception_handler(_AcceptErrors())
        for sock in self._socks:
            self._servers.append(
                await asyncio.start_server(
                    self._serve,
                    sock=sock,
                    ssl=self._tls,
                    ssl_handshake_timeout=handshake,
                    backlog=MAX_ACCEPTED_PER_TURN,
                )
            )
            sock.listen(BACKLOG)  # asyncio has set the other number
        self._check()

    async def close(self) -> None:
        """Accept no more connections, end those without a call at once, and cut those that don't end in time."""
        await close_servers(self._servers)
        if self._next_check is not None:
            self._next_check.cancel()
        await self._context.terminated.set()
        for connection in self._connections.values():
            if connection.idle:
                connection.close()
        if self._connections:
            _, left = await asyncio.wait(self._connections, timeout=GRACE_SECONDS)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=CANCEL_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if len(self._connections) >= self._max_connections and not self._cut_one():
            writer.transport.abort()
            return
        loop = asyncio.get_running_loop()
        connection = Connection(self._app, loop, self._config, self._context, cast("Any", {}), reader, writer)
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

    def _check(self) -> None:
        """Close connections whose clients have been silent for too long."""
        loop = asyncio.get_running_loop()
        self._next_check = loop.call_later(CHECK_SECONDS, self._check)
        now = loop.time()
        for connection in self._connections.values():
            connection.check(now)

    def _cut_one(self) -> bool:
        """Cut the oldest connection without a request, else without a whole one; False where all have one.

        Otherwise no new client would be answered.
        """
        left = [each for each in self._connections.values() if not each.writer.transport.is_closing()]
        found = next((each for each in left if each.idle), None) or next((each for each in left if each.arriving), None)
        if found is not None:
            found.writer.transport.abort()
        return found is not None


class _AcceptErrors:
    """asyncio's exception handler; it reports only once that no more files can be opened.

    asyncio would report it for each connection that waits to be accepted, every second.
    """

    def __init__(self) -> None:
        self._reported = False

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not str(context.get("message")).startswith("socket.accept() out of system resource"):
            loop.default_exception_handler(context)
        elif not self._reported:
            self._reported = True
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
    """Serve `front` on `socks` until `stop` returns; call `started` once it listens. Streams end before connections."""
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
