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
    """The requests of one server that are arriving.

    `arriving`: when they began (perf_counter), their content type and their send,
    by any key that is theirs alone. Whoever reads a request puts it in, and takes it
    out once it is there; one that is no longer there was refused meanwhile, and must
    not be answered again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.arriving: dict[int, tuple[float, bytes, Send]] = {}
        self._refusals: set[asyncio.Task[None]] = set()

    def sweep(self) -> None:
        """Refuses those that are late."""
        now = time.perf_counter()
        late = [key for key, (since, _, _) in self.arriving.items() if now - since > self._seconds]
        for key in late:
            _, content_type, send = self.arriving.pop(key)
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
