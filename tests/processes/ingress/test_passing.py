"""Requests and responses are passed as they are, but for what concerns one connection alone."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from .running import GET, OK, Response, Running, answering, header_lines


async def seen_by_replica(running: Running, request: bytes) -> bytes:
    """Return the request as a replica received it."""
    seen: list[bytes] = []
    route = await running.app(await running.replica(answering(OK, seen)))
    client = await running.client(route)
    assert (await client.request(request)).status == 200
    return seen[0]


async def passed(running: Running, response: bytes, request: bytes = GET, *, bodiless: bool = False) -> Response:
    """Return the response of a replica as the client received it."""
    route = await running.app(await running.replica(answering(response)))
    client = await running.client(route)
    return await client.request(request, bodiless=bodiless)


async def test_the_target_is_passed_as_sent(running: Running) -> None:
    """Percent-encoding, dots, double slashes, and the query stay as the client wrote them."""
    target = b"/a%2Fb/./c/../%7e//d;x=1?q=%20+&q=&%zz=%C3%A9#"
    seen = await seen_by_replica(running, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert seen.split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


async def test_headers_are_passed_as_sent(running: Running) -> None:
    """Names keep their case, repeated headers and bytes beyond ASCII stay, and none is added but X-Forwarded-*."""
    sent = [
        b"Host: LocalHost:1",
        b"x-CaSe: \xe9\xff",
        b"Cookie: a=1",
        b"cookie: b=2",
        b"Accept-Encoding: br;q=0",
        b"X-E:",
    ]
    seen = await seen_by_replica(running, b"\r\n".join([b"GET / HTTP/1.1", *sent, b"", b""]))
    lines = [line for line in header_lines(seen) if not line.startswith(b"X-Forwarded-")]
    assert [line.rstrip() for line in lines] == sent


async def test_the_client_is_named(running: Running) -> None:
    """X-Forwarded-For has the client's address, and -Host, -Proto and -Port how it reached the ingress."""
    seen = await seen_by_replica(running, b"GET / HTTP/1.1\r\nHost: localhost:1234\r\n\r\n")
    [route] = running.routes
    assert header_lines(seen)[1:] == [
        b"X-Forwarded-For: 127.0.0.1",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: localhost:1234",
        b"X-Forwarded-Port: %d" % route.port,
    ]


async def test_what_a_proxy_before_stated_stays(running: Running) -> None:
    """The client's address is appended to those of proxies; what they said of scheme and host is kept."""
    request = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n"
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: example.com\r\nX-Forwarded-Port: 443\r\n\r\n"
    )
    assert header_lines(await seen_by_replica(running, request))[1:] == [
        b"X-Forwarded-For: 10.0.0.1, 10.0.0.2, 127.0.0.1",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: example.com",
        b"X-Forwarded-Port: 443",
    ]


