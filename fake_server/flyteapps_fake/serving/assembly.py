"""One server's plane, front, pages and console put together: the same inside pyvoy's child and beside hypercorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.serving.access_log import access_log
from flyteapps_fake.serving.config import ServeConfig
from flyteapps_fake.serving.console import pages, serve_console
from flyteapps_fake.settings import Settings
from flyteapps_fake.transports.asgi import AppOptions, Front, Server, build_app
from flyteapps_fake.transports.listener import listening_socket

FLUSH_SECONDS = 0.2
"""For the last access lines to leave; a reader that has stopped doesn't keep the server."""

Hook = Callable[[Front], Awaitable[None]]


def assemble(config: ServeConfig, server: Server, started: Hook | None = None) -> Front:
    """The ASGI application that `config` describes; binds the console's port at once."""
    sock: socket.socket | None = None
    fields = dict(config.settings)
    console_port = config.console_port
    if console_port is not None:
        sock = listening_socket(config.host, console_port)
        console_port = sock.getsockname()[1]
    if fields.get("ingress_port") is None:
        fields["ingress_port"] = console_port or config.port or None
    plane = FakeControlPlane.of(Settings(**fields))
    page = pages(plane, plane.settings.base_domain)
    log = access_log(config.log_format, config.quiet)
    listeners: list[asyncio.Server] = []

    async def on_startup(front: Front) -> None:
        if sock is not None:
            listeners.append(await serve_console(sock, page))
        if started is not None:
            await started(front)

    async def on_shutdown(front: Front) -> None:
        for listener in listeners:
            listener.close()
        if log is not None:
            await asyncio.to_thread(log.flush, FLUSH_SECONDS)

    return build_app(
        plane,
        AppOptions(
            server=server,
            console_port=console_port,
            access_log=log,
            page=page,
            on_startup=on_startup,
            on_shutdown=on_shutdown,
        ),
    )
