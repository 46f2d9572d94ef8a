"""The one ASGI front, the same on pyvoy and on hypercorn: a chain of layers over one plane, and the lifespan.

Every HTTP request takes the same way: telemetry, refusals, host policy, dispatch, and then the handler of its kind,
which applies limits and deadlines, decodes, and calls the endpoint.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from typing import Any

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.http.access.host_check import HostCheck
from flyteapps_fake.http.builtin.uploads import Uploads
from flyteapps_fake.http.endpoints import Endpoint
from flyteapps_fake.http.exchange import Exchange, Handler
from flyteapps_fake.http.handlers.pages import PageHandler
from flyteapps_fake.http.large_requests import LargeRequests
from flyteapps_fake.http.layers.dispatch import Dispatch
from flyteapps_fake.http.layers.host_policy import HostPolicyLayer
from flyteapps_fake.http.layers.refusals import Refusals
from flyteapps_fake.http.layers.telemetry import Telemetry
from flyteapps_fake.http.options import FrontOptions
from flyteapps_fake.http.protocol.wire import Receive, Scope, Send
from flyteapps_fake.http.request_timeouts import RequestTimeouts
from flyteapps_fake.http.streaming.live_streams import Sweeper
from flyteapps_fake.http.streaming.unread_answers import UnreadAnswers
from flyteapps_fake.http.table import table
from flyteapps_fake.http.telemetry.metrics import Metrics


class Front:
    """An ASGI application over one plane."""

    def __init__(self, plane: Plane, options: FrontOptions) -> None:
        self.plane = plane
        self.options = options
        self.is_abandoned = False
        """Whether the process that started the server was killed, so that this one should end soon."""
        self.uploads = Uploads(files=options.uploads)
        self.endpoints: dict[str, Endpoint] = table(plane, self.uploads, options.control)
        self.request_limits = plane.request_limits
        self.timeouts = RequestTimeouts(options.limits.request_seconds, self.request_limits.request_bytes)
        self.large_requests = LargeRequests()
        self.unread_answers = UnreadAnswers()
        self.sweeper = Sweeper(options.limits, self.timeouts, self.unread_answers)
        self.metrics = Metrics(
            {
                "flyteapps_open_streams": ("Server streams that are open.", lambda: len(self.sweeper.streams)),
                "flyteapps_plane_streams": (
                    "Streams that the plane feeds.",
                    plane.count_streams,
                ),
                "flyteapps_apps": ("Apps that are stored.", plane.count),
                "flyteapps_faults": ("Rules for faults of the control API.", plane.count_faults),
            },
            {"flyteapps_faults_applied": ("Faults that calls have had.", plane.applied_faults)},
        )
        page = options.page(self) if options.page is not None else None
        pages = PageHandler(page, self.unread_answers) if page is not None else None
        self._check = HostCheck(options.host_policy, lambda host: plane.find_by_host(host) is not None)
        self._answer = self._chain(Dispatch(self, pages))
        self._polled = options.server == "pyvoy"
        self._driver: Any = None

    def _chain(self, handler: Handler) -> Handler:
        """Return the layers around a handler, the outermost first."""
        inner = Refusals(HostPolicyLayer(handler, self._check, self.timeouts))
        return Telemetry(inner, self.endpoints.keys(), self.metrics, self.options.access_log)

    @property
    def services(self) -> list[str]:
        """The names of the services that are offered."""
        return sorted({endpoint.operation.service for endpoint in self.endpoints.values()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        kind: str = scope["type"]
        if kind == "http":
            endpoint = self.endpoints.get(scope["path"])
            await self._answer(Exchange(scope, receive, send, endpoint, polled=self._polled))
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close"})

    async def on_portable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope of the console's port, which the portable server has, whichever the API's has."""
        if scope["type"] == "http":
            endpoint = self.endpoints.get(scope["path"])
            await self._answer(Exchange(scope, receive, send, endpoint, polled=False))
        else:
            await send({"type": "websocket.close"})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:
                    traceback.print_exc()
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def start(self) -> None:
        """Prepare for the first request: the plane's clock advances from now on."""
        from flyteapps_fake.http.loop_driver import LoopDriver

        authentication = self.plane.authentication
        if authentication is not None and authentication.provider is not None:
            authentication.provider.refresh()
        self._driver = LoopDriver(self.plane)
        self._driver.start()
        self.sweeper.start()
        if self.options.on_startup is not None:
            await self.options.on_startup(self)

    async def stop(self) -> None:
        """Release everything after the last request."""
        await self.drain()
        if self.options.on_shutdown is not None:
            await self.options.on_shutdown(self)
        await self.sweeper.stop()
        self._driver.stop()

    async def drain(self, seconds: float = 1.0) -> None:
        """End every stream with UNAVAILABLE, and wait for their last bytes to leave, at most that long."""
        self.sweeper.end("the server is shutting down")
        until = time.monotonic() + seconds
        while self.sweeper.streams and time.monotonic() < until:
            await asyncio.sleep(0.01)
