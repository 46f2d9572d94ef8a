"""One attempt to have a request answered by a replica: its connection, from the first byte to the last."""

from __future__ import annotations

import asyncio
import os

from aiohttp import ClientError
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from flyteapps_fake.processes.ingress.passing.body import Body
from flyteapps_fake.processes.ingress.passing.upstream import Upstream, Upstreams
from flyteapps_fake.processes.routes import Backend


def reason_of(error: OSError) -> str:
    """Return why a connection failed: asyncio's own text has the address instead."""
    return os.strerror(error.errno) if error.errno else str(error)


class Unreachable(Exception):  # noqa: N818  # reads as what happened
    """A replica that accepts no connection."""

    def __init__(self, error: OSError) -> None:
        super().__init__(reason_of(error))
        self.errno = error.errno


class Broken(Exception):  # noqa: N818  # reads as what happened
    """A replica that closed its connection before the head of a response."""


class Garbage(Exception):  # noqa: N818  # reads as what happened
    """A replica whose bytes are no response of HTTP/1.1."""


class Attempt:
    """A request at one replica, which counts it as long as the attempt isn't ended."""

    __slots__ = ("_sender", "_upstreams", "backend", "upstream")

    def __init__(self, backend: Backend, upstreams: Upstreams) -> None:
        self.backend = backend
        self.upstream: Upstream | None = None
        self._upstreams = upstreams
        self._sender: asyncio.Task[None] | None = None
        backend.in_flight += 1

    async def open(self) -> Upstream:
        """Return a connection to the replica, an idle one if there is one. Raises Unreachable."""
        upstream = self._upstreams.idle(self.backend)
        if upstream is None:
            try:
                upstream = await self._upstreams.connect(self.backend)
            except OSError as error:
                raise Unreachable(error) from None
        self.upstream = upstream
        return upstream

    def send(self, upstream: Upstream, method: str, head: bytes, body: Body) -> None:
        """Send the request, its body as it arrives."""
        upstream.expect(method)
        if upstream.transport is not None:
            upstream.transport.write(head + body.whole if body.whole else head)
        if body.streamed:
            self._sender = asyncio.create_task(body.send(upstream))

    async def read(self, upstream: Upstream) -> tuple[RawResponseMessage, StreamReader]:
        """Return the next head, of the response or an interim one, and its body. Raises Broken, Garbage."""
        try:
            return await upstream.read()
        except HttpProcessingError as error:
            raise Garbage(error.message.partition("\n")[0].strip().rstrip(":")) from None
        except (ClientError, OSError) as error:
            raise Broken(str(error)) from None

    def end(self, *, whole: bool = False) -> None:
        """End the attempt, once: a connection with a `whole` response is kept for further ones, any other closed."""
        upstream, sender = self.upstream, self._sender
        self.backend.in_flight -= 1
        if sender is not None and not sender.done():
            sender.cancel()
            whole = False
        if upstream is not None:
            if whole:
                self._upstreams.keep(self.backend, upstream)
            else:
                upstream.abort()
