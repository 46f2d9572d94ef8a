"""hypercorn's HTTP/1 with strict lengths of bodies, both forms of targets, HTTP/1.0, and no tunnels or WebSockets."""

from __future__ import annotations

import re
from dataclasses import dataclass

import h11
from hypercorn.events import Closed, Event, Updated
from hypercorn.protocol.events import Body, EndBody, Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol

from flyteapps_fake.http.access.host_policy import parse_authority
from flyteapps_fake.servers.hypercorn.requests import CONNECT_REFUSAL, EarlyRequest
from flyteapps_fake.servers.hypercorn.turns import Context

DEFAULT_HOST = (b"host", b"localhost")
"""For HTTP/1.0, where the header is optional. Browsers always send it, so this admits no foreign page."""
ABSOLUTE = re.compile(rb"https?://([^/?#]+)([/?][^#]*)?", re.IGNORECASE)
"""The form of a target that a client sends to a proxy, and any server has to accept (RFC 9112, 3.2.2)."""


@dataclass(frozen=True)
class Paused(Event):
    """Bytes that a client sent before its request was answered; handling it ends with the answer or the connection."""

    protocol: Http1


class Http1(H11Protocol):
    """An HTTP/1 connection."""

    context: Context
    keep_alive_requests: int

    @property
    def head_begun(self) -> bool:
        """Whether a part of a request's head has arrived, and nothing is being answered."""
        return self.stream is None and bool(self.connection.trailing_data[0])

    @property
    def arriving(self) -> bool:
        """Whether its request hasn't arrived whole."""
        return self.connection.their_state is h11.SEND_BODY

    async def _handle_events(self) -> None:
        """Process what the client has sent; hypercorn waits for an answer without noticing that the client leaves."""
        connection = self.connection
        assert isinstance(connection, h11.Connection)
        while True:
            if connection.they_are_waiting_for_100_continue:
                headers = self.config.response_headers("h11")
                await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=headers))
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError as error:
                if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                    await self._send_error_response(error.error_status_hint)
                await self.send(Closed())
                return
            if isinstance(event, h11.Request):
                await self.send(Updated(idle=False))
                await self._check_protocol(event)
                await self._create_stream(event)
            elif event is h11.PAUSED:
                await self.can_read.clear()
                await self.send(Paused(self))
                if connection.our_state is not h11.IDLE:  # the client left, or the connection ends with this answer
                    return
            elif self.stream is None:  # no more data, or data for a request that was answered
                return
            elif isinstance(event, h11.Data):
                await self.stream.handle(Body(stream_id=STREAM_ID, data=event.data))
            elif isinstance(event, h11.EndOfMessage):
                await self.stream.handle(EndBody(stream_id=STREAM_ID))
            else:
                return

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
            await self._refuse(403, b"WebSocket is not offered\n")
        else:
            await self._start(request, headers)

    async def _start(self, request: h11.Request, headers: list[tuple[bytes, bytes]]) -> None:
        """Start the request as an `EarlyRequest`; hypercorn's own method names its own class."""
        if not self.context.turns.take():
            await self.context.turns.wait()
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
