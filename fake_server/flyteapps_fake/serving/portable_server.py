"""The portable server: hypercorn around the same front, in this process. Slower, but it runs everywhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config

from flyteapps_fake.serving.assembly import assemble
from flyteapps_fake.serving.config import ServeConfig
from flyteapps_fake.serving.signals import stop_requested
from flyteapps_fake.transports.asgi import Front

MAX_STREAMS = 100_000


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket that asyncio gives TCP_NODELAY (proto must be TCP's own)."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


def hypercorn_config(sock: socket.socket) -> Config:
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


async def run_portable(config: ServeConfig, listening: Callable[[int, int | None], None]) -> int:
    """Serve until a signal comes; the exit status. `listening` hears the ports."""
    stop = stop_requested()
    sock = listening_socket(config.host, config.port)
    port = sock.getsockname()[1]

    async def started(front: Front) -> None:
        asyncio.get_running_loop().call_soon(listening, port, front.options.console_port)

    front = assemble(config, "hypercorn", started)

    async def stopped() -> None:
        await stop.wait()
        await front.drain()

    await serve(cast("Any", front), hypercorn_config(sock), shutdown_trigger=stopped)
    return 0
