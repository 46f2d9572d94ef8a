"""The portable server: hypercorn around the same front, in this process. Slower, but it runs everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flyteapps_fake.serving.assembly import assemble
from flyteapps_fake.serving.config import ServeConfig
from flyteapps_fake.serving.signals import stop_requested
from flyteapps_fake.transports.asgi import Front
from flyteapps_fake.transports.hypercorn_config import serve_front
from flyteapps_fake.transports.listener import listening_socket


async def run_portable(config: ServeConfig, listening: Callable[[int, int | None], None]) -> int:
    """Serve until a signal comes; the exit status. `listening` hears the ports."""
    stop = stop_requested()
    sock = listening_socket(config.host, config.port)
    port = sock.getsockname()[1]

    async def started(front: Front) -> None:
        asyncio.get_running_loop().call_soon(listening, port, front.options.console_port)

    front = assemble(config, "hypercorn", started)

    await serve_front(front, sock, stop.wait)
    return 0
