"""WebSockets are passed byte by byte, so that whatever both ends negotiate works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from flyteapps_fake.processes.routes import Backend, Route

from .running import OK, Running, answering, until

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Echo:
    """An app that answers each message by itself, and records how its WebSockets ended."""

    def __init__(self) -> None:
        self.closed: list[int | None] = []
        self.extensions: list[str | None] = []
        self.opened = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("chat",), autoping=True, max_msg_size=0)
        await socket.prepare(request)
        self.opened += 1
        self.extensions.append(socket.headers.get("sec-websocket-extensions"))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT and message.data.startswith("close "):
                    await socket.close(code=int(message.data[6:]), message=b"as asked")
                elif message.type == WSMsgType.TEXT:
                    await socket.send_str(message.data)
                else:
                    await socket.send_bytes(message.data)
        finally:
            self.closed.append(socket.close_code)
        return socket


@asynccontextmanager
async def echoing(running: Running) -> AsyncGenerator[tuple[Route, Echo]]:
    """An app of that kind."""
    echo = Echo()
    runner = web.ServerRunner(web.Server(echo))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield await running.app(Backend(runner.addresses[0][1], 5)), echo
    finally:
        await running.close()
        await runner.cleanup()


async def test_messages_pass(running: Running) -> None:
    """Text, binary, empty and large messages, a subprotocol, and compression that both ends agree on."""
    async with echoing(running) as (route, echo), aiohttp.ClientSession() as session:
        async with session.ws_connect(
            f"http://localhost:{route.port}/", protocols=("chat",), compress=15, max_msg_size=0
        ) as socket:
            assert socket.protocol == "chat" and socket.compress == 15
            assert "permessage-deflate" in (echo.extensions[0] or "")
            large = bytes(range(256)) * (64 << 10)
            for text in ("", "a", "\N{SNOWMAN}" * 1000):
                await socket.send_str(text)
                assert (await socket.receive()).data == text
            for data in (b"", b"\0", large):
                await socket.send_bytes(data)
                assert (await socket.receive()).data == data
            assert route.in_flight == 1 and route.backends[0].in_flight == 1
        await until(lambda: echo.closed and running.lines)
        assert echo.closed == [1000]
        line = running.lines[0]
        assert (line.status, line.number, line.method) == (101, 5, "GET") and line.bytes > 1000


async def test_pings_pass(running: Running) -> None:
    """A ping of the client is answered by the app."""
    async with (
        echoing(running) as (route, _),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://localhost:{route.port}/", autoping=False) as socket,
    ):
        await socket.ping(b"here")
        message = await socket.receive()
        assert message.type == WSMsgType.PONG and message.data == b"here"


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_close_codes_pass_in_both_directions(running: Running, code: int) -> None:
    """The code and reason of a close are those of the side that closed."""
    async with echoing(running) as (route, echo), aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"http://localhost:{route.port}/")
        await socket.send_str(f"close {code}")
        message = await socket.receive()
        assert message.type == WSMsgType.CLOSE and message.data == code and message.extra == "as asked"
        await socket.close()
        other = await session.ws_connect(f"http://localhost:{route.port}/")
        await other.close(code=code)
        await until(lambda: len(echo.closed) == 2)
        assert echo.closed[1] == code


async def test_a_client_that_vanishes_ends_the_websocket(running: Running) -> None:
    """The app sees its WebSocket end, and the app has one request less."""
    async with echoing(running) as (route, echo):
        client = await running.client(route)
        client.send(UPGRADE)
        assert (await client.head()).status == 101
        client.vanish()
        await until(lambda: echo.closed and not route.in_flight and not route.backends[0].in_flight)


async def test_an_app_that_dies_ends_the_websocket(running: Running) -> None:
    """The client's connection ends with the app's."""
    die = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\nearly")
        await die.wait()
        writer.transport.abort()

    route = await running.app(await running.replica(handle))
    client = await running.client(route)
    client.send(UPGRADE + b"first frame")
    assert (await client.head()).one(b"upgrade") == b"WebSocket"
    assert await client.reader.readexactly(5) == b"early"
    die.set()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.reader.readexactly(1)
    await until(lambda: not route.in_flight)


async def test_bytes_after_the_handshake_are_kept(running: Running) -> None:
    """Frames that were sent with the handshake reach the other side."""
    seen = bytearray()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        seen.extend(await reader.readexactly(7))
        await reader.read()

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(UPGRADE + b"abc")
    await client.head()
    client.send(b"defg")
    await until(lambda: bytes(seen) == b"abcdefg")
    client.vanish()


async def test_a_declined_handshake_is_a_response(running: Running) -> None:
    """An app that doesn't switch answers as usual, and the client's connection serves the next request."""
    route = await running.app(await running.replica(answering(OK.replace(b"200 OK", b"426 Upgrade Required"))))
    client = await running.client(route)
    for _ in range(2):
        assert (await client.request(UPGRADE)).status == 426


async def test_other_upgrades_are_ignored(running: Running) -> None:
    """A client that offers HTTP/2 beside its request, as curl --http2 does, has the request answered, body included."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"upgrade" not in head.lower().replace(b"upgrade-insecure", b"")
            assert await reader.readexactly(3) == b"abc"
            writer.write(OK)

    client = await running.client(await running.app(await running.replica(handle)))
    for _ in range(2):
        client.send(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABk\r\nContent-Length: 3\r\n\r\nabc"
        )
        assert (await client.response()).body == b"ok"


@pytest.mark.slow
async def test_a_thousand_websockets(running: Running) -> None:
    """A thousand WebSockets are open at once, and each echoes."""
    async with echoing(running) as (route, echo):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"http://127.0.0.1:{route.port}/"
            sockets = [await session.ws_connect(url) for _ in range(1000)]
            assert route.in_flight == route.backends[0].in_flight == 1000
            for number, socket in enumerate(sockets):
                await socket.send_str(str(number))
            for number, socket in enumerate(sockets):
                assert (await socket.receive()).data == str(number)
            for socket in sockets:
                await socket.close()
        await until(lambda: len(echo.closed) == 1000 and route.in_flight == 0)