async def test_headers_of_the_connection_are_not_passed(running: Running) -> None:
    """Connection and what it names, Keep-Alive, TE, Upgrade and their like are left out."""
    request = (
        b"GET / HTTP/1.1\r\nX-Mine: 1\r\nHost: localhost\r\nConnection: keep-alive, x-mine, host\r\nKeep-Alive: 5\r\n"
        b"Proxy-Connection: close\r\nTE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )
    seen = header_lines(await seen_by_replica(running, request))
    assert [line for line in seen if not line.startswith(b"X-Forwarded")] == [
        b"Host: localhost",
        b"HTTP2-Settings: AAMAAABk",
    ]


async def test_a_response_is_passed_as_it_is(running: Running) -> None:
    """Status, reason, each header with its case and bytes, and a compressed body are those of the app."""
    body = gzip.compress(b"text")
    lines = [
        b"Set-Cookie: a=1",
        b"set-cookie: b=2",
        b"X-b: \xe9",
        b"Content-Encoding: gzip",
        b"Content-Length: %d" % len(body),
    ]
    response = await passed(running, b"\r\n".join([b"HTTP/1.1 299 Just So", *lines, b"", body]))
    assert response.first == b"HTTP/1.1 299 Just So"
    assert [name + b": " + value for name, value in response.headers] == lines
    assert response.body == body


async def test_redirects_are_the_clients(running: Running) -> None:
    """A redirect is passed, not followed."""
    response = await passed(
        running, b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"
    )
    assert response.status == 302 and response.one(b"location") == b"http://evil.example/"


@pytest.mark.parametrize("length", [b"Content-Length: 5\r\n", b""])
async def test_the_answer_to_a_head_has_no_body(running: Running, length: bytes) -> None:
    """A HEAD keeps the length of the body that isn't sent, and the connection serves the next request."""
    seen: list[bytes] = []
    route = await running.app(await running.replica(answering(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n", seen)))
    client = await running.client(route)
    for _ in range(2):
        response = await client.request(GET.replace(b"GET", b"HEAD"), bodiless=True)
        assert response.all(b"content-length") == ([b"5"] if length else [])
    assert [each[:4] for each in seen] == [b"HEAD", b"HEAD"]


@pytest.mark.parametrize("first", [b"204 No Content", b"304 Not Modified"])
async def test_statuses_without_a_body(running: Running, first: bytes) -> None:
    """204 and 304 have no body and no framing of one."""
    response = await passed(running, b"HTTP/1.1 " + first + b"\r\nETag: x\r\n\r\n", bodiless=True)
    assert response.headers == [(b"ETag", b"x")]


async def test_a_body_without_length_is_chunked(running: Running) -> None:
    """A body that ends with the app's connection leaves the client's open."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\npart")

    route = await running.app(await running.replica(handle))
    client = await running.client(route)
    for _ in range(2):
        response = await client.request(GET)
        assert response.body == b"part" and response.one(b"transfer-encoding") == b"chunked"


async def test_a_client_of_http_1_0(running: Running) -> None:
    """A client of HTTP/1.0 gets a chunked body as it is, up to the end of the connection."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    response = await passed(running, chunked, b"GET / HTTP/1.0\r\n\r\n")
    assert response.body == b"abc" and response.headers == [(b"Connection", b"close")]


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "TRACE"])
async def test_methods(running: Running, method: str) -> None:
    """Every method of HTTP is passed."""
    seen = await seen_by_replica(running, GET.replace(b"GET", method.encode()))
    assert seen.startswith(method.encode() + b" / ")


async def test_bodies_keep_their_length(running: Running) -> None:
    """A body with a length keeps it, and one in chunks stays in chunks; both arrive whole."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head:
                body = await reader.readuntil(b"0\r\n\r\n")
            else:
                body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
            seen.append(head + body)
            writer.write(OK)

    route = await running.app(await running.replica(handle))
    client = await running.client(route)
    await client.request(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
    await client.request(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    await client.request(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nContent-Length: 3\r\n" in seen[0] and seen[0].endswith(b"\r\n\r\nabc")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in seen[1] and seen[1].endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert b"\r\nContent-Length: 0\r\n" in seen[2]


async def test_connections_to_a_replica_are_used_again(running: Running) -> None:
    """Requests in turn of all clients need one connection to the app."""
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(OK)(reader, writer)

    route = await running.app(await running.replica(handle))
    for _ in range(3):
        client = await running.client(route)
        assert (await client.request(GET)).body == b"ok"
        assert (await client.request(GET)).body == b"ok"
    assert connections == 1


async def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    """Requests sent at once are answered one after the other."""
    seen: list[bytes] = []
    route = await running.app(await running.replica(answering(OK, seen)))
    client = await running.client(route)
    client.send(b"".join(GET.replace(b" / ", b" /%d " % number) for number in range(100)))
    for _ in range(100):
        assert (await client.response()).body == b"ok"
    assert [each.split(b" ")[1] for each in seen] == [b"/%d" % number for number in range(100)]


async def test_each_request_is_logged(running: Running) -> None:
    """At its end a request is logged with its replica, target, status and size."""
    route = await running.app(await running.replica(answering(OK), number=7))
    await (await running.client(route)).request(GET.replace(b" / ", b" /x?y=1 "))
    [line] = running.lines
    assert line._replace(seconds=0) == (route.app, 7, "GET", "/x?y=1", 200, 0, 2)
    assert line.seconds > 0
