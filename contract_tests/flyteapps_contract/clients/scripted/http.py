"""HTTP/1.1 for the scripted server: requests in, responses out, connections that are cut. Nothing here knows an RPC.

Everything runs on the loop of the check, so there is no thread to leave behind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
LINE_END = b"\r\n"
SETTLING = 5
"""Rounds of the loop in which a connection that was just accepted comes to its protocol and ends."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end; the names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request and the way to answer it: whole, or piece by piece, or by cutting the connection."""

    def __init__(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.last = False
        """Whether the connection ends with this exchange."""
        self._reader = reader
        self._writer = writer

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole response."""
        self._head(status, {**headers, "content-length": str(len(body))})
        self._writer.write(body)
        await self._writer.drain()

    async def open(self, headers: Mapping[str, str]) -> None:
        """Begin an answer that comes in pieces."""
        self.last = True  # what `left` reads would be missing from a further request
        self._head(200, {**headers, "transfer-encoding": "chunked", "connection": "close"})
        await self._writer.drain()

    async def send(self, piece: bytes) -> None:
        """Send one piece of the body; it is on its way when this returns."""
        self._writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await self._writer.drain()

    async def finish(self) -> None:
        """Send the end of the body."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def cut(self) -> None:
        """Reset the connection."""
        self.last = True
        self._writer.transport.abort()

    async def left(self) -> None:
        """Return once the client has gone."""
        with contextlib.suppress(ConnectionError):
            await self._reader.read(1)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}", *(f"{k}: {v}" for k, v in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())


class Listener:
    """Listens on a free port of the loopback and hands each exchange to `serve`."""

    def __init__(self, serve: Callable[[Exchange], Awaitable[None]]) -> None:
        self._serve = serve
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._closed = False

    async def start(self) -> str:
        """Begin to listen; the URL."""
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening, cuts what is connected, and waits for all of it."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        while self._connections:
            for task, writer in self._connections.items():
                writer.transport.abort()
                task.cancel()
            await asyncio.wait(list(self._connections))
        for _ in range(SETTLING):
            await asyncio.sleep(0)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(lambda done: self._connections.pop(done, None))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while (request := await _read_request(reader)) is not None:
                    exchange = Exchange(request, reader, writer)
                    await self._serve(exchange)
                    if exchange.last:
                        break
        finally:
            await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request of the connection; None where the client has closed it. Raises IncompleteReadError."""
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
        return Request(method, target, headers, await _read_chunks(reader))
    return Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    while size := int((await reader.readuntil(LINE_END)).partition(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readuntil(LINE_END)
    while (await reader.readuntil(LINE_END)).strip():  # trailers
        pass
    return b"".join(pieces)
