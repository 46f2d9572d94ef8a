"""TaskStream: an async stream read with deadlines, by one pending task.

A task, as cancelling the wait for a message would end the stream. From the first receive to the end it is pending: an
event loop that ends cancels it, and so the stream. A generator without a task would be closed by `shutdown_asyncgens`,
which closes nested generators all at once, and fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from connectrpc.errors import ConnectError

from flyteapps.transports.queue_stream import QueueStream


class TaskStream:
    """An AsyncStream over an async iterator of messages.

    `ending_seconds`: how long the end of an event loop is delayed, for a library that reports the end of a call to
    the loop a moment later.
    """

    def __init__(self, messages: Callable[[], AsyncIterator[Any]], ending_seconds: float = 0.0) -> None:
        self._make = messages
        self._ending_seconds = ending_seconds
        self._messages: AsyncIterator[Any] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._end: BaseException | None = None

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        if self._end is not None:
            raise self._end
        if self._messages is None:
            self._messages = self._make()
        task = self._task = self._task or self._start(self._messages)
        done, _ = await asyncio.wait({task}, timeout=timeout)
        if self._end is not None:  # closed by another task meanwhile
            raise self._end
        if not done:
            raise TimeoutError(f"no message within {timeout} s")
        self._task = None
        try:
            message = task.result()
        except BaseException as error:
            self._end = error
            raise
        self._task = self._start(self._messages)
        return message

    def _start(self, messages: AsyncIterator[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(self._next(messages))
        task.add_done_callback(_retrieve)
        return task

    async def _next(self, messages: AsyncIterator[Any]) -> Any:
        try:
            return await anext(messages)
        except StopAsyncIteration:
            raise EOFError("the stream ended") from None
        except ConnectError as error:
            if (cancelled := cancellation_of(error)) is not None:
                raise cancelled from None  # else asyncio.run, which cancels it at its end, logs an exception
            raise
        except asyncio.CancelledError:
            if self._end is None:  # not by `aclose`: the event loop ends
                await asyncio.sleep(self._ending_seconds)
            raise

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        self._end = self._end or EOFError("the stream was closed")
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        messages: Any = self._messages
        if hasattr(messages, "aclose"):
            with contextlib.suppress(Exception):
                await messages.aclose()
        current = asyncio.current_task()
        if task is not None and self._ending_seconds and current is not None and current.cancelling():
            await asyncio.sleep(self._ending_seconds)  # cancelled, maybe since the event loop ends


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Retrieve the error, so that asyncio doesn't log one that no caller awaits."""
    if not task.cancelled():
        task.exception()


def cancellation_of(error: ConnectError) -> asyncio.CancelledError | None:
    """Return the cancellation behind a ConnectError, None if it has another cause."""
    cause = error.__cause__
    return cause if isinstance(cause, asyncio.CancelledError) else None


def in_own_loop(make: Callable[[], TaskStream]) -> QueueStream:
    """Return a blocking stream over an async one: its reader thread runs an event loop for it alone.

    For streams that can't be severed otherwise: a blocking HTTP/2 stream before its headers.
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

    return QueueStream(messages, stopping.stop)


class _Stop:
    """A switch that cancels, from another thread, the await of an event loop."""

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
