"""An ingress for a test, with replicas that are small servers in the test's own loop, and raw clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from flyteapps_control.selection import AppName
from flyteapps_fake.processes.ingress.ingress import Ingress
from flyteapps_fake.processes.ingress.request_line import RequestLine
from flyteapps_fake.processes.routes import Backend, Route, Routes, Unavailable
from flyteapps_fake.servers.listener import AddressTaken, bound_sockets, listening_sockets, loopbacks

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Response(NamedTuple):
    """A response as bytes; `body` is that of the framing which its head has."""

    status: int
    first: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    def one(self, name: bytes) -> bytes:
        [value] = self.all(name)
        return value


class Client:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1") -> Client:
        return cls(*await asyncio.open_connection(host, port, limit=1 << 20))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> Response:
        """Return the head of the next response."""
        block = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = block[:-4].split(b"\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        return Response(int(first.split(b" ")[1]), first, headers, b"")

    async def chunk(self) -> bytes:
        """Return the next chunk of a body, b"" at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        return data

    async def response(self, *, bodiless: bool = False) -> Response:
        """Return the next response."""
        head = await self.head()
        body = b""
        if bodiless:
            pass
        elif head.all(b"transfer-encoding"):
            while chunk := await self.chunk():
                body += chunk
        elif head.all(b"content-length"):
            body = await self.reader.readexactly(int(head.one(b"content-length")))
        else:
            body = await self.reader.read()
        return head._replace(body=body)

    async def rest(self) -> bytes:
        """Return all up to the end of the connection."""
        return await self.reader.read()

    async def request(self, data: bytes, *, bodiless: bool = False) -> Response:
        self.send(data)
        return await self.response(bodiless=bodiless)

    def pause(self) -> None:
        """Read no more."""
        transport_of(self.writer).pause_reading()

    def resume(self) -> None:
        """Read again."""
        transport_of(self.writer).resume_reading()

    def vanish(self) -> None:
        """Close the connection with a reset."""
        self.writer.transport.abort()


def transport_of(writer: asyncio.StreamWriter) -> asyncio.Transport:
    assert isinstance(writer.transport, asyncio.Transport)
    return writer.transport


def every_token(token: str) -> bool:
    return True


def no_token(token: str) -> bool:
    return False


class Running:
    """A running ingress, its routes, and the lines that it logged."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.routes = Routes()
        self.lines: list[RequestLine] = []
        self.wakes = 0
        self.ingress = Ingress(self.routes, log=self.lines.append)

    async def use(self, **options: Any) -> None:
        """Take an ingress with other options."""
        await self.ingress.close(0)
        self.ingress = Ingress(self.routes, log=self.lines.append, **options)

    async def replica(self, handler: Handler, number: int = 0) -> Backend:
        """Return a replica that handles each connection so."""
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async def serve() -> None:
                try:
                    await handler(reader, writer)
                except (ConnectionError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()

            task = asyncio.create_task(serve())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)

        def stop() -> None:
            server.close()
            for task in tasks:
                task.cancel()

        self._stack.callback(stop)
        return Backend(server.sockets[0].getsockname()[1], number)

    async def app(self, *backends: Backend, name: str = "demo", **fields: Any) -> Route:
        """Return the route of an app that is listened for."""
        while True:
            port = _free_port()
            fields.setdefault("label", name)
            route = Route(AppName("p", "d", name), port, backends=backends, **fields)
            route.on_request = self._wake
            try:
                await self.ingress.listen(route)
            except AddressTaken:
                continue
            self.routes.add(route)
            return route

    async def client(self, route_or_port: Route | int) -> Client:
        port = route_or_port.port if isinstance(route_or_port, Route) else route_or_port
        client = await Client.connect(port)
        self._stack.callback(client.writer.close)
        return client

    async def router(self) -> int:
        """Return the port of the router, which serves from now on."""
        socks = listening_sockets(loopbacks(), 0)
        await self.ingress.serve_router(socks)
        return socks[0].getsockname()[1]

    async def close(self) -> None:
        await self.ingress.close(0)

    def _wake(self) -> None:
        self.wakes += 1


def _free_port() -> int:
    socks = bound_sockets(loopbacks(), 0)
    port = socks[0].getsockname()[1]
    for each in socks:
        each.close()
    return port


def no_replica(message: str, status: int = 503, retry_after: int | None = None) -> Unavailable:
    return Unavailable(message, status, retry_after)


def answering(response: bytes, seen: list[bytes] | None = None) -> Handler:
    """Return a replica's handler that answers each request of a connection, which has no body, with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head)
            writer.write(response)

    return handle


async def until(condition: Callable[[], object]) -> None:
    """Run the loop until the condition holds."""
    while not condition():
        await asyncio.sleep(0.001)


async def settled(count: Callable[[], int]) -> int:
    """Return a count once it has not grown for many turns of the loop."""
    last, turns = count(), 0
    while turns < 300:
        await asyncio.sleep(0.001)
        now = count()
        turns = turns + 1 if now == last else 0
        last = now
    return last


def header_lines(head: bytes) -> list[bytes]:
    """Return the lines of a head, without the first."""
    return head.rstrip(b"\r\n").split(b"\r\n")[1:]
