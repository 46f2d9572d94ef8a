"""The streams of an event loop: what is left of one whose client left."""

from __future__ import annotations

import gc
import weakref

from flyteapps_fake.http.protocol.wire import Event
from flyteapps_fake.http.streaming.live_streams import LiveStream


async def test_a_client_that_left_is_forgotten() -> None:
    """Though its server raises the same exception for each client that left, as pyvoy does, and so holds on to it."""
    left = ConnectionResetError("the client left")

    async def receive() -> Event:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Event) -> None:
        raise left

    live = LiveStream(receive, b"", polled=True)
    await live.deliver(send, {"type": "http.response.body", "body": b"", "more_body": True})
    assert live.gone
    forgotten = weakref.ref(live)
    del live
    gc.collect()
    assert forgotten() is None
