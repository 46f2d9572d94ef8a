"""Connections to replicas: aiohttp's protocol of a client, and the idle ones. No decisions on requests."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from aiohttp.client_proto import ResponseHandler

from flyteapps_fake.processes.ingress.limits import (
    BUFFER_BYTES,
    IDLE_SECONDS,
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    MAX_IDLE,
    MAX_LINE_BYTES,
)
from flyteapps_fake.processes.routes import Backend


class Upstream(ResponseHandler):
    """A connection to a replica. `reused`: it has answered before; `idle_since`: by the loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.reused = False
        self.idle_since = 0.0

    def expect(self, method: str) -> None:
        """Prepare to parse the response to such a request."""
        self.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=BUFFER_BYTES,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
        )

    def broke(self) -> bool:
        """Return whether the connection was reset, which ends a body of unknown length like a clean close."""
        return isinstance(self.exception(), OSError)


class Upstreams:
    """The connections to all replicas, of which those that are idle are kept for a moment."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._idle: dict[Backend, deque[Upstream]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def idle(self, backend: Backend) -> Upstream | None:
        """Return an idle connection, None where there is none that is young enough."""
        waiting = self._idle.get(backend)
        oldest = self._loop.time() - IDLE_SECONDS
        while waiting:
            upstream = waiting.pop()
            if upstream.idle_since >= oldest and upstream.is_connected() and not upstream.should_close:
                upstream.reused = True
                return upstream
            upstream.close()
        return None

    async def connect(self, backend: Backend) -> Upstream:
        """Return a new connection. Raises OSError."""
        _, upstream = await self._loop.create_connection(
            lambda: Upstream(self._loop), backend.host, backend.port, ssl=self._tls
        )
        return upstream

    def keep(self, backend: Backend, upstream: Upstream) -> None:
        """Keep a connection whose response was read, unless it is of no more use."""
        if upstream.should_close or not upstream.is_connected():
            upstream.close()
            return
        waiting = self._idle.setdefault(backend, deque())
        upstream.idle_since = self._loop.time()
        waiting.append(upstream)
        if len(waiting) > MAX_IDLE:
            waiting.popleft().close()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(IDLE_SECONDS, self._sweep)

    def close(self) -> None:
        """Close the idle connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for waiting in self._idle.values():
            for upstream in waiting:
                upstream.close()
        self._idle.clear()

    def _sweep(self) -> None:
        """Close the connections that are too old to be used again."""
        oldest = self._loop.time() - IDLE_SECONDS
        for backend, waiting in list(self._idle.items()):
            while waiting and waiting[0].idle_since < oldest:
                waiting.popleft().close()
            if not waiting:
                del self._idle[backend]
        self._sweeper = self._loop.call_later(IDLE_SECONDS, self._sweep) if self._idle else None
