"""Requests whose body is still on its way: one that takes too long is refused, whatever its server waits for.

The handler that waits in receive() is left there: pyvoy must never see a pending receive() cancelled. It finds out,
once the server has closed the stream, that its call has been answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.transports.wire import Receive, Scope, Send, read_body, refuse

T = TypeVar("T")


class Unanswerable(Exception):  # noqa: N818  # reads as what the call is
    """A call that must not be answered any more; `code` is what it ended with."""

    def __init__(self, code: Code) -> None:
        self.code = code


class Arrivals:
    """The requests of one server that are arriving."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._arriving: dict[int, tuple[float, bytes, Send]] = {}
        """When they began (perf_counter), their content type and their send, by the id of their scope."""
        self._refusals: set[asyncio.Task[None]] = set()

    async def read(self, scope: Scope, content_type: bytes, send: Send, reading: Awaitable[T]) -> T:
        """What `reading` gives. Raises Unanswerable where the request was late, and so has been refused."""
        key = id(scope)
        self._arriving[key] = (time.perf_counter(), content_type, send)
        try:
            found = await reading
        except Exception:
            if self._arriving.pop(key, None) is None:
                raise Unanswerable(Code.DEADLINE_EXCEEDED) from None
            raise
        except BaseException:
            self._arriving.pop(key, None)
            raise
        if self._arriving.pop(key, None) is None:
            raise Unanswerable(Code.DEADLINE_EXCEEDED)
        return found

    async def body(self, scope: Scope, content_type: bytes, send: Send, receive: Receive) -> bytes:
        """The whole body. Raises Unanswerable, also where the client left too early; RpcError where it is too large."""
        body = await self.read(scope, content_type, send, read_body(receive, self._most_bytes))
        if body is None:
            raise Unanswerable(Code.CANCELED)
        return body

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
