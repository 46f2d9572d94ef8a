"""Bodies are passed as they come, in both directions, no faster than they are read, and end as they ended."""

from __future__ import annotations

import asyncio
import socket

import pytest

from .running import GET, OK, Running, answering, settled, transport_of, until

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
MAX_BUFFERED_BYTES = 24 << 20
"""The kernel's buffers of three connections, on a machine with large ones, and the ingress' own."""


async def test_each_event_arrives_before_the_next(running: Running) -> None:
    """An event of a stream reaches the client while the app waits for it to arrive."""
    arrived = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SSE + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            writer.write(b"9\r\ndata: 1\n\n\r\n")
            await arrived.wait()
            arrived.clear()
        writer.write(b"0\r\n\r\n")

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(GET)
    assert (await client.head()).one(b"content-type") == b"text/event-stream"
    for _ in range(10):
        assert await client.chunk() == b"data: 1\n\n"
        arrived.set()
    assert await client.chunk() == b""


async def test_each_part_of_an_upload_arrives_before_the_next(running: Running) -> None:
    """A part of a body reaches the app while the client waits, and an answer in parts goes back meanwhile."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            part = await reader.readexactly(size + 2)
            writer.write(b"%x\r\n" % size + part)
            if not size:
                return

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(POST)
    assert (await client.head()).status == 200
    for _ in range(10):
        client.send(b"4\r\npart\r\n")
        assert await client.chunk() == b"part"
    client.send(b"0\r\n\r\n")
    assert await client.chunk() == b""


async def test_interim_responses_are_passed(running: Running) -> None:
    """100 Continue comes from the app, before the body is sent, and 103 Early Hints before its response."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await reader.readexactly(2) == b"ab"
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(b"PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert (await client.head()).status == 100
    client.send(b"ab")
    hints = await client.head()
    assert hints.status == 103 and hints.one(b"link") == b"</x>"
    assert (await client.response()).body == b"ok"


async def test_an_answer_before_the_body_was_sent(running: Running) -> None:
    """An app may refuse an upload by its head; the client has the answer though it still sends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nabc")
    assert (await client.response()).status == 413


async def test_a_client_that_does_not_read_stops_the_app(running: Running) -> None:
    """An endless body waits for its reader, and fills no memory."""
    written = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            written += 65536
            await writer.drain()

    client = await running.client(await running.app(await running.replica(handle)))
    client.pause()
    client.send(GET)
    await until(lambda: written)
    assert await settled(lambda: written) < MAX_BUFFERED_BYTES
    before = written
    client.resume()
    while written < before + MAX_BUFFERED_BYTES:
        await client.reader.read(1 << 20)
    client.vanish()


async def test_an_app_that_does_not_read_stops_the_client(running: Running) -> None:
    """An endless upload waits for the app, and fills no memory."""
    sent = 0
    reads = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        transport_of(writer).pause_reading()
        await reads.wait()
        transport_of(writer).resume_reading()
        while await reader.read(1 << 20):
            pass

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n")

    async def upload() -> None:
        nonlocal sent
        while True:
            client.send(bytes(65536))
            sent += 65536
            await client.writer.drain()

    task = asyncio.create_task(upload())
    await until(lambda: sent)
    assert await settled(lambda: sent) < MAX_BUFFERED_BYTES
    before = sent
    reads.set()
    await until(lambda: sent > before + MAX_BUFFERED_BYTES)
    task.cancel()
    client.vanish()


@pytest.mark.parametrize("after", ["head", "request", "part of the body"])
async def test_a_client_that_leaves_ends_the_request_of_the_app(running: Running, after: str) -> None:
    """The app's connection is closed as soon as the client is gone, and the request is counted no more."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if after == "head":
            writer.write(SSE + b"\r\n")
        begun.set()
        try:
            while await reader.read(1 << 16):
                pass
        finally:
            ended.set()

    route = await running.app(await running.replica(handle))
    client = await running.client(route)
    client.send(POST + b"1\r\na" if after == "part of the body" else GET)
    await begun.wait()
    if after == "head":
        await client.head()
    assert route.in_flight == 1 and route.backends[0].in_flight == 1
    client.vanish()
    await ended.wait()
    await until(lambda: not route.in_flight and not route.backends[0].in_flight)
    [line] = running.lines
    assert line.status == (200 if after == "head" else 0)


async def reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    await writer.drain()
    writer.transport.abort()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
)
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_response_that_breaks_off_is_not_whole(running: Running, head: bytes, version: bytes) -> None:
    """An app that dies in the middle of a body ends the client's connection by a reset."""
    arrived = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"part")
        await arrived.wait()
        await reset(writer)

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(b"GET / " + version + b"\r\nHost: localhost\r\n\r\n")
    await client.head()
    assert b"part" in await client.reader.readuntil(b"part")
    arrived.set()
    with pytest.raises(ConnectionResetError):
        await client.rest()


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    ],
)
async def test_a_response_that_ends_early_is_not_whole(running: Running, response: bytes) -> None:
    """The same holds where the app closes its connection properly, but too early."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(GET)
    with pytest.raises(ConnectionResetError):
        await client.rest()


async def test_a_response_longer_than_its_length_is_cut(running: Running) -> None:
    """The client gets what the length says, and the connection with the rest serves no other request."""
    route = await running.app(await running.replica(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + OK)))
    client = await running.client(route)
    for _ in range(3):
        assert (await client.request(GET)).body == b"ok"


async def test_large_bodies_arrive_whole(running: Running) -> None:
    """Sixteen MiB up and down arrive byte by byte as sent."""
    size = 16 << 20
    data = bytes(range(256)) * (size // 256)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        left = size
        while left:
            part = await reader.read(1 << 18)
            left -= len(part)
            writer.write(part)
            await writer.drain()

    client = await running.client(await running.app(await running.replica(handle)))
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
    client.send(data)
    assert (await client.response()).body == data


async def test_a_trickle_is_no_reason_to_end(running: Running) -> None:
    """A request whose head comes byte by byte is answered."""
    client = await running.client(await running.app(await running.replica(answering(OK))))
    for number in range(len(GET)):
        client.send(GET[number : number + 1])
        await client.writer.drain()
        await asyncio.sleep(0)
    assert (await client.response()).body == b"ok"
