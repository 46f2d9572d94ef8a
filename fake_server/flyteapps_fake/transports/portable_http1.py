"""hypercorn's HTTP/1, with what it would let pass refused: see portable.py."""

from __future__ import annotations

import h11
from hypercorn.events import Closed
from hypercorn.protocol import h11 as http1

from flyteapps_fake.transports.portable_requests import CONNECT_REFUSAL, EarlyRequest

DEFAULT_HOST = (b"host", b"localhost")
"""For HTTP/1.0, which may leave it out. A browser's requests never do, so it lets no foreign page in."""


class Http1(http1.H11Protocol):
    """HTTP/1 that takes one length of a body, knows HTTP/1.0 and opens no tunnels."""

    async def _create_stream(self, request: h11.Request) -> None:
        names = {name for name, _ in request.headers}
        if b"transfer-encoding" in names and b"content-length" in names:
            # who believes the other one takes the rest of the body for a request (RFC 9112, 6.1)
            await self._refuse(400, b"both content-length and transfer-encoding: send one of them\n")
            return
        if request.method.upper() == b"CONNECT":
            await self._refuse(405, CONNECT_REFUSAL)
            return
        if request.http_version == b"1.0" and b"host" not in names:
            headers = [*request.headers, DEFAULT_HOST]
            request = h11.Request(method=request.method, target=request.target, headers=headers, http_version=b"1.0")
        await super()._create_stream(request)

    async def _refuse(self, status: int, text: bytes) -> None:
        """Answers, and ends the connection: what follows can't be told from a body."""
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=status, headers=headers))
        await self._send_h11_event(h11.Data(data=text))
        await self._send_h11_event(h11.EndOfMessage())
        await self.send(Closed())


# where hypercorn's HTTP/1 takes it from
http1.HTTPStream = EarlyRequest  # type: ignore[misc]
