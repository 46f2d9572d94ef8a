"""The base of the watchers' benchmark: streams that wait, and a POST whose body is sent to all of them."""

from __future__ import annotations

import asyncio
from typing import Any

from echo import Receive, Send, lifespan

STREAMS: set[Stream] = set()


class Stream:
    """One open stream: what it still has to send."""

    def __init__(self) -> None:
        self.queue: list[bytes] = []
        self.wake = asyncio.Event()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve as a bare ASGI application."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    if scope["path"].endswith("/Watch"):
        await _hold(send)
        return
    for stream in STREAMS:
        stream.queue.append(body)
        stream.wake.set()
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hold(send: Send) -> None:
    stream = Stream()
    STREAMS.add(stream)
    headers = [(b"content-type", b"application/grpc+proto")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    await send({"type": "http.response.body", "body": b"\0\0\0\0\0", "more_body": True})
    while True:
        await stream.wake.wait()
        stream.wake.clear()
        while stream.queue:
            await send({"type": "http.response.body", "body": stream.queue.pop(0), "more_body": True})
