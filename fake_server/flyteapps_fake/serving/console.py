"""The console's own port: the same pages, by the portable server on the loop of the API's server."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from flyteapps_fake.transports.asgi import Front
from flyteapps_fake.transports.wire import Receive, Scope, Send

if TYPE_CHECKING:
    from flyteapps_fake.transports.portable import PortableServer


class Console:
    """Serves the pages of a front on a socket that listens already: who comes early waits there."""

    def __init__(self, front: Front, sock: socket.socket) -> None:
        self._front = front
        self._sock = sock
        self._server: PortableServer | None = None
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to start, in the background: the API's first answer doesn't wait for hypercorn's import."""
        self._starting = asyncio.create_task(self._start(), name="flyteapps-console")

    async def close(self) -> None:
        """Ends it."""
        if self._starting is not None:
            await self._starting
        if self._server is not None:
            await self._server.close()

    async def _start(self) -> None:
        portable = await asyncio.to_thread(_portable)
        self._server = portable(self._answer, self._sock, self._front.options.limits)
        await self._server.start()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._front.answer_page(scope, receive, send)


def _portable() -> type[PortableServer]:
    from flyteapps_fake.transports.portable import PortableServer

    return PortableServer
