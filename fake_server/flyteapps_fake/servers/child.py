"""What pyvoy's child process imports: `app`, from the configuration in its environment.

The child talks to its parent over a Unix socket: it says that it is ready, drains when told to, and stops where the
parent is gone. What it writes to standard error before it serves is the parent's to show.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket

from flyteapps_fake.http.front import Front
from flyteapps_fake.servers.assembly import assemble
from flyteapps_fake.servers.config import CHILD_VARIABLE, ServeConfig

_config = ServeConfig.from_json(os.environ[CHILD_VARIABLE])
_tasks: set[asyncio.Task[None]] = set()


async def _started(front: Front) -> None:
    if _config.control is None:
        return
    reader, writer = await asyncio.open_unix_connection(_config.control)

    async def obey() -> None:
        while line := await reader.readline():
            if line == b"begin\n":
                _begin()
                writer.write(b"begun\n")
            elif line == b"drain\n":
                await front.drain()
                writer.write(b"drained\n")
            await writer.drain()
        # Envoy's threads have it blocked (see pyvoy_server); this one hears it for all
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)

    task = asyncio.create_task(obey(), name="flyteapps-control")
    _tasks.add(task)


def _begin() -> None:
    """Leaves what was there for the start alone: the parent's file for errors, and a folder that it removes."""
    if _config.stderr_fd is not None:
        os.dup2(_config.stderr_fd, 2)
        os.close(_config.stderr_fd)
    os.chdir("/")


app = assemble(_config, "pyvoy", [socket.socket(fileno=fd) for fd in _config.console_fds], _started)
