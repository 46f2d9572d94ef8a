"""The portable server: hypercorn around the same front, in this process. Slower, but it runs everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flyteapps_fake.serving.assembly import assemble
from flyteapps_fake.serving.config import ServeConfig
from flyteapps_fake.serving.signals import stop_requested
from flyteapps_fake.transports.listener import listening_socket
from flyteapps_fake.transports.portable import serve_front, tls_context


async def run_portable(config: ServeConfig, listening: Callable[[int, int | None], None]) -> int:
    """Serve until a signal comes; the exit status. `listening` hears the ports."""
    stop = stop_requested()
    tls = tls_context(Path(config.tls_cert), Path(config.tls_key)) if config.tls_cert and config.tls_key else None
    sock = listening_socket(config.host, config.port)
    port = sock.getsockname()[1]
    front = assemble(config, "hypercorn")
    await serve_front(front, sock, stop.wait, lambda: listening(port, front.options.console_port), tls)
    return 0
