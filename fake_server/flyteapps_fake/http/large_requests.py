"""Work on large requests, one after the other, with turns of the loop in between: other calls don't wait for many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from flyteapps_fake.core.errors import Code, RpcError

T = TypeVar("T")

LARGE_BYTES = 4 * 1024
"""Bytes of a request that takes its turn; the work on a smaller one is over before others notice."""
PAUSE_SECONDS = 0.005
"""How long the next one waits after work that took longer than that: others need several turns of the loop."""
MAX_WAITING_BYTES = 128 * 1024 * 1024
"""Bytes of requests that wait, all together."""


class Lane:
    """The large requests of one server. Between `enter` and `leave` is one of them."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._since = 0.0

    async def enter(self, size: int) -> None:
        """Wait for the turn of a request of that many bytes; RESOURCE_EXHAUSTED where too many of them wait."""
        if self._waiting + size > MAX_WAITING_BYTES and self._lock.locked():
            raise RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"{self._waiting:,} bytes of requests wait, as many as this server takes at once: try again",
            )
        self._waiting += size
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= size
        self._since = time.perf_counter()

    async def beside(self, size: int, work: Callable[[], T]) -> T:
        """Do the work on that many bytes: at once where they are few, else beside the loop when its turn comes."""
        if size <= LARGE_BYTES:
            return work()
        await self.enter(size)
        try:
            return await asyncio.to_thread(work)
        finally:
            self.leave()

    def leave(self) -> None:
        """Let the next one go on, soon."""
        if time.perf_counter() - self._since < PAUSE_SECONDS:
            self._lock.release()
        else:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._lock.release)
