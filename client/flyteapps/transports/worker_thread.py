"""WorkerThread: makes uninterruptible blocking calls interruptible, by running the main thread's on another one.

For pyqwest's HTTP/2, which waits where no signal reaches it. The thread is kept for the next call; after an
interruption it is abandoned, and ends with its call, by the call's timeout at the latest.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flyteapps.support.clock import monotonic
from flyteapps.transports.transport import SLICE_SECONDS

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""Time by which a call may exceed its timeout before it is abandoned."""


class WorkerThread:
    """A runner of calls: the main thread's run on a worker, other threads', which no Ctrl-C reaches, in place."""

    def __init__(self) -> None:
        self._kept: list[_Worker] = []
        weakref.finalize(self, _end_all, self._kept)  # a client that was not closed leaves no thread

    def run(self, call: Callable[[], T], timeout: float | None = None) -> T:
        """Run the call, and return its result or raise its error; TimeoutError if it exceeds its timeout by far."""
        if threading.current_thread() is not threading.main_thread():  # evaluated each time: a fork can change it
            return call()
        worker = self._kept.pop() if self._kept else _Worker()
        try:
            result, error = worker.run(call, timeout)
        except BaseException:  # Ctrl-C, or a call that doesn't end: the worker is abandoned
            worker.end()
            raise
        self._kept.append(worker)
        if error is not None:
            raise error
        return cast("T", result)

    def forked(self) -> None:
        """Forget the kept thread, which a child process doesn't have."""
        self._kept.clear()

    def close(self) -> None:
        """End the kept thread."""
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
            del call, result  # no object of a call outlives it

    def run(self, call: Callable[[], Any], timeout: float | None) -> tuple[Any, BaseException | None]:
        until = None if timeout is None else monotonic() + timeout + GRACE_SECONDS
        self._calls.put(call)
        while True:
            try:
                return self._results.get(timeout=SLICE_SECONDS)
            except queue.Empty:  # in slices, so that a signal just before the wait is noticed
                if until is not None and monotonic() > until:
                    raise TimeoutError(f"the call did not end by itself within {timeout:g} s") from None

    def end(self) -> None:
        self._calls.put(None)

    def join(self) -> None:
        self._thread.join(1.0)
