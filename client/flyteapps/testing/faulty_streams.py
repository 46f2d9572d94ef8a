"""The streams of FaultyTransport: opened at once or late, cut, stalled, with messages in another order."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.support.clock import monotonic
from flyteapps.testing.effects import Ending
from flyteapps.transports.transport import SLICE_SECONDS, AsyncStream, Stream
from flyteapps_control.fault_table import Rule
from flyteapps_control.stream_faults import StreamCut, StreamFaults

MAX_SLEEP_SECONDS = 3_600.0
"""The time of one wait for the end of a silence, at most; event loops take no infinite one."""

S = TypeVar("S", bound=Stream[Any] | AsyncStream[Any])


class _Faulty(Generic[S]):
    """The common part of both kinds of streams, without waits."""

    def __init__(self, opened: Callable[[], S], rules: Sequence[Rule], seconds: float, ending: Ending | None) -> None:
        self._open = opened
        self._ending = ending
        self._faults = StreamFaults[Any](rules, self._stall)
        self._silent_until = monotonic() + seconds
        self._inner: S | None = None
        self._end: Exception | None = None
        if seconds <= 0:
            self._begin()

    def _begin(self) -> None:
        """Open the other stream, as far as the fault allows it."""
        if self._inner is None and (self._ending is None or self._ending.applied):
            self._inner = self._open()

    def _stall(self, nanos: int) -> None:
        self._silent_until = monotonic() + nanos / 1e9

    def _next(self) -> tuple[Any, float]:
        """Return the next message, or None and the seconds to wait before the other stream is read.

        Raises EOFError and ConnectError at the end.
        """
        if self._end is not None:
            raise self._end
        if (left := self._silent_until - monotonic()) > 0:
            return None, left
        self._begin()
        if self._ending is not None:
            raise self._ending.error
        self._faults.resume()
        self._silent_until = math.inf  # for a stall that has no end
        try:
            message = self._faults.next()
        except StreamCut as cut:
            raise ConnectError(Code[cut.code], cut.message) from None
        if self._faults.stalled:
            return None, self._silent_until - monotonic()
        self._silent_until = 0.0
        return message, 0.0


class FaultyStream(_Faulty[Stream[Any]]):
    """A stream with faults, read by blocking."""

    def __init__(
        self, opened: Callable[[], Stream[Any]], rules: Sequence[Rule], seconds: float, ending: Ending | None
    ) -> None:
        super().__init__(opened, rules, seconds, ending)
        self._closed = threading.Event()

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        try:
            return self._receive(math.inf if timeout is None else monotonic() + timeout)
        except (EOFError, ConnectError) as error:
            self._end = self._end or error
            self._close()
            raise

    def _receive(self, until: float) -> Any:
        while True:
            message, seconds = self._next()
            if message is not None:
                return message
            left = until - monotonic()
            if seconds > 0:
                if left <= 0:
                    raise TimeoutError("no message came in time, by a fault")
                self._closed.wait(min(seconds, left, SLICE_SECONDS))
                continue
            assert self._inner is not None
            try:
                self._faults.offer(self._inner.receive(None if left == math.inf else max(0.0, left)))
            except (EOFError, ConnectError) as error:
                self._faults.end(error)

    def close(self) -> None:
        """See Stream.close."""
        self._end = self._end or EOFError("the stream was closed")
        self._close()
        self._closed.set()

    def _close(self) -> None:
        if self._inner is not None:
            self._inner.close()


class AsyncFaultyStream(_Faulty[AsyncStream[Any]]):
    """A stream with faults, read by awaiting."""

    def __init__(
        self, opened: Callable[[], AsyncStream[Any]], rules: Sequence[Rule], seconds: float, ending: Ending | None
    ) -> None:
        super().__init__(opened, rules, seconds, ending)
        self._closed = asyncio.Event()

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        try:
            return await self._receive(math.inf if timeout is None else monotonic() + timeout)
        except (EOFError, ConnectError) as error:
            self._end = self._end or error
            await self._close()
            raise

    async def _receive(self, until: float) -> Any:
        while True:
            message, seconds = self._next()
            if message is not None:
                return message
            left = until - monotonic()
            if seconds > 0:
                if left <= 0:
                    raise TimeoutError("no message came in time, by a fault")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(seconds, left, MAX_SLEEP_SECONDS)):
                        await self._closed.wait()
                continue
            assert self._inner is not None
            try:
                self._faults.offer(await self._inner.receive(None if left == math.inf else max(0.0, left)))
            except (EOFError, ConnectError) as error:
                self._faults.end(error)

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        self._end = self._end or EOFError("the stream was closed")
        self._closed.set()
        await self._close()

    async def _close(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()
