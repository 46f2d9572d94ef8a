"""The handler of bidirectional methods: requests arrive as frames, and each is answered before the next is read.

A stream has the timeout and the size of one request, so that no memory is held for long; connectrpc bounds neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.endpoints import Duplex
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.protocol.requests import encoding_header, refusal_of, unframe
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, Event, Receive, Send, fill, finish, frame, opening
from flyteapps_fake.http.request_timeouts import CallAbandoned

MAX_MESSAGE_BYTES = 16 * 1024
"""Bound of one request: a name and little more."""
MAX_MESSAGES = 200
"""Bound of the requests on one stream; an answer may take 3 ms and have 128 KB."""
CODECS = ("proto", "json")


def codec_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return how the messages of a duplex stream are encoded; None for any other content type."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    if content_type in ("application/grpc", "application/grpc-web"):
        return "proto"
    stem, _, codec = content_type.partition("+")
    return codec if stem.removeprefix("application/") in ("grpc", "grpc-web", "connect") and codec in CODECS else None


class DuplexHandler:
    """The handler of bidirectional methods."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        """Answer every request of the stream. Raises CallAbandoned."""
        await DuplexStream(exchange, self._services).run()


def _abandoning(send: Send) -> Send:
    """Return a send that raises CallAbandoned where the server's fails: its client has left."""

    async def sending(event: Event) -> None:
        try:
            await send(event)
        except Exception as error:
            error.__traceback__ = None  # pyvoy raises one and the same for all clients
            raise CallAbandoned(Code.CANCELED) from None

    return sending


class DuplexStream:
    """The answers to one stream of requests; the exchange's `request` is the last of them."""

    def __init__(self, exchange: Exchange, services: Services) -> None:
        assert isinstance(exchange.endpoint, Duplex)
        self._exchange = exchange
        self._endpoint = exchange.endpoint
        self._content_type = exchange.headers[b"content-type"].decode("latin-1")
        self._encoding = exchange.headers.get(encoding_header(self._content_type), b"")
        self._json = codec_of(exchange.headers) == "json"
        self._request_limits = services.request_limits
        self._timeouts = services.timeouts
        self._send = _abandoning(exchange.send)

    async def run(self) -> None:
        """Answer every request until the client has sent the last. Raises CallAbandoned."""
        exchange = self._exchange
        exchange.code = "CANCELED"
        exchange.send = self._refuse_late
        try:
            await self._timeouts.read(exchange, self._answer)
            exchange.code = "OK"
        except CallAbandoned:
            raise
        except Exception as error:
            refusal = refusal_of(error)
            exchange.refused(refusal)
            await self._begin()
            await finish(self._send, self._content_type, refusal)

    async def _answer(self, receive: Receive) -> None:
        number = 0
        async for framed in self._frames(receive):
            number += 1
            if number > MAX_MESSAGES:
                raise RpcError(Code.RESOURCE_EXHAUSTED, f"a stream may have {MAX_MESSAGES:,} requests: open another")
            self._exchange.request = request = self._decode(framed)
            for response in self._endpoint.answer(request):
                await self._begin()
                await self._send(
                    {"type": "http.response.body", "body": frame(self._encode(response)), "more_body": True}
                )
            await asyncio.sleep(0)
        await self._begin()
        await finish(self._send, self._content_type, None)

    async def _refuse_late(self, event: Event) -> None:
        """Send an event of the refusal of a stream that took too long; where its answer has begun, its end alone."""
        if not self._exchange.answering or event["type"] != "http.response.start":
            await self._send(event)

    async def _begin(self) -> None:
        if not self._exchange.answering:
            self._exchange.answering = True
            await self._send(opening(self._content_type))

    async def _frames(self, receive: Receive) -> AsyncIterator[bytes]:
        kept = bytearray()
        more = True
        while more:
            event = await receive()
            if event["type"] != "http.request":
                raise RpcError(Code.CANCELED, "the client left")
            more = event.get("more_body", False)
            kept += event.get("body", b"")
            at = 0
            while len(kept) - at >= FRAME_HEAD:
                size = int.from_bytes(kept[at + 1 : at + FRAME_HEAD], "big")
                if size > MAX_MESSAGE_BYTES:
                    raise RpcError(
                        Code.RESOURCE_EXHAUSTED,
                        f"a request of {size:,} bytes; one on this stream may have {MAX_MESSAGE_BYTES:,}",
                    )
                if len(kept) - at < FRAME_HEAD + size:
                    break
                yield bytes(kept[at : at + FRAME_HEAD + size])
                at += FRAME_HEAD + size
            del kept[:at]
        if kept:
            raise RpcError(Code.INVALID_ARGUMENT, f"the stream ends within a frame, {len(kept)} bytes into it")

    def _decode(self, framed: bytes) -> Message:
        from flyteapps_fake.http.protocol.json_form import from_json

        data = unframe(framed, self._encoding, MAX_MESSAGE_BYTES)
        message = self._endpoint.operation.request()
        (from_json if self._json else fill)(message, data, self._request_limits)
        return message

    def _encode(self, response: Message) -> bytes:
        from flyteapps_fake.http.protocol.json_form import to_json

        return to_json(response, indent=None) if self._json else response.SerializeToString()
