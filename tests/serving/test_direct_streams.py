"""Streams of the direct transport: closed from elsewhere, left behind by an event loop that is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import cast

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_payload_pb2 import WatchResponse

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.inprocess.transport import AsyncDirectStream, DirectStream

from .messages import create, get, watch

PATIENCE = 10.0


@pytest.mark.parametrize("clock", ["manual", "auto", "realtime"])
def test_closing_from_another_thread_ends_the_reader(clock: str) -> None:
    """A blocked reader returns when another thread closes its stream."""
    with FakeControlPlane(clock=clock) as plane:  # type: ignore[arg-type]  # one of the three
        plane.stub().create(create("a"))
        stream = cast("DirectStream[WatchResponse]", plane.stub().watch(watch("b")))
        reader = threading.Thread(target=list, args=(stream,), daemon=True)
        reader.start()
        stream.close()
        reader.join(PATIENCE)
        assert not reader.is_alive()


async def test_closing_ends_a_reader_that_awaits() -> None:
    """An awaiting reader ends when another task closes its stream."""
    with FakeControlPlane() as plane:
        stream = cast("AsyncDirectStream[WatchResponse]", plane.async_stub().watch(watch("a")))

        async def read() -> None:
            async for _ in stream:
                raise AssertionError("nothing happens here")

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await stream.aclose()
        await asyncio.wait_for(reader, PATIENCE)


def test_a_stream_of_a_closed_loop_breaks_no_write() -> None:
    """A stream whose event loop was closed, such as a failed test's, is dropped by the next event; nothing else is."""
    held: list[AsyncIterator[WatchResponse]] = []

    async def look(plane: FakeControlPlane) -> None:
        held.append(plane.async_stub().watch(watch("a")))
        await anext(held[0])
        waiting = asyncio.ensure_future(anext(held[0]))
        await asyncio.sleep(0)
        waiting.cancel()

    with FakeControlPlane(clock="manual") as plane:
        plane.stub().create(create("a"))
        asyncio.run(look(plane))
        other = plane.stub().watch(watch("a"))
        next(other)
        plane.advance(60)
        assert next(other).update_event.updated_app.metadata.revision == 1
        assert plane.open_streams() == 1
        assert len(plane.stub().get(get("a")).app.status.conditions) > 3
        cast("DirectStream[WatchResponse]", other).close()


async def test_a_loop_of_calls_starves_no_task() -> None:
    """Awaiting a call gives other tasks their turn, as a call over a wire would."""
    with FakeControlPlane() as plane:
        stub = plane.async_stub()
        await stub.create(create("a"))

        async def poll() -> None:
            while True:
                await stub.get(get("a"))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(poll(), 0.02)


def test_a_request_in_process_has_the_same_cap() -> None:
    """A request over 4 MiB is RESOURCE_EXHAUSTED without a wire, too."""
    request = create("a")
    request.app.spec.container.args.append("x" * (4 * 1024 * 1024))
    with FakeControlPlane() as plane, pytest.raises(ConnectError, match="larger") as refused:
        plane.stub().create(request)
    assert refused.value.code is Code.RESOURCE_EXHAUSTED
