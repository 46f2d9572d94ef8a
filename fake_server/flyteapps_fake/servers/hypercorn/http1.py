"""hypercorn's HTTP/1, with what it would let pass refused: see portable.py."""

from __future__ import annotations

import re

import h11
from hypercorn.events import Closed
from hypercorn.protocol import h11 as http1

from flyteapps_fake.http.access.host_policy import parse_authority
from flyteapps_fake.servers.hypercorn.requests import CONNECT_REFUSAL, EarlyRequest

DEFAULT_HOST = (b"host", b"localhost")
"""For HTTP/1.0, which may leave it out. A browser's requests never do, so it lets no foreign page in."""
ABSOLUTE = re.compile(rb"https?://([^/?#]+)([/?][^#]*)?", re.IGNORECASE)
"""The form of a target that a client sends to a proxy, and any server has to accept (RFC 9112, 3.2.2)."""


class Http1(http1.H11Protocol):
    """HTTP/1 that takes one length of a body and targets of both forms, knows HTTP/1.0 and opens no tunnels."""

    async def _create_stream(self, request: h11.Request) -> None:
        names = {name for name, _ in request.headers}
        if b"transfer-encoding" in names and b"content-length" in names:
            # who believes the other one takes the rest of the body for a request (RFC 9112, 6.1)
            await self._refuse(400, b"both content-length and transfer-encoding: send one of them\n")
            return
        if request.method.upper() == b"CONNECT":
            await self._refuse(405, CONNECT_REFUSAL)
            return
        target, headers = request.target, None  # None: they stay as they are, which is nearly every request
        if request.http_version == b"1.0" and b"host" not in names:
            headers = [*request.headers, DEFAULT_HOST]
        if not target.startswith((b"/", b"*")):
            absolute = ABSOLUTE.fullmatch(target)
            if absolute is None or parse_authority(absolute[1].decode("latin-1")) is None:
                await self._refuse(400, b"the target of a request is a path, or http(s)://host[:port]/path\n")
                return
            path = absolute[2] or b"/"
            target = path if path.startswith(b"/") else b"/" + path
            # the host of the target counts, not the header
            headers = [*((name, value) for name, value in request.headers if name != b"host"), (b"host", absolute[1])]
        if headers is not None:
            version = request.http_version
            request = h11.Request(method=request.method, target=target, headers=headers, http_version=version)
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
