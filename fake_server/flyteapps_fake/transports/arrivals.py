"""Requests whose body is still on its way: one that takes too long is refused, whatever its server waits for.

The handler that waits in receive() is left there: pyvoy must never see a pending receive() cancelled. It finds out,
once the server has closed the stream, that its call has been answered.
"""

from __future__ import annotations

import asyncio
import time

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.transports.wire import Send, refuse


class Arrivals:
    """The requests of one server that are arriving, the oldest first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: dict[int, tuple[float, str, Send]] = {}
        self._refusals: set[asyncio.Task[None]] = set()

    def begin(self, key: int, content_type: str, send: Send) -> None:
        """A request under that key begins to arrive."""
        self._open[key] = (time.monotonic(), content_type, send)

    def end(self, key: int) -> bool:
        """It is there; False where it was refused meanwhile, and must not be answered again."""
        return self._open.pop(key, None) is not None

    def sweep(self) -> None:
        """Refuses those that are late."""
        now = time.monotonic()
        late = [key for key, (since, _, _) in self._open.items() if now - since > self._seconds]
        for key in late:
            _, content_type, send = self._open.pop(key)
            refusal = RpcError(Code.DEADLINE_EXCEEDED, f"the request did not arrive within {self._seconds:g} seconds")
            task = asyncio.create_task(self._refuse(send, content_type, refusal))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)

    @staticmethod
    async def _refuse(send: Send, content_type: str, refusal: RpcError) -> None:
        try:
            await refuse(send, content_type, refusal)
        except Exception:  # each server has its own error for a client that left
            return
