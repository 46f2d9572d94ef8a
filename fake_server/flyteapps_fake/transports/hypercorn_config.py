"""hypercorn before the front, for `serve` and for `plane.serve()`. Nothing else may know hypercorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import hypercorn.asyncio
from hypercorn.config import Config

if TYPE_CHECKING:
    from flyteapps_fake.transports.asgi import Front

MAX_STREAMS = 100_000
STOP_SECONDS = 0.7
"""How long hypercorn may take to end after the streams were told to."""
CANCEL_SECONDS = 0.1
CANCEL_ROUNDS = 5


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

    stopping = asyncio.Event()

    async def stopped() -> None:
        await stop()
        await front.drain()
        stopping.set()
        # what clients that hang leave in hypercorn's tasks is no news of a server that ends
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)

    serve = cast("Any", hypercorn.asyncio.serve)  # pyright: ignore[reportUnknownMemberType] - its types are left open
    server = asyncio.ensure_future(serve(front, _config(sock), shutdown_trigger=stopped, mode="asgi"))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({server, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.wait({server}, timeout=STOP_SECONDS)
    for _ in range(CANCEL_ROUNDS):  # it waits for clients that don't read, don't send or don't leave
        if server.done():
            break
        for task in asyncio.all_tasks() - {asyncio.current_task(), server}:
            task.cancel()
        await asyncio.wait({server}, timeout=CANCEL_SECONDS)
        server.cancel()
    if server.done() and not server.cancelled():
        failure = server.exception()
        if failure is not None and not stopping.is_set():
            raise failure
