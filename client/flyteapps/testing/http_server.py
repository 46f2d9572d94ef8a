"""A server of HTTP/1.1 for one ASGI application, on the running loop and without a thread. Nothing here knows an RPC.

It is for the loopback of a test: no TLS, no limits, and a client that goes away ends what the application does for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from flyteapps.transports import forks

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

HOST = "127.0.0.1"
LINE_END = b"\r\n"
SETTLING_ROUNDS = 5
"""Rounds of the loop in which a connection that was just accepted comes to its protocol and ends."""
CUT: str = "flyteapps.cut"
"""The key of a scope whose function resets the connection."""


class HttpServer:
    """A server on a free port of the loopback."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._closed = False

    async def start(self) -> str:
        """Begin to listen; return the URL."""
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        forks.register(self)
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def forked(self) -> None:
        """See Inherited. Nothing serves the sockets in a child, whose copies would keep clients waiting for answers.

        The null device takes their places: the objects close them later, and might otherwise close another file.
        """
        listening = self._server.sockets if self._server is not None else ()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for sock in (*listening, *(writer.get_extra_info("socket") for writer in self._connections.values())):
            if sock.fileno() >= 0:
                os.dup2(nowhere, sock.fileno(), inheritable=False)
        os.close(nowhere)

    async def close(self) -> None:
        """Stop listening, reset all connections, and wait for their end."""
        self._closed = True
        if self._server is not None:
            with contextlib.suppress(NotImplementedError):  # Windows' loop accepts in another way
                for sock in self._server.sockets:
                    asyncio.get_running_loop().remove_reader(sock.fileno())
            await _settled()  # asyncio forgets to close a connection that it accepts as its server closes
            self._server.close()
        while self._connections:
            for task, writer in self._connections.items():
                writer.transport.abort()
                task.cancel()
            await asyncio.wait(list(self._connections))
        await _settled()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.transport.abort()
            return
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(lambda done: self._connections.pop(done, None))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while (request := await _read_request(reader)) is not None:
                    exchange = _Exchange(request, reader, writer)
                    await exchange.run(self._app)
                    if exchange.last:
                        break
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


async def _settled() -> None:
    for _ in range(SETTLING_ROUNDS):
        await asyncio.sleep(0)


class _Request(NamedTuple):
    """A request, read to its end; the names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class _Exchange:
    """A request and its response. `last`: whether the connection ends with it."""

    def __init__(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._request = request
        self._reader = reader
        self._writer = writer
        self._streams = request.headers.get("content-type", "").startswith("application/connect+")
        self._start: dict[str, Any] | None = None
        self._read = False
        self._is_cut = False
        self.last = self._streams  # what `_left` reads would be missing from a further request

    async def run(self, app: Application) -> None:
        """Let the application answer, as long as the client of a stream is there."""
        answering = asyncio.ensure_future(app(self._scope(), self._receive, self._send))
        leaving = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    def _scope(self) -> dict[str, Any]:
        url = urlsplit(self._request.target)
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": "http",
            "path": unquote(url.path),
            "root_path": "",
            "query_string": url.query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in self._request.headers.items()],
            CUT: self._cut,
        }

    async def _left(self) -> None:
        """Return once the client of a stream has gone."""
        if not self._streams:
            await asyncio.get_running_loop().create_future()
        with contextlib.suppress(ConnectionError):
            await self._reader.read(1)

    def _cut(self) -> None:
        self.last = self._is_cut = True
        self._writer.transport.abort()

    async def _receive(self) -> dict[str, Any]:
        if self._read:
            await asyncio.get_running_loop().create_future()
        self._read = True
        return {"type": "http.request", "body": self._request.body, "more_body": False}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if self._is_cut:
            return
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self._streams:
            self._head({"content-length": str(len(body))})
            self._writer.write(body)
        else:
            self._head({"transfer-encoding": "chunked", "connection": "close"})
            if body:
                self._writer.write(f"{len(body):x}\r\n".encode() + body + LINE_END)
            if not more:
                self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _head(self, framing: Mapping[str, str]) -> None:
        """Write status and headers, once."""
        if self._start is None:
            return
        status, self._start, sent = HTTPStatus(self._start["status"]), None, self._start["headers"]
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in framing.items())]
        lines += [f"{name.decode()}: {value.decode('latin-1')}" for name, value in sent]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    """Return the next request of the connection, None after the last. Raises IncompleteReadError."""
    try:
        start = (await reader.readuntil(LINE_END)).strip()
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    method, target, _ = start.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while line := (await reader.readuntil(LINE_END)).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _Request(method, target, headers, await _read_chunks(reader))
    return _Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    while size := int((await reader.readuntil(LINE_END)).partition(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readuntil(LINE_END)
    while (await reader.readuntil(LINE_END)).strip():  # trailers
        pass
    return b"".join(pieces)
