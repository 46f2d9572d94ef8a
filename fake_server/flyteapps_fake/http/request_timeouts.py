"""Requests whose body is arriving: each has the same timeout and the same limits, whichever handler reads it.

A request that takes too long is refused, whatever its server waits for. The handler that waits in receive() is left
there, because pyvoy must never see a pending receive() cancelled: it learns by the next chunk, or once the server has
closed the stream, that its call has been answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.protocol.requests import form_of
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, Event, Receive, discard, refuse

T = TypeVar("T")

MAX_HELD_BYTES = 128 * 1024 * 1024
"""Bound of all arriving bodies together; above it those of more than SMALL_BYTES are refused, and above twice as much
those of more than TINY_BYTES."""
SMALL_BYTES = 64 * 1024
TINY_BYTES = 4 * 1024


class CallAbandoned(Exception):  # noqa: N818  # reads as what happened
    """A call that must not be answered any more: refused already, or without a client. `code`: its outcome."""

    def __init__(self, code: Code) -> None:
        self.code = code


class RequestTimeouts:
    """The requests of one server whose body is arriving."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._held = 0
        """Bytes of incomplete bodies."""
        self._arriving: set[Exchange] = set()
        self._refusals: set[asyncio.Task[None]] = set()

    async def read(self, exchange: Exchange, reading: Callable[[Receive], Awaitable[T]]) -> T:
        """Return what `reading` returns, which reads the body. Raises CallAbandoned for a request refused as late."""
        self._arriving.add(exchange)
        try:
            found = await reading(self._timed(exchange))
            self._check(exchange)
            return found
        except Exception:
            self._check(exchange)  # a server's own error for a request refused meanwhile
            raise
        finally:
            self._arriving.discard(exchange)

    async def body(self, exchange: Exchange) -> bytes:
        """Return the whole body. Raises CallAbandoned, also for a client that left; RpcError for a large body."""
        self._arriving.add(exchange)
        try:
            event = await exchange.receive()
            body: bytes = event.get("body", b"")
            more: bool = event.get("more_body", False)
            crowded = more and len(body) > TINY_BYTES and self._held > 2 * MAX_HELD_BYTES
            if event["type"] != "http.request" or len(body) > SMALL_BYTES or crowded:
                body = b""  # `_parts` frees what it refuses
                body = await self._parts(event, self._timed(exchange))
            elif more:
                held = len(body)
                self._held += held
                try:
                    event = await exchange.receive()
                finally:
                    self._held -= held
                if event["type"] != "http.request" or event.get("body") or event.get("more_body", False):
                    begun, body = bytearray(body), b""
                    body = await self._parts(event, self._timed(exchange), begun)
            self._check(exchange)
            return body
        except Exception:
            self._check(exchange)
            raise
        finally:
            self._arriving.discard(exchange)

    async def skip(self, exchange: Exchange) -> None:
        """Read the body and drop it: an answer that overtakes its request would end the connection."""
        await self.read(exchange, discard)

    def _timed(self, exchange: Exchange) -> Receive:
        """Return a receive that raises CallAbandoned once the request has been refused."""

        async def timed() -> Event:
            event = await exchange.receive()
            self._check(exchange)
            return event

        return timed

    async def _parts(self, event: Event, receive: Receive, begun: bytearray | None = None) -> bytes:
        """Collect a body that arrives in parts, from `event` on; its bytes count as held meanwhile."""
        body = bytearray() if begun is None else begun  # parts may be of one byte
        held = 0
        try:
            while True:
                if event["type"] != "http.request":
                    raise CallAbandoned(Code.CANCELED)
                body += event.pop("body", b"")
                self._held += len(body) - held
                held = len(body)
                more: bool = event.get("more_body", False)
                refusal = self._refusal(held)
                if refusal is not None:
                    body.clear()
                    self._held -= held
                    held = 0
                    if more:
                        await discard(receive)
                    raise refusal
                if not more:
                    return bytes(body)
                event = await receive()
        finally:
            self._held -= held

    def _refusal(self, size: int) -> RpcError | None:
        if size > self._max_bytes + FRAME_HEAD:
            return too_large(self._max_bytes)
        if size > TINY_BYTES and self._held > (MAX_HELD_BYTES if size > SMALL_BYTES else 2 * MAX_HELD_BYTES):
            return RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"{MAX_HELD_BYTES:,} bytes of requests are arriving, as many as this server accepts at once: try again",
            )
        return None

    def _check(self, exchange: Exchange) -> None:
        if exchange not in self._arriving:
            raise CallAbandoned(Code.DEADLINE_EXCEEDED)

    def sweep(self) -> None:
        """Refuse the requests that are late."""
        now = time.perf_counter()
        for exchange in [each for each in self._arriving if now - each.started > self._seconds]:
            self._arriving.discard(exchange)
            refusal = RpcError(Code.DEADLINE_EXCEEDED, f"the request did not arrive within {self._seconds:g} seconds")
            task = asyncio.create_task(self._refuse(exchange, refusal))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)

    @staticmethod
    async def _refuse(exchange: Exchange, refusal: RpcError) -> None:
        try:
            await refuse(exchange.send, form_of(exchange.scope, exchange.headers), refusal)
        except Exception:  # each server has its own error for a client that left
            return
