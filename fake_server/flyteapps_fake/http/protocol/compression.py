"""gzip in both directions: requests up to the size limit, answers that are large and whose client accepts gzip.

Small answers stay plain: on the loopback, gzip costs more than it saves.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.rules.wire import GzipFault, WireRules
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.protocol.deadlines import CONNECT, GRPC
from flyteapps_fake.http.protocol.wire import Event, Send, frame

LEVEL = 1
"""zlib's compression level, the fastest."""
ACCEPTED_BY = {
    b"content-encoding": b"accept-encoding",
    b"connect-content-encoding": b"connect-accept-encoding",
    b"grpc-encoding": b"grpc-accept-encoding",
}
"""The header that names the compression of an answer -> the one that lists what its client accepts."""
_OURS = frozenset((*ACCEPTED_BY.values(), GRPC, CONNECT))
_COMPRESSED = 0x01
MAX_MEMBERS = 16
"""Members of a request's gzip data, one after the other; each costs a copy of the data after it."""


HEADER_BYTES = 10
"""Bytes of the smallest header of gzip data."""


class GzipError(RpcError):
    """INVALID_ARGUMENT for gzip data with that fault."""

    def __init__(self, fault: GzipFault, message: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, message)
        self.fault: GzipFault = fault


def gunzip_body(data: bytes, cap: int, rules: WireRules) -> bytes:
    """Return the decompressed body of a unary Connect request. Raises RESOURCE_EXHAUSTED, and as the rules say."""
    try:
        return gunzip(data, cap)
    except GzipError as error:
        if rules.gzip is None:
            raise
        other = rules.gzip(error.fault, len(data))
    if other is not None:
        raise other
    return b""


def gunzip(data: bytes, cap: int) -> bytes:
    """Return `data` decompressed. Raises RESOURCE_EXHAUSTED past `cap` bytes, GzipError for invalid data."""
    parts: list[bytes] = []
    left = cap + 1
    try:
        while data:
            if len(parts) == MAX_MEMBERS:
                raise RpcError(
                    Code.INVALID_ARGUMENT, f"the request's gzip data has more than {MAX_MEMBERS} members: send one"
                )
            member = zlib.decompressobj(31)
            part = member.decompress(data, left)
            parts.append(part)
            left -= len(part)
            if left <= 0:
                raise too_large(cap)
            if not member.eof:
                headless = len(parts) == 1 and len(data) < HEADER_BYTES
                raise GzipError("header" if headless else "end", "the request's gzip data ends early")
            data = member.unused_data
    except zlib.error as error:
        short = bool(parts) and len(data) < HEADER_BYTES
        fault = "end" if short else _fault(str(error), first=not parts)
        raise GzipError(fault, f"the request is not valid gzip: {error}") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _fault(message: str, *, first: bool) -> GzipFault:
    """Return the fault that zlib's message is about; `first`: whether the data begins with it."""
    if "header" in message or "unknown compression method" in message:
        return "header" if first else "tail"
    return "checksum" if "incorrect data check" in message or "incorrect length check" in message else "data"


def gzip(data: bytes) -> bytes:
    """Return `data` compressed, the same bytes for the same data."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(data) + compressor.flush()


def accepts_gzip(headers: Mapping[bytes, bytes], encoding: bytes) -> bool:
    """Return whether the client accepts gzip for answers that name it in the header `encoding` (one of ACCEPTED_BY)."""
    for each in headers.get(ACCEPTED_BY[encoding], b"").split(b","):
        coding, _, weight = each.partition(b";")
        if coding.strip() == b"gzip":
            return weight.strip().replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


class Compressing:
    """A send that compresses large parts of connectrpc's answer; connectrpc was told that its client accepts none.

    connectrpc sends a unary Connect answer as one body, and everything else as one frame an event.
    """

    def __init__(self, send: Send, headers: Mapping[bytes, bytes], from_bytes: int) -> None:
        """Compress what has at least that many bytes; with 0 everything, also the ends of streams."""
        self._send = send
        self._headers = headers
        self._from_bytes = from_bytes
        self._start: Event | None = None
        self._frames = False

    async def __call__(self, event: Event) -> None:
        """Send an event, compressed where that pays."""
        kind = event["type"]
        if kind == "http.response.start":
            await self._begin(event)
        elif kind == "http.response.body":
            await self._body(event)
        else:
            await self._send(event)

    async def _begin(self, event: Event) -> None:
        headers: list[tuple[bytes, bytes]] = []
        unary = False
        for name, value in event["headers"]:
            if name == b"content-encoding":
                unary = accepts_gzip(self._headers, name)
            elif name in ACCEPTED_BY:
                self._frames = accepts_gzip(self._headers, name)
                value = b"gzip" if self._frames else value
            headers.append((name, value))
        event = {**event, "headers": headers}
        if unary:
            self._start = event  # its headers depend on the size of what comes next
        else:
            await self._send(event)

    async def _body(self, event: Event) -> None:
        body: bytes = event.get("body", b"")
        large = len(body) >= self._from_bytes
        if self._start is not None:
            start, self._start = self._start, None
            if large:
                body = gzip(body)
                start["headers"] = [
                    (name, b"gzip" if name == b"content-encoding" else value) for name, value in start["headers"]
                ]
            await self._send(start)
        elif self._frames and large and body and (body[0] == 0 or not self._from_bytes):
            body = frame(gzip(body[5:]), body[0] | _COMPRESSED)
        await self._send({**event, "body": body})


def without_own(headers: Any) -> list[tuple[bytes, bytes]]:
    """Return the headers without those that the front handles instead of connectrpc: compression, deadlines."""
    return [pair for pair in headers if pair[0] not in _OURS]
