"""The ports of apps: opened on both loopbacks, given to another route, closed with a grace."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from flyteapps_control.selection import AppName
from flyteapps_fake.processes.routes import Route
from flyteapps_fake.servers.listener import SETTLING_TURNS, AddressTaken, listening_sockets, loopbacks

from .running import GET, OK, Client, Running, answering, until


async def turns(count: int) -> None:
    """Let the event loop have so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_app_is_reached_on_each_loopback(running: Running) -> None:
    """localhost is 127.0.0.1 or ::1, as its client tries them."""
    route = await running.app(await running.replica(answering(OK)))
    for address in loopbacks():
        client = await Client.connect(route.port, address)
        assert (await client.request(GET)).body == b"ok"
        client.writer.close()


async def test_a_port_that_is_taken(running: Running) -> None:
    """A port of another program is an error that names it; the port of the program stays."""
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(AddressTaken) as raised:
        await running.ingress.listen(Route(AppName("p", "d", "x"), port))
    assert raised.value.port == port
    server.close()


async def test_a_new_route_replaces_the_former(running: Running) -> None:
    """Listening with another route of the same port leaves the connections open."""
    former = await running.app(await running.replica(answering(OK)))
    client = await running.client(former)
    assert (await client.request(GET)).body == b"ok"
    new = Route(former.app, former.port, backends=(await running.replica(answering(OK.replace(b"ok", b"ko"))),))
    running.routes.add(new)
    await running.ingress.listen(new)
    assert (await client.request(GET)).body == b"ko"


@pytest.mark.parametrize("raw", [False, True])
async def test_closing_waits_for_running_requests(running: Running, raw: bool) -> None:
    """Idle connections are closed at once, running requests end, and the port is free."""
    finish = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await finish.wait()
        writer.write(OK)

    route = await running.app(await running.replica(handle), raw=raw)
    idle, busy = [await running.client(route) for _ in range(2)]
    busy.send(GET)
    await until(lambda: running.wakes)
    closing = asyncio.create_task(running.ingress.close_port(route, 60))
    await turns(SETTLING_TURNS + 1)
    if not raw:
        assert await idle.rest() == b""
    assert not closing.done()
    with pytest.raises(ConnectionRefusedError):
        await Client.connect(route.port)
    finish.set()
    assert (await busy.response()).body == b"ok"
    idle.writer.close()
    await closing
    again = Route(route.app, route.port)
    await running.ingress.listen(again)


@pytest.mark.parametrize("raw", [False, True])
async def test_closing_ends_requests_after_the_grace(running: Running, raw: bool) -> None:
    """A request that doesn't end, of a client that doesn't read, is reset; the app's connection is closed."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        finally:
            ended.set()

    route = await running.app(await running.replica(handle), raw=raw)
    client = await running.client(route)
    client.send(GET)
    await client.head()
    client.pause()
    await running.ingress.close_port(route, 0.01)
    await ended.wait()
    assert route.in_flight == 0
    client.resume()
    with pytest.raises(ConnectionResetError):
        await client.rest()


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("sent", [b"", GET])
async def test_a_client_that_connects_as_its_port_closes(running: Running, raw: bool, sent: bytes) -> None:
    """However far its connection has come, it ends: no client waits for an app that is gone."""
    replica = await running.replica(answering(OK))
    for count in range(SETTLING_TURNS + 2):
        route = await running.app(replica, raw=raw)
        with socket.create_connection(("127.0.0.1", route.port)) as client:
            client.sendall(sent)
            client.setblocking(False)
            await turns(count)
            route.set((), None)  # a request waits from now on
            await running.ingress.close_port(route, 0)
            with suppress(ConnectionError):
                while await asyncio.get_running_loop().sock_recv(client, 1000):
                    pass


@pytest.mark.parametrize("raw", [False, True])
async def test_a_port_whose_opening_is_cancelled(running: Running, raw: bool) -> None:
    """However far it has come, the port is free afterwards, and no socket is left."""
    for count in range(6):
        route = await running.app(await running.replica(answering(OK)), raw=raw)
        await running.ingress.close_port(route, 0)
        opening = asyncio.create_task(running.ingress.listen(route))
        await turns(count)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        await running.ingress.close_port(route, 0)
        for sock in listening_sockets(loopbacks(), route.port):
            sock.close()


async def test_closing_a_port_that_is_not_open(running: Running) -> None:
    """It changes nothing."""
    await running.ingress.close_port(Route(AppName("p", "d", "x"), 1))


async def test_ports_are_opened_and_closed_without_a_leak(running: Running) -> None:
    """A hundred apps in turn, each with a request, leave no connection and no task."""
    replica = await running.replica(answering(OK))
    await asyncio.sleep(0)
    before = len(asyncio.all_tasks())
    for _ in range(100):
        route = await running.app(replica)
        client = await Client.connect(route.port)
        assert (await client.request(GET)).body == b"ok"
        client.writer.close()
        await running.ingress.close_port(route, 0)
        running.routes.remove(route.app)
    await until(lambda: len(asyncio.all_tasks()) <= before + 1)  # of the connection that the replica keeps
