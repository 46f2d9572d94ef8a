"""The module that pyvoy's child process imports for `app`, made from the configuration in its environment.

The child is connected to its parent by a Unix socket: it reports that it is ready, drains on request, and stops when
the parent is gone. The parent shows what the child writes to standard error before it serves.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from flyteapps_fake.directory.errors import StateError
from flyteapps_fake.directory.lock import name_process
from flyteapps_fake.servers.config import CHILD_VARIABLE, REFUSED, ServeConfig
from flyteapps_fake.servers.loading import without_collection

if TYPE_CHECKING:
    from flyteapps_fake.http.front import Front

_config = ServeConfig.from_json(os.environ[CHILD_VARIABLE])
_tasks: set[asyncio.Task[None]] = set()


async def _started(front: Front) -> None:
    if _config.control is None:
        return
    reader, writer = await asyncio.open_unix_connection(_config.control)

    async def follow_orders() -> None:
        drained = False
        while line := await reader.readline():
            if line == b"begin\n":
                _begin()
                writer.write(b"begun\n")
            elif line == b"drain\n":
                drained = True
                await front.drain()
                writer.write(b"drained\n")
            await writer.drain()
        front.is_abandoned = not drained
        # Envoy's threads block it (see pyvoy.py); this one receives it for all
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)

    task = asyncio.create_task(follow_orders(), name="flyteapps-control")
    _tasks.add(task)


def _begin() -> None:
    """Let go of the parent's file for errors, and of the working directory, which the parent removes."""
    if _config.stderr_fd is not None:
        os.dup2(_config.stderr_fd, 2)
        os.close(_config.stderr_fd)
    os.chdir("/")


name_process(os.getppid())  # Envoy blocks SIGINT and SIGTERM, which stop the parent
with without_collection():
    from flyteapps_fake.servers.assembly import assemble

    try:
        app = assemble(_config, "pyvoy", [socket.socket(fileno=fd) for fd in _config.console_fds], _started)
    except StateError as error:
        print(f"{REFUSED}{error}", file=sys.stderr, flush=True)
        raise
