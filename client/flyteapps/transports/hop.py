"""A blocking call that can't be interrupted, made interruptible: in the main thread it runs on another one.

For pyqwest's HTTP/2, which waits where no signal reaches it. The thread is kept for the next call; one whose caller was
interrupted is given up, and ends with its call, by the call's timeout at the latest.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flyteapps.transports.transport import SLICE

T = TypeVar("T")

_MAIN = threading.main_thread()


class Hop:
    """Runs calls, one at a time from the main thread; those of other threads, which no Ctrl-C reaches, run in place."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None

    def run(self, call: Callable[[], T]) -> T:
        """Gives what the call gives, and raises what it raises."""
        if threading.current_thread() is not _MAIN:
            return call()
        worker, self._worker = self._worker or _Worker(), None
        try:
            result, error = worker.run(call)
        except BaseException:  # Ctrl-C: the worker is left to itself
            worker.end()
            raise
        self._worker = worker
        if error is not None:
            raise error
        return cast("T", result)

    def close(self) -> None:
        """Ends the thread that was kept."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()
            worker.join()


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

    def run(self, call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        self._calls.put(call)
        while True:
            try:
                return self._results.get(timeout=SLICE)
            except queue.Empty:
                continue  # so that a signal that came just before the wait is noticed

    def end(self) -> None:
        self._calls.put(None)

    def join(self) -> None:
        self._thread.join(1.0)
