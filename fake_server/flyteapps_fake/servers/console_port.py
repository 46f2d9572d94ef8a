"""The console's own port: the same pages and RPCs, by the portable server on the loop of the API's server.

The console in a browser calls the plane on the port that it came from.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flyteapps_fake.http.front import Front

if TYPE_CHECKING:
    from flyteapps_fake.servers.hypercorn.server import PortableServer

PORTABLE = "flyteapps_fake.servers.hypercorn.server"


class Pem(NamedTuple):
    """The files of a certificate and its key."""

    cert: Path
    key: Path


class Console:
    """A server of a front on listening sockets, where early clients wait.

    It has the TLS of the API, if that has any: the SDK's links to the console then begin with https.
    """

    def __init__(self, front: Front, socks: Sequence[socket.socket], pem: Pem | None) -> None:
        self._front = front
        self._socks = socks
        self._pem = pem
        self._server: PortableServer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._waiting = False

    def start(self) -> None:
        """Start to serve. hypercorn, unless imported already, is imported when the first client connects."""
        if PORTABLE in sys.modules:
            self._begin()
        else:
            self._waiting = True
            for sock in self._socks:
                asyncio.get_running_loop().add_reader(sock, self._begin)

    async def close(self) -> None:
        """Stop, and close the sockets."""
        if self._starting is None:
            self._stop_waiting()
            for sock in self._socks:
                sock.close()
            return
        await self._starting
        if self._server is not None:
            await self._server.close()

    def _begin(self) -> None:
        self._stop_waiting()
        self._starting = asyncio.create_task(self._start(), name="flyteapps-console")

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            for sock in self._socks:
                asyncio.get_running_loop().remove_reader(sock)

    async def _start(self) -> None:
        portable: Any = await asyncio.to_thread(importlib.import_module, PORTABLE)
        limits = self._front.options.limits
        tls = portable.tls_context(*self._pem) if self._pem is not None else None
        server = portable.PortableServer(self._front.on_portable, self._socks, limits, tls, console=True)
        self._server = cast("PortableServer", server)
        await self._server.start()
