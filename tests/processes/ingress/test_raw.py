"""Connections of other protocols are passed as they are: gRPC, unary and streams, by the client of grpcio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from flyteapps_fake.processes.routes import Backend

from .running import GET, OK, Running, every_token, no_replica, settled, until


class Echo(grpc.GenericRpcHandler):
    """Answers each message of a stream by itself."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def echo(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            async for request in requests:
                yield request

        return grpc.stream_stream_rpc_method_handler(echo)


@asynccontextmanager
async def echo_server(number: int = 0) -> AsyncGenerator[Backend]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Backend(port, number)
    finally:
        await server.stop(None)


async def echo(port: int, *messages: bytes) -> list[bytes]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream("/s/m")(iter(messages))
        return [message async for message in call]


async def call(port: int, message: bytes) -> bytes:
    """Make a unary call: one of a stream that is refused while it sends may report that it could not send."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        return await channel.unary_unary("/s/m")(message)


async def test_grpc_passes(running: Running) -> None:
    """A stream of messages, a large one among them, comes back; the connection is counted and logged."""
    async with echo_server(2) as backend:
        route = await running.app(backend, raw=True)
        messages = [b"a", b"", bytes(2 << 20)]
        assert await echo(route.port, *messages) == messages
        await until(lambda: running.lines)
        [line] = running.lines
        assert (line.number, line.method) == (2, "TCP") and line.bytes > 2 << 20
        assert running.wakes == 1


async def test_a_connection_waits_for_a_replica(running: Running) -> None:
    """A call to a sleeping app wakes it, and is answered once a replica is there."""
    route = await running.app(raw=True)
    waiting = asyncio.create_task(echo(route.port, b"a"))
    await until(lambda: running.wakes)
    async with echo_server() as backend:
        route.set((backend,), None)
        assert await waiting == [b"a"]


async def test_the_reason_is_the_error_of_the_call(running: Running) -> None:
    """Where no replica is to come, each gRPC call ends with the reason; the client connects once for each."""
    route = await running.app(raw=True)
    route.set((), no_replica("it is STOPPED, 100% \N{SNOWMAN}"))
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(route.port, bytes(1 << 20))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert raised.value.details() == "The app p/d/demo: it is STOPPED, 100% \N{SNOWMAN}"
    assert running.wakes == 2


async def test_other_clients_learn_the_reason_too(running: Running) -> None:
    """A client of HTTP/1.1 gets a response."""
    route = await running.app(raw=True)
    route.set((), no_replica("it is STOPPED"))
    client = await running.client(route)
    response = await client.request(GET)
    assert response.status == 503 and b"it is STOPPED" in response.body
    assert await client.rest() == b""


async def test_an_app_that_needs_tokens_is_not_passed(running: Running) -> None:
    """Tokens in HTTP/2 aren't read, so that no connection to such an app is passed."""
    await running.use(authorize=every_token)
    async with echo_server() as backend:
        route = await running.app(backend, raw=True, requires_auth=True)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(route.port, b"a")
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "set requires_auth=False" in (raised.value.details() or "")


async def test_a_replica_that_is_gone_is_passed_over(running: Running) -> None:
    """Another replica has the connection."""
    dead = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    gone = Backend(dead.sockets[0].getsockname()[1], 1)
    dead.close()
    async with echo_server(2) as backend:
        route = await running.app(gone, backend, raw=True)
        for _ in range(3):
            assert await echo(route.port, b"a") == [b"a"]


async def test_a_client_that_leaves_while_it_waits_is_forgotten(running: Running) -> None:
    """A connection that waits ends with its client, and buffers little meanwhile."""
    route = await running.app(raw=True)
    client = await running.client(route)
    sent = 0

    async def upload() -> None:
        nonlocal sent
        while True:
            client.send(bytes(65536))
            sent += 65536
            await client.writer.drain()

    task = asyncio.create_task(upload())
    await until(lambda: route.in_flight)
    assert await settled(lambda: sent) < 24 << 20
    task.cancel()
    route.set((), no_replica("it failed"))
    await until(lambda: not route.in_flight)
    other = await running.app(name="other", raw=True)
    client = await running.client(other)
    client.send(OK)
    await until(lambda: other.in_flight)
    client.vanish()
    await until(lambda: not other.in_flight)
