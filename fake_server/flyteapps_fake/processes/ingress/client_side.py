"""The clients' side: aiohttp's server of HTTP/1.1 on listening sockets, within limits, and closed within a grace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong

from flyteapps_fake.processes.ingress.answers import Answer, encode
from flyteapps_fake.processes.ingress.limits import (
    BUFFER_BYTES,
    HEAD_SECONDS,
    LINGER_SECONDS,
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    MAX_LINE_BYTES,
)
from flyteapps_fake.processes.ingress.passing.relay import reset
from flyteapps_fake.servers.listener import BACKLOG, close_servers, max_connections, start_servers

FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
"""The answer to a connection beyond the limit."""
_QUIET = logging.Logger("flyteapps_fake.processes.ingress", logging.CRITICAL + 1)
"""Logs nothing: aiohttp logs a traceback for each malformed request."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Written(web.StreamResponse):
    """The response that a handler returns once it has written the bytes by itself."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._keep_alive = keep_alive  # it has no setter, and prepare(), which decides it, is left out

    async def prepare(self, request: web.BaseRequest) -> None:  # type: ignore[override]  # there is nothing to prepare
        """Do nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing."""


def written(*, keep_alive: bool) -> web.StreamResponse:
    """Return a response that was written, after which the connection is kept or closed."""
    return _KEPT if keep_alive else _CLOSED


_KEPT, _CLOSED = Written(keep_alive=True), Written(keep_alive=False)


class Connection(web.RequestHandler):
    """A client's connection. A malformed request gets an answer in JSON."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        request = self._current_request
        if request is None or not self._messages or isinstance(self._messages[-1][0], RawRequestMessage):
            return
        # aiohttp's parser in C leaves the reader of a body waiting once its framing proves to be malformed
        if not request.content.is_eof():
            request.content.set_exception(web.RequestPayloadError("the body is malformed"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Write the answer, after which aiohttp closes the connection."""
        if isinstance(exc, LineTooLong):
            status = 431
        why = (message or "Bad Request").partition("\n")[0].strip().rstrip(":")
        transport = self.transport
        if transport is not None and request.writer.output_size == 0:
            text = f"this is no request of HTTP/1.1 that the ingress accepts: {why}"
            transport.write(encode(Answer(status, text), "", body=True, close=True))
        return written(keep_alive=False)


class Count:
    """A number of connections, that of all ports together."""

    def __init__(self, maximum: int) -> None:
        self.now = 0
        self.maximum = maximum


class Site(web.Server):
    """A server on some sockets. Connections beyond the limit of the `count` are answered with 503."""

    def __init__(self, handler: Handler, count: Count) -> None:
        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            self._busy.add(request.protocol)
            try:
                return await handler(request)
            finally:
                self._busy.discard(request.protocol)

        super().__init__(
            serve,
            handler_cancellation=True,
            keepalive_timeout=HEAD_SECONDS,
            lingering_time=LINGER_SECONDS,
            read_bufsize=BUFFER_BYTES,
            auto_decompress=False,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
            access_log=None,
            logger=_QUIET,
        )
        self._count = count
        self._listening: list[asyncio.Server] = []
        self._busy: set[web.RequestHandler] = set()

    async def start(self, socks: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Serve on listening sockets."""
        loop = asyncio.get_running_loop()
        self._listening += await start_servers(
            socks, lambda sock: loop.create_server(self, sock=sock, backlog=BACKLOG, ssl=tls)
        )

    async def close(self, grace_seconds: float) -> None:
        """Stop to listen, close idle connections at once and the others when they are idle or the grace is over."""
        listening, self._listening = self._listening, []
        await close_servers(listening)
        for connection in self.connections:
            if connection in self._busy:
                connection.close()  # after its request; an idle one would stay open
            else:
                connection.force_close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._all_closed()
        for connection in self.connections:
            reset(connection.transport)
        await self._all_closed()

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._count.now += 1
        if self._count.now > self._count.maximum:
            transport.write(FULL)
            transport.close()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._count.now -= 1

    async def _all_closed(self) -> None:
        while self.connections:
            await asyncio.sleep(0.01)


def connection_count() -> Count:
    """Return a count that allows as many connections as the files of this process do: each needs a second one."""
    return Count(max_connections(console=True))
