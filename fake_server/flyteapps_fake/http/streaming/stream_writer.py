"""The bytes of server streams in binary, over gRPC, gRPC-Web and Connect: each message in a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.endpoints import Stream
from flyteapps_fake.http.protocol.compression import accepts_gzip, gzip
from flyteapps_fake.http.protocol.requests import COMPRESSED, ENCODING_HEADERS
from flyteapps_fake.http.protocol.wire import Event, Send, finish, frame, opening
from flyteapps_fake.http.streaming.live_streams import LiveStream, message_batches
from flyteapps_fake.http.streaming.unread_answers import LARGE_BYTES

_LAST: dict[bool, tuple[bytes, bytes]] = {}
"""The last message and its frame, by whether it may be compressed."""


class StreamWriter:
    """The answer of one stream. `begun`: whether it has begun, so that an error belongs at its end."""

    def __init__(
        self, send: Send, large_send: Send, live: LiveStream, headers: Mapping[bytes, bytes], from_bytes: int
    ) -> None:
        """Take the send of what has LARGE_BYTES as `large_send`, and the size from which messages are compressed."""
        kind = headers[b"content-type"]
        self._content_type = kind.decode()
        self._encoding = ENCODING_HEADERS[kind]
        self._gzip = accepts_gzip(headers, self._encoding)
        self._from_bytes = from_bytes
        self._plain_send = send
        self._large_send = large_send
        self._live = live
        self.begun = False

    async def run(self, endpoint: Stream, call: Call[Any]) -> tuple[str, str]:
        """Send the stream to its end; return its code and the words of its error.

        Raises the RpcError that refuses to open it.
        """
        error = None
        batches = message_batches(endpoint, call, self._live)
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
            return Code.CANCELED.name, ""
        await finish(self._send, self._content_type, error, self._framed)
        return (error.code.name, error.message) if error is not None else ("OK", "")

    async def _batch(self, items: list[bytes]) -> None:
        if self.begun:
            data = self._frame(items[0]) if len(items) == 1 else b"".join(map(self._frame, items))
            event: Event = {"type": "http.response.body", "body": data, "more_body": True}
            if len(data) < LARGE_BYTES:
                await self._send(event)
            else:
                items.clear()  # while its client doesn't read, the data alone is held
                await self._live.deliver(self._large_send, event)
            return
        self.begun = True
        event = opening(self._content_type)
        if self._gzip:
            event["headers"].append((self._encoding, b"gzip"))
        await self._send(event)

    def _frame(self, item: bytes) -> bytes:
        """Return the message in its frame, which streams that send the same event one after the other share."""
        last = _LAST.get(self._gzip)
        if last is not None and last[0] is item:
            return last[1]
        framed = self._framed(item, 0) if len(item) >= self._from_bytes else frame(item)
        _LAST[self._gzip] = (item, framed)
        return framed

    def _framed(self, data: bytes, flags: int) -> bytes:
        """Return what is large in its frame, compressed if the client accepts it; an end of a stream never is large."""
        if not self._gzip or (flags and self._from_bytes):
            return frame(data, flags)
        return frame(gzip(data), flags | COMPRESSED)

    async def _send(self, event: Event) -> None:
        await self._live.deliver(self._plain_send, event)
