"""The answer to a connection of another protocol that gets no replica: the reason, as the error of a gRPC call.

GOAWAY alone, with the reason in it, makes a gRPC client connect again at once, without end: calls have to be answered.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from h2.exceptions import ProtocolError

from flyteapps_fake.processes.ingress.answers import Answer, encode
from flyteapps_fake.processes.ingress.limits import CLOSING_SECONDS, HEAD_SECONDS
from flyteapps_fake.processes.ingress.passing.relay import reset

UNAVAILABLE, UNAUTHENTICATED = 14, 16
"""The codes of gRPC."""
_PREFACE = b"PRI * HTTP/2.0"


class RawRefusal(asyncio.Protocol):
    """A connection whose calls get an error. A client of HTTP/1.1 gets a response, any other nothing."""

    def __init__(self, reason: str, code: int, transport: asyncio.Transport) -> None:
        self._reason = reason
        self._code = code
        self._transport = transport
        self._early = b""
        self._http2: H2Connection | None = None
        self._answered = False
        self._closed = asyncio.Event()
        self._closing = asyncio.get_running_loop().call_later(HEAD_SECONDS, reset, transport)

    async def run(self, early: bytes) -> None:
        """Take the connection over, with what was received on it, until it is closed. Cancelled, it resets it."""
        self._transport.set_protocol(self)
        self._transport.resume_reading()
        try:
            if early:
                self.data_received(early)
            await self._closed.wait()
        finally:
            self._closing.cancel()
            if not self._closed.is_set():
                reset(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return  # the rest of a request: a connection that is closed before it was read is reset
        if self._http2 is None:
            self._early += data
            if _PREFACE.startswith(self._early[: len(_PREFACE)]):
                if len(self._early) < len(_PREFACE):
                    return
                data = self._early
                self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
                self._http2.initiate_connection()
            else:
                self._finish(encode(Answer(503, self._reason), "", body=True, close=True))
                return
        self._answer_calls(self._http2, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def _answer_calls(self, http2: H2Connection, data: bytes) -> None:
        try:
            streams = [each.stream_id for each in http2.receive_data(data) if isinstance(each, RequestReceived)]
        except ProtocolError:
            self._finish(http2.data_to_send())
            return
        for stream in streams:
            http2.send_headers(stream, self._trailers(), end_stream=True)
        if streams:
            http2.close_connection()
            self._finish(http2.data_to_send(), closes=False)  # the client closes: it may still be sending
        else:
            self._transport.write(http2.data_to_send())

    def _trailers(self) -> list[tuple[str, str]]:
        message = quote(self._reason, safe=" !\"#$&'()*+,-./:;<=>?@[]^_`{|}~")
        return [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-status", str(self._code)),
            ("grpc-message", message),
        ]

    def _finish(self, data: bytes, *, closes: bool = True) -> None:
        self._answered = True
        self._early = b""
        self._transport.write(data)
        if closes and self._transport.can_write_eof():
            self._transport.write_eof()
        self._closing.cancel()
        self._closing = asyncio.get_running_loop().call_later(CLOSING_SECONDS, reset, self._transport)
