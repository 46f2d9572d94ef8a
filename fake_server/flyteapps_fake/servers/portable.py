"""The portable server: hypercorn with the same front, in this process. Slower, but it runs everywhere."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from flyteapps_fake.servers.assembly import assemble
from flyteapps_fake.servers.config import ServeConfig
from flyteapps_fake.servers.hypercorn.server import serve_front, tls_context
from flyteapps_fake.servers.loading import without_collection
from flyteapps_fake.servers.signals import stop_requested


async def run_portable(
    config: ServeConfig,
    socks: Sequence[socket.socket],
    console: Sequence[socket.socket],
    listening: Callable[[], None],
) -> int:
    """Serve on `socks` until a signal; return the exit status."""
    stop = stop_requested()
    tls = tls_context(Path(config.tls_cert), Path(config.tls_key)) if config.tls_cert and config.tls_key else None
    with without_collection():  # it imports the dialect
        front = assemble(config, "hypercorn", console)

    async def stopped() -> None:
        await stop.wait()
        # the process ends: to search thousands of streams for garbage would take longer than to end them
        gc.disable()
        gc.freeze()

    await serve_front(front, socks, stopped, listening, tls)
    return 0
