"""Bidirectional methods: requests come as frames, each is answered before the next one is read.

A stream has the clock and the size of one request, so that nothing of it is kept for long; connectrpc has neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.request_limits import Intake
from flyteapps_fake.http.endpoints import Duplex
from flyteapps_fake.http.protocol.requests import refusal_of, unframe
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, Event, Receive, Scope, Send, fill, finish, frame, opening
from flyteapps_fake.http.request_timeouts import Arrivals, Unanswerable
from flyteapps_fake.http.streaming.stream_writer import encoding_of

MAX_MESSAGE_BYTES = 16 * 1024
"""Bytes of one request: a name and little more."""
MAX_MESSAGES = 200
"""Requests on one stream; an answer may take 3 ms and have 128 KB."""
CODECS = ("proto", "json")


def codec_of(headers: Mapping[bytes, bytes]) -> str | None:
    """How the messages of a duplex stream are encoded; None where the content type is none of one."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    if content_type in ("application/grpc", "application/grpc-web"):
        return "proto"
    stem, _, codec = content_type.partition("+")
    return codec if stem.removeprefix("application/") in ("grpc", "grpc-web", "connect") and codec in CODECS else None


class Conversation:
    """The answers to one stream of requests; `request` is the last of them."""

    def __init__(self, endpoint: Duplex, headers: Mapping[bytes, bytes], intake: Intake, send: Send) -> None:
        self._endpoint = endpoint
        self._content_type = headers[b"content-type"].decode("latin-1")
        self._encoding = headers.get(encoding_of(self._content_type), b"")
        self._json = codec_of(headers) == "json"
        self._intake = intake
        self._send = send
        self._begun = False
        self.request: Message | None = None

    async def hold(self, arrivals: Arrivals, scope: Scope, receive: Receive) -> str:
        """Answer every request until the client has sent the last; return the code that the stream ends with."""
        try:
            await arrivals.read(scope, self._content_type.encode("latin-1"), self._late, receive, self._answer)
        except Unanswerable as end:
            return end.code.name
        except Exception as error:
            refusal = refusal_of(error)
            await self._begin()
            await finish(self._send, self._content_type, refusal)
            return refusal.code.name
        return "OK"

    async def _answer(self, receive: Receive) -> None:
        number = 0
        async for framed in self._frames(receive):
            number += 1
            if number > MAX_MESSAGES:
                raise RpcError(Code.RESOURCE_EXHAUSTED, f"a stream may have {MAX_MESSAGES:,} requests: open another")
            self.request = request = self._decode(framed)
            for response in self._endpoint.answer(request):
                await self._begin()
                await self._send(
                    {"type": "http.response.body", "body": frame(self._encode(response)), "more_body": True}
                )
            await asyncio.sleep(0)
        await self._begin()
        await finish(self._send, self._content_type, None)

    async def _late(self, event: Event) -> None:
        """Send an event of the refusal of a stream that took too long; where its answer has begun, its end alone."""
        if not self._begun or event["type"] != "http.response.start":
            await self._send(event)

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
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
        (from_json if self._json else fill)(message, data, self._intake)
        return message

    def _encode(self, response: Message) -> bytes:
        from flyteapps_fake.http.protocol.json_form import to_json

        return to_json(response, indent=None) if self._json else response.SerializeToString()
