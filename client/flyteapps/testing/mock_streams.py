"""The streams of MockTransport."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

from flyteapps.testing.calls import SILENCE
from flyteapps.transports.task_stream import TaskStream


class MockStream:
    """A stream of the items of an iterable, read by blocking. Each is made when it is received."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self._end: BaseException | None = None
        self.silent = False
        self._closed = threading.Event()

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        message = self.take()
        if message is None:
            self._closed.wait(timeout)
            raise self._end or TimeoutError("the stream is silent")
        return message

    def take(self) -> Any:
        """Return the next message, None if the stream is silent. Raises its end."""
        if self._end is not None:
            raise self._end
        if self.silent:
            return None
        try:
            item = next(self._items)
        except StopIteration:
            self._end = EOFError("the stream ended")
            raise self._end from None
        except BaseException as error:
            self._end = error
            raise
        if item is SILENCE:
            self.silent = True
            return None
        if isinstance(item, BaseException):
            self._end = item
            raise item
        return item

    def close(self) -> None:
        """See Stream.close."""
        self._end = self._end or EOFError("the stream was closed")
        self._closed.set()
        close: Any = getattr(self._items, "close", None)
        if close is not None:
            with contextlib.suppress(ValueError):  # a generator that runs, in another thread
                close()


class AsyncMockStream:
    """The same, read by awaiting."""

    def __init__(self, inner: MockStream) -> None:
        self._inner = inner
        self._closed = asyncio.Event()

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        await asyncio.sleep(0)
        if (message := self._inner.take()) is not None:
            return message
        try:
            async with asyncio.timeout(timeout):
                await self._closed.wait()
        except TimeoutError:
            raise TimeoutError("the stream is silent") from None
        return self._inner.take()  # which raises its end

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        self._inner.close()
        self._closed.set()


def task_stream(items: AsyncIterable[Any]) -> TaskStream:
    """Return a stream of the items of an async iterable, which is one message ahead of its reader."""

    async def messages() -> AsyncIterator[Any]:
        async for item in items:
            if item is SILENCE:
                await asyncio.get_running_loop().create_future()
            if isinstance(item, BaseException):
                raise item
            yield item

    return TaskStream(messages)
