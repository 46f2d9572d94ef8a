"""The base of the serving benchmarks: a bare ASGI application that answers every request with the same bytes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

ANSWER = bytes.fromhex(os.environ.get("BENCH_ANSWER", ""))
FRAME = b"\0" + len(ANSWER).to_bytes(4, "big") + ANSWER


Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and end at once."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Read the body and answer; over gRPC with a frame and a trailer."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    while (await receive()).get("more_body"):
        pass
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    grpc = kind.startswith(b"application/grpc")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)], "trailers": grpc})
    await send({"type": "http.response.body", "body": FRAME if grpc else ANSWER, "more_body": False})
    if grpc:
        await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")], "more_trailers": False})
