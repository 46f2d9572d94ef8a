"""The blocking driver: runs flows in the calling thread, without an event loop or a thread of its own.

Ctrl-C is never thrown into a flow: it passes through the driver, which closes the streams that the flow had open.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Generator, Iterator
from typing import Any, Generic, Self, TypeVar

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
from flyteapps.transports.transport import SLICE_SECONDS, Stream, Transport

__tracebackhide__ = hidden_in_tests

T = TypeVar("T")


class BlockingDriver:
    """A driver that blocks for each operation over a transport."""

    def __init__(self, transport: Transport, translate: Translate) -> None:
        self._transport = transport
        self._translate = translate

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end, and return its result or raise its error."""
        run = _Run(self._transport, self._translate)
        try:
            operation = next(flow)
            while True:
                try:
                    result = run.perform(operation)
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
                run.close()

    def iterate(self, flow: ItemFlow[T]) -> Items[T]:
        """Return an iterator over the items of a flow, run as they are consumed."""
        return Items(flow, _Run(self._transport, self._translate))


class _Run:
    """One run of a flow: its open streams, each with the operation that opened it."""

    __slots__ = ("streams", "translate", "transport")

    def __init__(self, transport: Transport, translate: Translate) -> None:
        self.transport = transport
        self.translate = translate
        self.streams: dict[Stream[Any], Open] = {}

    def perform(self, operation: object) -> Any:
        if type(operation) is Unary:
            started, outer = monotonic(), sys.exception()
            if started >= operation.valid_until:
                raise CredentialsExpired
            try:
                return self.transport.unary(operation.method, operation.request, operation.timeout, operation.headers)
            except BaseException as error:
                raise_translated(self.translate, error, operation, outer, monotonic() - started)
        if type(operation) is Now:
            return monotonic()
        if type(operation) is Next:
            return self._next(operation)
        if type(operation) is Sleep:
            until = monotonic() + operation.seconds
            while (left := until - monotonic()) > 0:
                time.sleep(min(left, SLICE_SECONDS))
            return None
        if type(operation) is Open:
            outer = sys.exception()
            try:
                stream = self.transport.stream(operation.method, operation.request, None, operation.headers)
            except BaseException as error:
                raise_translated(self.translate, error, operation, outer)
            self.streams[stream] = operation
            return stream
        if type(operation) is Close:
            self.streams.pop(operation.stream, None)
            return operation.stream.close()
        if type(operation) is Perform:
            outer = sys.exception()
            try:
                return operation.blocking()
            except BaseException as error:
                forget_locals(error, outer)
                raise
        raise TypeError(f"not an operation: {operation!r}")

    def _next(self, operation: Next) -> Any:
        opened, outer = self.streams[operation.stream], sys.exception()
        until = math.inf if operation.timeout is None else monotonic() + operation.timeout
        while True:
            left = until - monotonic()
            try:
                return operation.stream.receive(max(0.0, min(left, SLICE_SECONDS)))
            except TimeoutError:
                if left <= SLICE_SECONDS:
                    return Quiet.SILENCE
            except EOFError:
                return Quiet.END
            except BaseException as error:
                raise_translated(self.translate, error, opened, outer)

    def close(self) -> None:
        while self.streams:
            self.streams.popitem()[0].close()


class Items(Iterator[T], Generic[T]):
    """The items of a flow, one by one; lazily, so that only what is consumed is fetched.

    Closed at its end, by `close()`, or as a context manager; its streams are then closed.
    """

    def __init__(self, flow: Generator[Any, Any, None], run: _Run) -> None:
        self._flow: Generator[Any, Any, None] | None = flow
        self._run = run
        self._answer: Any = None
        self.token = ""

    #: The token with which another iteration continues (`listall(token=...)`): after the last item of a page that of
    #: the next page, before it that of the page itself. "" at the start, and where an iteration can't be resumed.
    token: str

    def __next__(self) -> T:
        flow = self._flow
        if flow is None:
            raise StopIteration
        try:
            operation = next(flow)
            while type(operation) is not Emit:
                try:
                    result = self._run.perform(operation)
                except Exception as error:
                    self._still_open()
                    operation = flow.throw(error)
                else:
                    self._still_open()
                    operation = flow.send(result)
        except BaseException:
            self.close()
            raise
        self.token = operation.token
        return operation.item  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Emit of this flow

    def _still_open(self) -> None:
        """End `next` if another thread closed the iteration meanwhile."""
        if self._flow is None:
            self._run.close()
            raise StopIteration

    def close(self) -> None:
        """End the iteration, also one that waits in another thread; closing again does nothing."""
        flow, self._flow = self._flow, None
        if flow is not None:
            self._run.close()
            try:  # noqa: SIM105  # at the interpreter's end contextlib is gone before this is
                flow.close()
            except ValueError:  # it is running, in another thread that ends it
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
