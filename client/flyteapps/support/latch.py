"""Latch: an event that happens once, for threads and event loops alike, without a thread or loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from flyteapps.support.clock import monotonic

SLICE_SECONDS = 0.1
"""Maximum length of one blocking wait: a signal in the instant before it is noticed after it."""


class Latch:
    """An event that is not set at first. Threads wait by `wait`, tasks of any loop by `async_wait`.

    `by_loop`: whether a task of the loop that runs now, if any, sets it.
    """

    def __init__(self, *, by_loop: bool = True) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._loop = running_loop() if by_loop else None

    def set(self) -> None:
        """End all waits, from any thread; setting it again does nothing."""
        with self._lock:
            self._event.set()
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                future.get_loop().call_soon_threadsafe(_end, future)

    def wait(self, timeout: float) -> bool:
        """Block until it is set; return False if it isn't in time, and at once where waiting could not end.

        A thread whose event loop has to set it must not block: that loop runs no task meanwhile.
        """
        if not self._event.is_set() and self._loop is not None and running_loop() is self._loop:
            return False
        until = monotonic() + timeout
        while not self._event.wait(max(0.0, min(until - monotonic(), SLICE_SECONDS))):
            if monotonic() >= until:
                return False
        return True

    async def async_wait(self, timeout: float) -> bool:
        """Await it; return False if it isn't set in time."""
        with self._lock:
            if self._event.is_set():
                return True
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        return True


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, None for none."""
    return asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  # documented, and without an exception


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
