"""Bad requests get a clear answer, reach no app, and cost little."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time

import pytest

from flyteapps_fake.processes.ingress import client_side

from .running import GET, OK, Running, answering, until

HOST = b"Host: localhost\r\n"


async def refused(running: Running, data: bytes) -> bytes:
    """Return all that a client gets for such bytes, of which no app sees any."""
    seen: list[bytes] = []
    route = await running.app(await running.replica(answering(OK, seen)))
    client = await running.client(route)
    client.send(data)
    answer = await client.rest()
    assert seen == [] and running.wakes == 0
    other = await running.client(route)
    assert (await other.request(GET)).body == b"ok"
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n folded: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rSet: b\r\n\r\n",
        b"GET / HTTP/1.1\n" + HOST + b"X: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/2.5\r\n" + HOST + b"\r\n",
        b"G" * 10_000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X" * 100_000 + b": a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 201 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_malformed_requests_are_refused(running: Running, request_: bytes) -> None:
    """Ambiguous framing, and lines beyond the limits, get one answer, and the connection ends."""
    answer = await refused(running, request_)
    assert answer.startswith((b"HTTP/1.1 400 Bad Request\r\n", b"HTTP/1.1 431 "))
    assert len(answer) < 1_000 and answer.count(b"\r\n\r\n") == 1


async def test_a_million_header_lines_cost_little(running: Running) -> None:
    """The connection is closed after the bound, and what follows isn't read."""
    route = await running.app(await running.replica(answering(OK)))
    client = await running.client(route)
    client.send(b"GET / HTTP/1.1\r\n" + HOST)
    began = time.process_time()
    with contextlib.suppress(ConnectionError):
        for _ in range(1_000):
            client.send(b"X: a\r\n" * 1_000)
            await client.writer.drain()
        await client.rest()
    assert time.process_time() - began < 1
    assert running.lines == []


@pytest.mark.parametrize(
    "target", [b"http://evil.example/x", b"HTTP://evil.example?x", b"http://localhost@evil.example/"]
)
async def test_the_host_of_a_whole_url_counts(running: Running, target: bytes) -> None:
    """A whole URL as the target is answered for its own host, not for that of the header."""
    client = await running.client(await running.app(await running.replica(answering(OK))))
    response = await client.request(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert response.status == 421


async def test_a_whole_url_is_passed_as_a_path(running: Running) -> None:
    """An app gets the path and the host of a whole URL."""
    seen: list[bytes] = []
    client = await running.client(await running.app(await running.replica(answering(OK, seen))))
    for target in (b"http://localhost:1/x?y", b"http://localhost:1?y", b"http://localhost:1"):
        await client.request(b"GET " + target + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert [each.split(b" ")[1] for each in seen] == [b"/x?y", b"/?y", b"/"]
    assert all(b"\r\nHost: localhost:1\r\n" in each and b"evil" not in each for each in seen)


@pytest.mark.parametrize("target", [b"localhost:80", b"ftp://localhost/", b"x"])
async def test_other_targets_are_refused(running: Running, target: bytes) -> None:
    """A target is a path, a URL of http, or *."""
    client = await running.client(await running.app(await running.replica(answering(OK))))
    response = await client.request(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert response.status == 400


async def test_connect_is_refused(running: Running) -> None:
    """The ingress is no tunnel to other servers."""
    client = await running.client(await running.app(await running.replica(answering(OK))))
    response = await client.request(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
    assert response.status == 405


async def test_a_malformed_body_ends_the_request(running: Running) -> None:
    """An app whose request turns out to be malformed loses its connection, and the client gets 400."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            while await reader.read(1000):
                pass
        finally:
            ended.set()

    route = await running.app(await running.replica(handle))
    client = await running.client(route)
    client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    await until(lambda: route.backends[0].in_flight)
    client.send(b"zz\r\n")
    assert (await client.response()).status == 400
    await ended.wait()


async def test_pipelined_requests_fill_no_memory(running: Running) -> None:
    """A client that sends requests without end, and reads nothing, is read no further."""
    route = await running.app()
    client = await running.client(route)
    sent = 0
    task = asyncio.create_task(_flood(client.writer))
    await until(lambda: route.in_flight)
    for _ in range(200):
        await asyncio.sleep(0.001)
        sent = client.writer.transport.get_write_buffer_size()
    assert route.in_flight == 1 and sent > 0
    task.cancel()
    client.vanish()
    route.set((await running.replica(answering(OK)),), None)


async def _flood(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(GET * 1_000)
            await writer.drain()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET + b"GET /"])
async def test_a_head_that_does_not_come_ends_the_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A connection without a whole head is closed after a time, that of a running request is not."""
    monkeypatch.setattr(client_side, "HEAD_SECONDS", 0.05)
    replied = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await replied.wait()
        writer.write(OK)

    route = await running.app(await running.replica(handle))
    slow, busy = await running.client(route), await running.client(route)
    busy.send(GET)
    if sent.startswith(GET):
        replied.set()
    slow.send(sent)
    await slow.rest()
    replied.set()
    assert (await busy.response()).body == b"ok"


def two(*, console: bool) -> int:
    return 2


async def test_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection beyond the bound is answered with 503 and closed; the others work, and make space when they end."""
    monkeypatch.setattr(client_side, "max_connections", two)
    await running.use()
    route = await running.app(await running.replica(answering(OK)))
    clients = [await running.client(route) for _ in range(2)]
    for client in clients:
        assert (await client.request(GET)).status == 200
    third = await running.client(route)
    assert (await third.response()).status == 503
    clients[0].writer.close()
    await clients[0].writer.wait_closed()

    async def served() -> bool:
        client = await running.client(route)
        client.send(GET)
        return (await client.response()).status == 200

    while not await served():
        await asyncio.sleep(0)
    assert (await clients[1].request(GET)).status == 200


async def test_without_files_a_request_is_answered(running: Running) -> None:
    """Where the process may open no more files, the answer says so, and the next request works."""
    route = await running.app(await running.replica(answering(OK)))
    client = await running.client(route)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        response = await client.request(GET)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert response.status == 503 and b"ulimit -n" in response.body
    assert (await client.request(GET)).status == 200
