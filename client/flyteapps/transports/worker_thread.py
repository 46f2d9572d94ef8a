"""A blocking call that can't be interrupted, made interruptible: in the main thread it runs on another one.

For pyqwest's HTTP/2, which waits where no signal reaches it. The thread is kept for the next call; one whose caller was
interrupted is given up, and ends with its call, by the call's timeout at the latest.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flyteapps.support.clock import monotonic
from flyteapps.transports.transport import SLICE

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""How long a call may outlast its timeout before it is given up."""


class Hop:
    """Runs calls, one at a time from the main thread; those of other threads, which no Ctrl-C reaches, run in place."""

    def __init__(self) -> None:
        self._kept: list[_Worker] = []
        weakref.finalize(self, _end_all, self._kept)  # a client that nobody closed leaves no thread either

    def run(self, call: Callable[[], T], timeout: float | None = None) -> T:
        """Gives what the call gives, and raises what it raises; TimeoutError where it ends long after the timeout."""
        if threading.current_thread() is not threading.main_thread():  # asked each time: a fork can change it
            return call()
        worker = self._kept.pop() if self._kept else _Worker()
        try:
            result, error = worker.run(call, timeout)
        except BaseException:  # Ctrl-C, or a call that doesn't end: the worker is left to itself
            worker.end()
            raise
        self._kept.append(worker)
        if error is not None:
            raise error
        return cast("T", result)

    def forked(self) -> None:
        """Forget the thread that was kept: a child process doesn't have it."""
        self._kept.clear()

    def close(self) -> None:
        """Ends the thread that was kept."""
        while self._kept:
            worker = self._kept.pop()
            worker.end()
            worker.join()


def _end_all(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().end()


class _Worker:
    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="flyteapps call", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                result = (call(), None)
            except BaseException as error:
                result = (None, error)
            self._results.put(result)
            del call, result  # nothing of a call outlives it

    def run(self, call: Callable[[], Any], timeout: float | None) -> tuple[Any, BaseException | None]:
        until = None if timeout is None else monotonic() + timeout + GRACE_SECONDS
        self._calls.put(call)
        while True:
            try:
                return self._results.get(timeout=SLICE)
            except queue.Empty:  # in slices, so that a signal that came just before the wait is noticed
                if until is not None and monotonic() > until:
                    raise TimeoutError(f"the call did not end by itself within {timeout:g} s") from None

    def end(self) -> None:
        self._calls.put(None)

    def join(self) -> None:
        self._thread.join(1.0)
