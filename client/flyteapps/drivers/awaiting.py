"""The awaiting driver: runs flows in the running event loop, without a thread or a loop of its own.

Cancellation is never thrown into a flow: it passes through the driver, which closes the streams that the flow had
open.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Generator
from typing import Any, Generic, NoReturn, Self, TypeVar

from flyteapps.drivers.translation import Translate, raise_translated
from flyteapps.flows.operations import (
    Close,
    CredentialsExpired,
    Emit,
    Flow,
    ItemFlow,
    Next,
    Now,
    Open,
    Perform,
    Quiet,
    Sleep,
    Unary,
)
from flyteapps.support.clock import monotonic
from flyteapps.support.secret import forget_locals
from flyteapps.support.tracebacks import hidden_in_tests
from flyteapps.transports.transport import AsyncStream, Transport

__tracebackhide__ = hidden_in_tests

T = TypeVar("T")


class AwaitingDriver:
    """A driver that awaits each operation over a transport."""

    def __init__(self, transport: Transport, translate: Translate) -> None:
        self._transport = transport
        self._translate = translate

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end, and return its result or raise its error."""
        run = _Run(self._transport, self._translate)
        try:
            operation = next(flow)
            while True:
                try:
                    result = await run.perform(operation)
                except Exception as error:
                    operation = flow.throw(error)
                else:
                    operation = flow.send(result)
        except StopIteration as stop:
            return stop.value
        except BaseException:
            flow.close()  # after an interruption: others may wait for what this flow has begun
            raise
        finally:
            if run.streams:
                await run.close()

    def iterate(self, flow: ItemFlow[T]) -> AsyncItems[T]:
        """Return an iterator over the items of a flow, run as they are consumed."""
        return AsyncItems(flow, _Run(self._transport, self._translate))


class _Run:
    """One run of a flow: its open streams, each with the operation that opened it."""

    __slots__ = ("streams", "translate", "transport")

    def __init__(self, transport: Transport, translate: Translate) -> None:
        self.transport = transport
        self.translate = translate
        self.streams: dict[AsyncStream[Any], Open] = {}

    async def perform(self, operation: object) -> Any:
        if type(operation) is Unary:
            started, outer = monotonic(), sys.exception()
            if started >= operation.valid_until:
                raise CredentialsExpired
            try:
                return await self.transport.async_unary(
                    operation.method, operation.request, operation.timeout, operation.headers
                )
            except BaseException as error:
                raise_translated(self.translate, error, operation, outer, monotonic() - started)
        if type(operation) is Now:
            return monotonic()
        if type(operation) is Next:
            return await self._next(operation)
        if type(operation) is Sleep:
            return await asyncio.sleep(operation.seconds)
        if type(operation) is Open:
            outer = sys.exception()
            try:
                stream = self.transport.async_stream(operation.method, operation.request, None, operation.headers)
            except BaseException as error:
                raise_translated(self.translate, error, operation, outer)
            self.streams[stream] = operation
            return stream
        if type(operation) is Close:
            self.streams.pop(operation.stream, None)
            return await operation.stream.aclose()
        if type(operation) is Perform:
            outer = sys.exception()
            try:
                return await operation.awaiting()
            except BaseException as error:
                forget_locals(error, outer)
                raise
        raise TypeError(f"not an operation: {operation!r}")

    async def _next(self, operation: Next) -> Any:
        opened, outer = self.streams[operation.stream], sys.exception()
        try:
            return await operation.stream.receive(operation.timeout)
        except TimeoutError:
            return Quiet.SILENCE
        except EOFError:
            return Quiet.END
        except BaseException as error:
            raise_translated(self.translate, error, opened, outer)

    async def close(self) -> None:
        while self.streams:
            await self.streams.popitem()[0].aclose()


class AsyncItems(AsyncIterator[T], Generic[T]):
    """The items of a flow, one by one; lazily, so that only what is consumed is fetched.

    Closed at its end, by `aclose()`, or as an async context manager; its streams are then closed. `token` as in Items.
    """

    def __init__(self, flow: Generator[Any, Any, None], run: _Run) -> None:
        self._flow: Generator[Any, Any, None] | None = flow
        self._run = run
        self._loop: asyncio.AbstractEventLoop | None = None
        self.token = ""

    async def __anext__(self) -> T:
        flow = self._flow
        if flow is None:
            raise StopAsyncIteration
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        try:
            operation = next(flow)
            while type(operation) is not Emit:
                try:
                    result = await self._run.perform(operation)
                except Exception as error:
                    if self._flow is None:
                        await self._closed_meanwhile()
                    operation = flow.throw(error)
                else:
                    if self._flow is None:
                        await self._closed_meanwhile()
                    operation = flow.send(result)
        except StopIteration:
            await self.aclose()
            raise StopAsyncIteration from None
        except BaseException:
            await self.aclose()
            raise
        self.token = operation.token
        return operation.item  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Emit of this flow

    async def _closed_meanwhile(self) -> NoReturn:
        """End `anext`, whose iteration another task has closed."""
        await self._run.close()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration, also one that waits in another task; closing again does nothing."""
        flow, self._flow = self._flow, None
        if flow is not None:
            await self._run.close()
            flow.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        """Close the streams after a `break`, in the event loop, as asyncio does for generators."""
        if self._flow is not None and self._run.streams and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_close_later, self._loop, self._run)


_closing: set[asyncio.Task[None]] = set()


def _close_later(loop: asyncio.AbstractEventLoop, run: _Run) -> None:
    task = loop.create_task(run.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
