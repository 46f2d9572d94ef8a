"""Streams that another task closes, and readers that are cancelled as an event arrives: every reader ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from flyteidl2.app.app_payload_pb2 import WatchRequest

from flyteapps import Client
from flyteapps.testing import SILENCE, FaultyTransport, MockTransport, faults
from flyteapps.testing.services import rpcs
from flyteapps_fake import FakeControlPlane

from .conftest import SCOPE
from .messages import app

WATCH = rpcs()["flyteidl2.app.AppService/Watch"].method
ORG = WatchRequest(org="flyte")
PATIENCE_SECONDS = 120.0


async def never(_: object) -> AsyncIterator[object]:
    """Yield nothing, and don't end."""
    await asyncio.Event().wait()
    yield


def in_process(plane: FakeControlPlane) -> Client:
    return Client(transport=plane.transport(), **SCOPE)


def with_faults(plane: FakeControlPlane) -> Client:
    return Client(transport=FaultyTransport(plane.transport()), **SCOPE)


def over_connect(plane: FakeControlPlane) -> Client:
    return Client(plane.serve().url, insecure=True, **SCOPE)


def over_grpc(plane: FakeControlPlane) -> Client:
    return Client(plane.serve().url, insecure=True, protocol="grpc", **SCOPE)


def over_grpcio(plane: FakeControlPlane) -> Client:
    return Client(plane.serve().grpc_target, insecure=True, protocol="grpcio", **SCOPE)


CLIENTS = (in_process, with_faults, over_connect, over_grpc, over_grpcio)

SILENT: dict[str, Callable[[FakeControlPlane], Any]] = {
    "in process": lambda plane: plane.transport(),
    "delayed by a fault": lambda plane: FaultyTransport(plane.transport(), [faults.delay("Watch", seconds=3_600)]),
    "stalled by a fault": lambda plane: FaultyTransport(plane.transport(), [faults.stall("Watch", after=0)]),
    "mocked": lambda _: MockTransport(lambda _: [SILENCE]),
    "mocked by a generator": lambda _: MockTransport(never),
    "over Connect": lambda plane: over_connect(plane).transport,
    "over gRPC": lambda plane: over_grpc(plane).transport,
    "over grpcio": lambda plane: over_grpcio(plane).transport,
}


async def turns(count: int) -> None:
    """Let other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("timeout", [None, 3_600.0])
@pytest.mark.parametrize("kind", SILENT)
async def test_a_reader_ends_when_its_stream_is_closed(kind: str, timeout: float | None) -> None:
    """A task that waits for a message gets EOFError once another closes the stream, and isn't cancelled."""
    async with FakeControlPlane(clock="manual") as plane:
        transport = SILENT[kind](plane)
        stream = transport.async_stream(WATCH, ORG)
        reader = asyncio.create_task(stream.receive(timeout))
        await turns(20)
        await stream.aclose()
        done, _ = await asyncio.wait([reader], timeout=PATIENCE_SECONDS)
        assert done
        assert not reader.cancelled()
        assert isinstance(reader.exception(), EOFError)
        with pytest.raises(EOFError):
            await stream.receive(timeout)
        if hasattr(transport, "aclose"):
            await transport.aclose()


@pytest.mark.parametrize("connect", CLIENTS)
async def test_an_iteration_ends_when_it_is_closed(connect: Callable[[FakeControlPlane], Client]) -> None:
    """`async for` ends as at the last item once another task closes the iteration, and no stream is left."""
    async with FakeControlPlane(clock="manual") as plane, connect(plane) as client:
        handle = await client.apps.create.aio(app("hello"))
        items = handle.events.aio()

        async def read() -> None:
            async for _ in items:
                pass

        reader = asyncio.create_task(read())
        while not plane.awaited_streams():
            await asyncio.sleep(0)
        await turns(20)
        await items.aclose()
        done, _ = await asyncio.wait([reader], timeout=PATIENCE_SECONDS)
        assert done
        assert not reader.cancelled()
        assert reader.exception() is None
        while plane.open_streams():
            await asyncio.sleep(0)


@pytest.mark.parametrize("connect", CLIENTS)
async def test_a_reader_that_is_cancelled_as_an_event_arrives_ends(
    connect: Callable[[FakeControlPlane], Client],
) -> None:
    """Cancelled at whatever moment after a change, a reader ends as cancelled, and its stream is no leak."""
    async with FakeControlPlane(clock="manual") as plane:
        writer = in_process(plane)
        async with connect(plane) as client:
            handle = await client.apps.create.aio(app("hello"))
            for moment in range(12):

                async def read() -> None:
                    async for _ in handle.events.aio():
                        pass

                task = asyncio.create_task(read())
                while not plane.awaited_streams():
                    await asyncio.sleep(0)
                writer.apps.get("hello").deactivate() if moment % 2 else writer.apps.get("hello").activate()
                await turns(moment)
                task.cancel()
                done, _ = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
                assert done
                assert task.cancelled()
                while plane.awaited_streams():
                    await asyncio.sleep(0)
