"""Work on large requests, one after the other, with turns of the loop in between, so that other calls don't wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from flyteapps_fake.core.errors import Code, RpcError

T = TypeVar("T")

LARGE_BYTES = 4 * 1024
"""Bytes from which a request waits for its turn; the work on a smaller one delays no other noticeably."""
PAUSE_SECONDS = 0.005
"""Pause after work that took longer than that: other calls need several turns of the loop."""
MAX_WAITING_BYTES = 128 * 1024 * 1024
"""Bound of the bytes of all waiting requests."""


class LargeRequests:
    """The turns of large requests on one server: between `acquire` and `release` there is one at a time."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._since = 0.0

    async def acquire(self, size: int) -> None:
        """Wait for the turn of a request of that many bytes. Raises RESOURCE_EXHAUSTED where too many bytes wait."""
        if self._waiting and self._waiting + size > MAX_WAITING_BYTES:  # the lock may be free for a moment
            raise RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"{self._waiting:,} bytes of requests wait, as many as this server accepts at once: try again",
            )
        self._waiting += size
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= size
        self._since = time.perf_counter()

    async def run(self, size: int, work: Callable[[], T]) -> T:
        """Return the result of work on that many bytes: at once if they are few, else in a worker thread in turn."""
        if size <= LARGE_BYTES:
            return work()
        await self.acquire(size)
        try:
            return await asyncio.to_thread(work)
        finally:
            self.release()

    def release(self) -> None:
        """Let the next request proceed, after a pause where the work took long."""
        if time.perf_counter() - self._since < PAUSE_SECONDS:
            self._lock.release()
        else:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._lock.release)
