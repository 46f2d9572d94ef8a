"""Requests whose body is still on its way: every one has the same clock and the same limits, whatever becomes of it.

One that takes too long is refused, whatever its server waits for. The handler that waits in receive() is left there:
pyvoy must never see a pending receive() cancelled. It finds out by the next chunk, or once the server has closed the
stream, that its call has been answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, Event, Receive, Scope, Send, discard, refuse

T = TypeVar("T")

MAX_HELD_BYTES = 128 * 1024 * 1024
"""Bytes of bodies that are arriving, all together; then those of more than SMALL_BYTES are refused."""
SMALL_BYTES = 64 * 1024


class Unanswerable(Exception):  # noqa: N818  # reads as what the call is
    """A call that must not be answered any more; `code` is what it ended with."""

    def __init__(self, code: Code) -> None:
        self.code = code


class Arrivals:
    """The requests of one server that are arriving."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._held = 0
        """Bytes of bodies that came in parts and aren't whole."""
        self._arriving: dict[int, tuple[float, bytes, Send]] = {}
        """When they began (perf_counter), their content type and their send, by the id of their scope."""
        self._refusals: set[asyncio.Task[None]] = set()

    async def read(
        self,
        scope: Scope,
        content_type: bytes,
        send: Send,
        receive: Receive,
        reading: Callable[[Receive], Awaitable[T]],
    ) -> T:
        """Return what `reading` returns, which reads the body; raise Unanswerable where it was late, and so refused."""
        key = id(scope)
        self._begin(key, content_type, send)
        try:
            found = await reading(self._timed(key, receive))
            self._check(key)
            return found
        except Exception:
            self._check(key)  # a server's own error for what was refused meanwhile
            raise
        finally:
            self._arriving.pop(key, None)

    async def body(self, scope: Scope, content_type: bytes, send: Send, receive: Receive) -> bytes:
        """The whole body. Raises Unanswerable, also where the client left too early; RpcError where it is too large."""
        key = id(scope)
        self._begin(key, content_type, send)
        try:
            event = await receive()
            if event["type"] == "http.request" and not event.get("more_body", False):
                body: bytes = event.get("body", b"")
                if len(body) > self._most_bytes + FRAME_HEAD:
                    raise too_large(self._most_bytes)
            else:
                body = await self._parts(event, self._timed(key, receive))
            self._check(key)
            return body
        except Exception:
            self._check(key)
            raise
        finally:
            self._arriving.pop(key, None)

    async def skip(self, scope: Scope, content_type: bytes, send: Send, receive: Receive) -> None:
        """Read the body and keep nothing of it: an answer that overtakes its request would end the connection."""
        await self.read(scope, content_type, send, receive, discard)

    def _timed(self, key: int, receive: Receive) -> Receive:
        """A receive that raises Unanswerable once the request has been refused."""

        async def timed() -> Event:
            event = await receive()
            self._check(key)
            return event

        return timed

    async def _parts(self, event: Event, receive: Receive) -> bytes:
        """Collect a body that comes in parts, counted while it arrives."""
        body = bytearray()  # parts may be of one byte
        held = 0
        try:
            while True:
                if event["type"] != "http.request":
                    raise Unanswerable(Code.CANCELED)
                body += event.get("body", b"")
                self._held += len(body) - held
                held = len(body)
                more: bool = event.get("more_body", False)
                refusal = self._refusal(held)
                if refusal is not None:
                    body.clear()
                    if more:
                        await discard(receive)
                    raise refusal
                if not more:
                    return bytes(body)
                event = await receive()
        finally:
            self._held -= held

    def _refusal(self, size: int) -> RpcError | None:
        if size > self._most_bytes + FRAME_HEAD:
            return too_large(self._most_bytes)
        if size > SMALL_BYTES and self._held > MAX_HELD_BYTES:
            return RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"{MAX_HELD_BYTES:,} bytes of requests are arriving, as many as this server takes at once: try again",
            )
        return None

    def _begin(self, key: int, content_type: bytes, send: Send) -> None:
        self._arriving[key] = (time.perf_counter(), content_type, send)

    def _check(self, key: int) -> None:
        if key not in self._arriving:
            raise Unanswerable(Code.DEADLINE_EXCEEDED)

    def sweep(self) -> None:
        """Refuses those that are late."""
        now = time.perf_counter()
        late = [key for key, (since, _, _) in self._arriving.items() if now - since > self._seconds]
        for key in late:
            _, content_type, send = self._arriving.pop(key)
            refusal = RpcError(Code.DEADLINE_EXCEEDED, f"the request did not arrive within {self._seconds:g} seconds")
            task = asyncio.create_task(self._refuse(send, content_type.decode("latin-1"), refusal))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)

    @staticmethod
    async def _refuse(send: Send, content_type: str, refusal: RpcError) -> None:
        try:
            await refuse(send, content_type, refusal)
        except Exception:  # each server has its own error for a client that left
            return
