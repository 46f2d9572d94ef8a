"""The body of a request, passed as it arrives, and no faster than the replica reads it."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http import StreamWriter

from flyteapps_fake.processes.ingress.heads import Fields
from flyteapps_fake.processes.ingress.passing.upstream import Upstream


class Body:
    """A request's body.

    `whole`: of one that had arrived with its head, framed; it can be sent again. `chunked`: its length isn't known.
    `begun`: a part of it was read to be sent. `malformed`: its framing is invalid.
    """

    __slots__ = ("_content", "begun", "chunked", "malformed", "streamed", "whole")

    def __init__(self, request: web.BaseRequest, fields: Fields) -> None:
        self._content = request.content
        self.begun = False
        self.malformed = False
        exists = request.body_exists
        self.chunked = exists and not fields.has(b"content-length")
        self.streamed = exists and not self._content.is_eof()
        self.whole = b""
        if exists and not self.streamed:
            data = self._content.read_nowait()
            self.whole = (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + b"0\r\n\r\n" if self.chunked else data

    async def send(self, upstream: Upstream) -> None:
        """Send a body that is still arriving. Its sender's errors show in the response, or in its absence."""
        writer = StreamWriter(upstream, asyncio.get_running_loop())
        if self.chunked:
            writer.enable_chunking()
        try:
            while True:
                try:
                    data = await self._content.readany()
                except web.RequestPayloadError:
                    self.malformed = True
                    upstream.abort()
                    return
                if not data:
                    break
                self.begun = True
                await writer.write(data)
            await writer.write_eof()
        except ConnectionError:
            pass  # the replica reads no more, and may have answered; or the client has left, which ends the handler
