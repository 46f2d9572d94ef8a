"""The ingress of the ingress' benchmark, from PORT to the app at BACKEND. Run as a process."""

from __future__ import annotations

import asyncio
import os

from flyteapps_control.selection import AppName
from flyteapps_fake.processes.ingress.ingress import Ingress
from flyteapps_fake.processes.routes import Backend, Route, Routes
from flyteapps_fake.servers.listener import raise_file_limit


async def main() -> None:
    """Serve until the process is ended."""
    routes = Routes()
    backend = Backend(int(os.environ["BACKEND"]))
    route = Route(AppName("p", "d", "demo"), int(os.environ["PORT"]), backends=(backend,))
    routes.add(route)
    ingress = Ingress(routes, log=lambda line: None)
    await ingress.listen(route)
    await asyncio.Event().wait()


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(main())
