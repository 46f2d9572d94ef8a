"""Reading an async stream with a deadline: one pending task, as cancelling the wait for a message ends the stream."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from flyteapps.transports.inbox import InboxStream


class TaskStream:
    """An AsyncStream over an async iterator of messages."""

    def __init__(self, messages: Callable[[], AsyncIterator[Any]]) -> None:
        self._make = messages
        self._messages: AsyncIterator[Any] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._end: BaseException | None = None

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        if self._end is not None:
            raise self._end
        if self._messages is None:
            self._messages = self._make()
        task = self._task = self._task or asyncio.ensure_future(_next(self._messages))
        done, _ = await asyncio.wait({task}, timeout=timeout)
        if not done:
            raise TimeoutError(f"no message within {timeout} s")
        self._task = None
        try:
            return task.result()
        except BaseException as error:
            self._end = error
            raise

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        self._end = self._end or EOFError("the stream was closed")
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # looked at, so that nobody warns
        messages: Any = self._messages
        if hasattr(messages, "aclose"):
            with contextlib.suppress(Exception):
                await messages.aclose()


async def _next(messages: AsyncIterator[Any]) -> Any:
    try:
        return await anext(messages)
    except StopAsyncIteration:
        raise EOFError("the stream ended") from None


def in_own_loop(make: Callable[[], TaskStream]) -> InboxStream:
    """An async stream read by blocking: its reader thread runs a loop for this one stream, which ends with it.

    For what can't be severed otherwise: a blocking HTTP/2 stream before its headers.
    """
    stopping = _Stop()

    def messages() -> Iterator[Any]:
        with asyncio.Runner() as runner:
            stream = make()
            try:
                while True:
                    try:
                        message = runner.run(stopping.unless_stopped(stream.receive()))
                    except EOFError:
                        return
                    yield message
            finally:
                runner.run(stream.aclose())

    return InboxStream(messages, stopping.stop)


class _Stop:
    """Cancels, from another thread, what a loop is awaiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    async def unless_stopped(self, awaited: Any) -> Any:
        task = asyncio.ensure_future(awaited)
        with self._lock:
            if self._stopped:
                task.cancel()
            self._running = asyncio.get_running_loop(), task
        try:
            return await task
        except asyncio.CancelledError:
            raise EOFError("the stream was closed") from None
        finally:
            with self._lock:
                self._running = None

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._running is not None:
                loop, task = self._running
                loop.call_soon_threadsafe(task.cancel)
