"""hypercorn's HTTP/1 with strict lengths of bodies, both forms of targets, HTTP/1.0, and no tunnels."""

from __future__ import annotations

import re

import h11
from hypercorn.events import Closed
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol

from flyteapps_fake.http.access.host_policy import parse_authority
from flyteapps_fake.servers.hypercorn.requests import CONNECT_REFUSAL, EarlyRequest

DEFAULT_HOST = (b"host", b"localhost")
"""For HTTP/1.0, where the header is optional. Browsers always send it, so this admits no foreign page."""
ABSOLUTE = re.compile(rb"https?://([^/?#]+)([/?][^#]*)?", re.IGNORECASE)
"""The form of a target that a client sends to a proxy, and any server has to accept (RFC 9112, 3.2.2)."""


class Http1(H11Protocol):
    """An HTTP/1 connection."""

    async def _create_stream(self, request: h11.Request) -> None:
        received = list(request.headers)  # once: iterating over h11's headers takes Python code for each
        names = {name for name, _ in received}
        if b"transfer-encoding" in names and b"content-length" in names:
            # a peer that follows the other one reads the rest of the body as a request (RFC 9112, 6.1)
            await self._refuse(400, b"both content-length and transfer-encoding: send one of them\n")
            return
        if request.method.upper() == b"CONNECT":
            await self._refuse(405, CONNECT_REFUSAL)
            return
        target, headers = request.target, received
        if request.http_version == b"1.0" and b"host" not in names:
            headers = [*received, DEFAULT_HOST]
        if not target.startswith((b"/", b"*")):
            absolute = ABSOLUTE.fullmatch(target)
            if absolute is None or parse_authority(absolute[1].decode("latin-1")) is None:
                await self._refuse(400, b"the target of a request is a path, or http(s)://host[:port]/path\n")
                return
            path = absolute[2] or b"/"
            target = path if path.startswith(b"/") else b"/" + path
            # the host of the target counts, not the header
            headers = [*((name, value) for name, value in received if name != b"host"), (b"host", absolute[1])]
        if headers is not received:  # as for hardly any request
            version = request.http_version
            request = h11.Request(method=request.method, target=target, headers=headers, http_version=version)
            headers = list(request.headers)
        if b"upgrade" in names and _is_websocket(request):
            await super()._create_stream(request)  # the front refuses it
        else:
            await self._start(request, headers)

    async def _start(self, request: h11.Request, headers: list[tuple[bytes, bytes]]) -> None:
        """Start the request as an `EarlyRequest`; hypercorn's own method names its own class."""
        self.stream = EarlyRequest(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _refuse(self, status: int, text: bytes) -> None:
        """Answer, and end the connection: what follows can't be distinguished from a body."""
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


def _is_websocket(request: h11.Request) -> bool:
    """Return whether the request asks for a WebSocket, by hypercorn's own rule."""
    fields = {name: value.decode("latin-1").strip().lower() for name, value in request.headers}
    tokens = {token.strip() for token in fields.get(b"connection", "").split(",")}
    return fields.get(b"upgrade") == "websocket" and "upgrade" in tokens and request.method.upper() == b"GET"
