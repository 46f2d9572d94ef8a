"""What pyvoy's child process imports: `app`, from the configuration in its environment.

The child talks to its parent over a Unix socket: it says that it is ready, drains when told to, and stops where the
parent is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal

from flyteapps_fake.serving.assembly import assemble
from flyteapps_fake.serving.config import CHILD_VARIABLE, ServeConfig
from flyteapps_fake.transports.asgi import Front

_config = ServeConfig.from_json(os.environ[CHILD_VARIABLE])
_tasks: set[asyncio.Task[None]] = set()


async def _started(front: Front) -> None:
    if _config.control is None:
        return
    reader, writer = await asyncio.open_unix_connection(_config.control)
    writer.write(b"ready %d\n" % (front.options.console_port or 0))
    await writer.drain()

    async def obey() -> None:
        while line := await reader.readline():
            if line == b"drain\n":
                await front.drain()
                writer.write(b"drained\n")
                await writer.drain()
        # Envoy's threads have it blocked (see pyvoy_server); this one hears it for all
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)

    task = asyncio.create_task(obey(), name="flyteapps-control")
    _tasks.add(task)


app = assemble(_config, "pyvoy", _started)
