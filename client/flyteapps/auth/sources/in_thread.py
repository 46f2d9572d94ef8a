"""Blocking functions of other packages, each run in a thread of its own, so that no call waits beyond its time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from flyteapps.flows.operations import Perform
from flyteapps.support.latch import Latch


def in_thread(function: Callable[[], Any], timeout: float) -> Perform:
    """Return an operation that results in the function's result, or raises its error, or TimeoutError.

    A function that doesn't return in time is left alone; its thread ends with it, or with the process.
    """
    latch = Latch(by_loop=False)
    found: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(function())
        except BaseException as error:
            errors.append(error)
        latch.set()

    def start() -> None:
        threading.Thread(target=run, name="flyteapps credentials", daemon=True).start()

    def ended(in_time: bool) -> Any:
        if not in_time:
            raise TimeoutError
        if errors:
            raise errors.pop()
        return found.pop()

    def blocking() -> Any:
        start()
        return ended(latch.wait(timeout))

    async def awaiting() -> Any:
        start()
        return ended(await latch.async_wait(timeout))

    return Perform(blocking, awaiting)
