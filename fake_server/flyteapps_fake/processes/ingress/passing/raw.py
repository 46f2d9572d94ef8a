"""Connections passed as they are, for apps that speak another protocol than HTTP/1.1: gRPC, HTTP/2 without TLS.

Each connection has one replica, and is closed as a whole when either side closes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from socket import socket

from flyteapps_fake.processes.ingress.limits import BUFFER_BYTES, MAX_IN_FLIGHT
from flyteapps_fake.processes.ingress.passing.attempt import reason_of
from flyteapps_fake.processes.ingress.passing.raw_refusal import UNAUTHENTICATED, UNAVAILABLE, RawRefusal
from flyteapps_fake.processes.ingress.passing.relay import End, Relay, reset
from flyteapps_fake.processes.ingress.request_line import RequestLine
from flyteapps_fake.processes.routes import Backend, Route
from flyteapps_fake.servers.listener import BACKLOG, close_servers, start_servers


class Refusal(Exception):  # noqa: N818  # reads as what happened
    """The reason why a connection gets no replica; `code`: gRPC's."""

    def __init__(self, reason: str, code: int = UNAVAILABLE) -> None:
        super().__init__(reason)
        self.code = code


class _Client(End):
    """A client's connection, which buffers what it receives until it has a replica."""

    def __init__(self, serve: Callable[[_Client, Relay], asyncio.Task[None]]) -> None:
        relay = Relay()
        super().__init__(relay)
        self.peer, relay.backend.peer, relay.client = relay.backend, self, self
        self.relay = relay
        self.early = bytearray()
        self._serve = serve
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = self._serve(self, self.relay)

    def data_received(self, data: bytes) -> None:
        if self.relay.backend.transport is not None:
            super().data_received(data)
            return
        self.early += data
        if len(self.early) > BUFFER_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def flush(self) -> None:
        """Pass what was received before there was a replica."""
        early, self.early = bytes(self.early), bytearray()
        if early:
            super().data_received(early)
        if self.transport is not None:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        waits = self.relay.backend.transport is None
        super().connection_lost(exc)
        if waits and self._task is not None:
            self._task.cancel()


class RawSite:
    """A port of one app whose connections are passed as they are, or refused, all of them, for the reason `refusal`."""

    def __init__(self, route: Route, refusal: str = "", log: Callable[[RequestLine], None] | None = None) -> None:
        self.route = route
        self._refusal = refusal
        self._log = log
        self._listening: list[asyncio.Server] = []
        self._tasks: dict[asyncio.Task[None], Relay] = {}

    async def start(self, socks: Sequence[socket]) -> None:
        """Serve on listening sockets."""
        loop = asyncio.get_running_loop()
        self._listening += await start_servers(
            socks, lambda sock: loop.create_server(self._connected, sock=sock, backlog=BACKLOG)
        )

    async def close(self, grace_seconds: float) -> None:
        """Stop to listen, and reset the connections that are still open after the grace."""
        listening, self._listening = self._listening, []
        await close_servers(listening)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=grace_seconds)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    def _connected(self) -> _Client:
        return _Client(self._serve)

    def _serve(self, client: _Client, relay: Relay) -> asyncio.Task[None]:
        task = asyncio.create_task(self._pass(client, relay))
        self._tasks[task] = relay

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.pop(done, None)
            if done.cancelled():  # perhaps before it began
                reset(client.transport)

        task.add_done_callback(ended)
        return task

    async def _pass(self, client: _Client, relay: Relay) -> None:
        """Serve one connection, which is counted and logged once, whatever becomes of it."""
        loop = asyncio.get_running_loop()
        route, began = self.route, loop.time()
        backend: Backend | None = None
        try:
            if self._refusal:
                raise Refusal(self._refusal, UNAUTHENTICATED)
            if route.in_flight >= MAX_IN_FLIGHT:
                raise Refusal(f"it has {MAX_IN_FLIGHT:,} connections already")
            route.begin()
            try:
                backend = await self._connect(relay)
                client.flush()
                await relay.run()
            finally:
                route.end()
                if backend is not None:
                    backend.in_flight -= 1
        except Refusal as refusal:
            if client.transport is not None:
                reason = f"The app {route.app}: {refusal}"
                await RawRefusal(reason, refusal.code, client.transport).run(bytes(client.early))
        finally:
            if self._log is not None:
                number = backend.number if backend is not None else None
                self._log(RequestLine(route.app, number, "TCP", "", 0, loop.time() - began, relay.backend.received))

    async def _connect(self, relay: Relay) -> Backend:
        """Connect to a replica, once there is one, or to a second one; it is counted there. Raises Refusal."""
        route, tried = self.route, None
        try:
            async with asyncio.timeout(route.request_seconds):
                while True:
                    backend = route.choose((tried,) if tried is not None else ())
                    if backend is None:
                        if route.unavailable is not None:
                            raise Refusal(route.unavailable.message)
                        await route.changed()
                        continue
                    error = await _connect(relay.backend, backend)
                    if error is None:
                        return backend
                    if tried is not None or route.choose((backend,)) is None:
                        raise Refusal(f"replica {backend.number} accepts no connections: {error}")
                    tried = backend
        except TimeoutError:
            raise Refusal(f"no replica was ready within {route.request_seconds:g} s") from None


async def _connect(end: End, backend: Backend) -> str | None:
    """Connect to a replica, which counts the connection; return the reason where it accepts none."""
    backend.in_flight += 1
    try:
        await asyncio.get_running_loop().create_connection(lambda: end, backend.host, backend.port)
    except BaseException as error:
        backend.in_flight -= 1
        if isinstance(error, OSError):
            return reason_of(error)
        raise
    return None
