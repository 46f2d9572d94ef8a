"""The choice of a replica, the wait for one, and the answers where none has one."""

from __future__ import annotations

import asyncio
import json

import pytest

from flyteapps_fake.processes.ingress import serving
from flyteapps_fake.processes.routes import Backend

from .running import GET, OK, Response, Running, answering, no_replica, until

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab"


def named(number: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close each connection as soon as a request has come."""
    await reader.readuntil(b"\r\n\r\n")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


async def gone(running: Running, number: int = 0) -> Backend:
    """Return a replica whose port nothing listens on."""
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    backend = Backend(server.sockets[0].getsockname()[1], number)
    server.close()
    return backend


def message_of(response: Response) -> str:
    return json.loads(response.body)["message"]


async def test_requests_go_to_all_replicas(running: Running) -> None:
    """Requests one after the other reach each replica, and a busy one gets none while another is idle."""
    replicas = [await running.replica(answering(named(number)), number) for number in range(3)]
    route = await running.app(*replicas)
    client = await running.client(route)
    bodies = [(await client.request(GET)).body for _ in range(6)]
    assert sorted(bodies) == [b"0", b"0", b"1", b"1", b"2", b"2"]
    replicas[0].in_flight += 1
    assert b"0" not in [(await client.request(GET)).body for _ in range(6)]
    replicas[0].in_flight -= 1


async def test_a_request_waits_for_a_replica(running: Running) -> None:
    """A request to a sleeping app wakes it, and is answered by the first replica that is ready."""
    route = await running.app()
    client = await running.client(route)
    client.send(POST)
    await until(lambda: running.wakes)
    assert route.in_flight == 1
    replica = await running.replica(answering(OK), 3)
    route.set((replica,), None)
    assert (await client.response()).body == b"ok"
    await until(lambda: running.lines)
    assert running.lines[0].number == 3


async def test_an_app_that_is_not_to_come_is_answered_at_once(running: Running) -> None:
    """The reason that the plane has is the answer, with its status and the time until a repetition makes sense."""
    route = await running.app()
    route.set((), no_replica("the app p/d/demo is STOPPED: activate it", 503, 7))
    client = await running.client(route)
    response = await client.request(GET)
    assert response.status == 503 and response.one(b"retry-after") == b"7"
    assert response.one(b"x-flyteapps-app") == b"p/d/demo"
    assert json.loads(response.body) == {
        "code": "unavailable",
        "message": "the app p/d/demo is STOPPED: activate it",
        "app": "p/d/demo",
    }
    html = await client.request(GET[:-2] + b"Accept: text/html\r\n\r\n")
    assert html.one(b"content-type").startswith(b"text/html") and b"is STOPPED" in html.body
    head = await client.request(GET.replace(b"GET", b"HEAD"), bodiless=True)
    assert head.status == 503 and head.one(b"content-length") == b"%d" % len(response.body)


async def test_waiting_requests_learn_that_none_is_to_come(running: Running) -> None:
    """A start that fails answers the requests that waited for it."""
    route = await running.app()
    client = await running.client(route)
    client.send(GET)
    await until(lambda: route.in_flight)
    route.set((), no_replica("the app p/d/demo is FAILED: no module named main", 502))
    response = await client.response()
    assert response.status == 502 and message_of(response).endswith("no module named main")


async def test_the_wait_for_a_replica_is_bounded(running: Running) -> None:
    """A request that no replica had in time gets 503."""
    client = await running.client(await running.app(request_seconds=0.05))
    response = await client.request(GET)
    assert response.status == 503 and "no replica was ready within 0.05 s" in message_of(response)
    assert response.one(b"retry-after") == b"1"


async def test_the_wait_for_a_response_is_bounded(running: Running) -> None:
    """A replica that begins no response in time gives 504; a body may take any time after that."""
    route = await running.app(await running.replica(silent, 2), request_seconds=0.05)
    response = await (await running.client(route)).request(GET)
    assert response.status == 504 and "replica 2 began no response within 0.05 s" in message_of(response)

    late = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await late.wait()
        writer.write(b"ok")

    route.set((await running.replica(handle),), None)
    client = await running.client(route)
    client.send(GET)
    await client.head()
    other = await running.app(name="other", request_seconds=0.05)
    assert (await (await running.client(other)).request(GET)).status == 503  # a time as long has passed
    late.set()
    assert await client.reader.readexactly(2) == b"ok"


@pytest.mark.parametrize("request_", [GET, POST])
async def test_a_replica_that_is_gone_is_passed_over(running: Running, request_: bytes) -> None:
    """Where no connection can be made, another replica has the request, whatever its method."""
    gone_one = await gone(running)
    route = await running.app(gone_one, await running.replica(answering(OK), 1))
    for _ in range(3):
        client = await running.client(route)
        response = await client.request(request_)
        assert response.body == b"ok"


async def test_an_app_that_is_gone_is_502(running: Running) -> None:
    """Where there is no other replica, the answer says which one accepts no connections."""
    route = await running.app(await gone(running, 4))
    response = await (await running.client(route)).request(GET)
    assert response.status == 502 and response.one(b"retry-after") == b"1"
    assert message_of(response) == "The app p/d/demo: replica 4 accepts no connections: Connection refused."


async def test_an_idempotent_request_is_repeated_once(running: Running) -> None:
    """A GET whose replica breaks before the response is sent to another; a POST is not, which may have been done."""
    seen: list[bytes] = []
    route = await running.app(await running.replica(closing, 0), await running.replica(answering(OK, seen), 1))
    client = await running.client(route)
    assert [(await client.request(GET)).status for _ in range(4)] == [200, 200, 200, 200]
    statuses = sorted([(await client.request(POST)).status for _ in range(4)])
    assert statuses == [200, 200, 502, 502]
    route.set(tuple([await running.replica(closing, number) for number in range(3)]), None)
    before = len(running.lines)
    response = await client.request(GET)
    assert response.status == 502 and "closed the connection before it answered" in message_of(response)
    assert len(running.lines) == before + 1


async def test_an_idle_connection_that_was_closed_is_replaced(running: Running) -> None:
    """A request on a connection that its replica closes just then is repeated, on a new one, though it is alone."""
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    client = await running.client(await running.app(await running.replica(handle)))
    for _ in range(3):
        assert (await client.request(GET)).body == b"ok"
    assert connections == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_garbage_of_an_app_is_502(running: Running, garbage: bytes) -> None:
    """Bytes that are no response of HTTP/1.1 don't reach the client, and the connection serves the next request."""
    route = await running.app(await running.replica(answering(garbage)))
    client = await running.client(route)
    for _ in range(2):
        response = await client.request(GET)
        assert response.status == 502 and "no response of HTTP/1.1" in message_of(response)


async def test_requests_in_flight_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound an app's requests get 503; those of other apps are answered."""
    monkeypatch.setattr(serving, "MAX_IN_FLIGHT", 2)
    route = await running.app(await running.replica(silent))
    clients = [await running.client(route) for _ in range(3)]
    for client in clients[:2]:
        client.send(GET)
    await until(lambda: route.in_flight == 2)
    response = await clients[2].request(GET)
    assert response.status == 503 and "2 requests already" in message_of(response)
    other = await running.app(await running.replica(answering(OK)), name="other")
    assert (await (await running.client(other)).request(GET)).status == 200
    for client in clients[:2]:
        client.vanish()


async def test_a_client_that_leaves_while_it_waits_is_forgotten(running: Running) -> None:
    """A request that waits for a replica ends with its client."""
    route = await running.app()
    client = await running.client(route)
    client.send(GET)
    await until(lambda: route.in_flight)
    client.vanish()
    await until(lambda: not route.in_flight)
    assert [line.status for line in running.lines] == [0]
