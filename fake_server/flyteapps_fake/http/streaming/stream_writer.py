"""Server streams in binary, over gRPC, gRPC-Web and Connect: every event is a frame, and nothing else is made of it.

connectrpc, which answers streams in JSON, takes five times as long for an event that goes to many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.endpoints import Stream
from flyteapps_fake.http.protocol.compression import COMPRESS_FROM, gzip, takes_gzip
from flyteapps_fake.http.protocol.wire import Event, Send, finish, frame, opening
from flyteapps_fake.http.streaming.live_streams import LiveStream, pump

ENCODINGS = {
    b"application/grpc": b"grpc-encoding",
    b"application/grpc+proto": b"grpc-encoding",
    b"application/grpc-web": b"grpc-encoding",
    b"application/grpc-web+proto": b"grpc-encoding",
    b"application/connect+proto": b"connect-content-encoding",
}
"""The content types that are streamed here, and the header that says how their messages are compressed."""


def encoding_of(content_type: str) -> bytes:
    """The header that says how the messages of a framed body of that content type are compressed."""
    return b"connect-content-encoding" if content_type.startswith("application/connect+") else b"grpc-encoding"


_LAST: dict[bool, tuple[bytes, bytes]] = {}
"""The last message and its frame, by whether it may be compressed."""


class Outflow:
    """One answer that streams; `begun` as soon as anything was sent, and then every end is in it."""

    def __init__(self, send: Send, live: LiveStream, headers: Mapping[bytes, bytes]) -> None:
        kind = headers[b"content-type"]
        self._content_type = kind.decode()
        self._encoding = ENCODINGS[kind]
        self._gzip = takes_gzip(headers, self._encoding)
        self._plain_send = send
        self._live = live
        self.begun = False

    async def run(self, endpoint: Stream, call: Call[Any]) -> str:
        """Sends the stream to its end; the code that it ended with. Raises the RpcError that let it not begin."""
        error = None
        batches = pump(endpoint, call, self._live)
        try:
            async for items in batches:
                await self._batch(items)
        except RpcError as refusal:
            if not self.begun:
                raise
            error = refusal
        finally:
            await batches.aclose()
        if self._live.gone:
            return Code.CANCELED.name
        await finish(self._send, self._content_type, error)
        return error.code.name if error is not None else "OK"

    async def _batch(self, items: list[bytes]) -> None:
        if self.begun:
            data = self._frame(items[0]) if len(items) == 1 else b"".join(map(self._frame, items))
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            return
        self.begun = True
        event = opening(self._content_type)
        if self._gzip:
            event["headers"].append((self._encoding, b"gzip"))
        await self._send(event)

    def _frame(self, item: bytes) -> bytes:
        """The message in its frame, which the streams that send the same event one after the other share."""
        last = _LAST.get(self._gzip)
        if last is not None and last[0] is item:
            return last[1]
        framed = frame(gzip(item), 1) if self._gzip and len(item) >= COMPRESS_FROM else frame(item)
        _LAST[self._gzip] = (item, framed)
        return framed

    async def _send(self, event: Event) -> None:
        await self._live.deliver(self._plain_send, event)
