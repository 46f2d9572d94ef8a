"""hypercorn before the front, for `serve` and for `plane.serve()`. Nothing else may know hypercorn."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import hypercorn.asyncio
from hypercorn.config import Config

if TYPE_CHECKING:
    from flyteapps_fake.transports.asgi import Front

MAX_STREAMS = 100_000


def _config(sock: socket.socket) -> Config:
    """hypercorn on `sock`, which it owns from now on."""
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.errorlog = None
    config.graceful_timeout = 0.2
    config.shutdown_timeout = 2.0
    config.h2_max_concurrent_streams = MAX_STREAMS
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 10_000_000
    config.include_server_header = False
    return config


async def serve_front(front: Front, sock: socket.socket, stop: Callable[[], Awaitable[Any]]) -> None:
    """Serve `front` on `sock` until `stop` returns; its streams end first."""

    async def stopped() -> None:
        await stop()
        await front.drain()

    serve = cast("Any", hypercorn.asyncio.serve)  # pyright: ignore[reportUnknownMemberType] - its types are left open
    await serve(front, _config(sock), shutdown_trigger=stopped, mode="asgi")
