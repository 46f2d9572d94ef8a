"""The wait of a delayed call: the pauses of its transport, which sleeps in its own way."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.errors import Code, RpcError

MAX_PAUSE_SECONDS = 0.1
"""Real seconds until a wait is noticed to be void, at most."""
POLL_SECONDS = 0.01
"""Real seconds between two looks at a clock that is moved by hand."""


def pauses(postponed: Postponed, deadline: float | None, until: float | None = None) -> Iterator[float]:
    """Yield the real seconds to sleep, one pause after the other, until the call may go on.

    `deadline`: of the call, in seconds of `time.monotonic()`. Raises RpcError, DEADLINE_EXCEEDED, once it has passed,
    and TimeoutError once `until` has, which doesn't end the call. Abandons the call where the iteration ends otherwise.
    """
    if postponed.real_until is None:
        postponed.real_until = time.monotonic() + postponed.real_seconds
    over = False
    try:
        while True:
            now = time.monotonic()
            left: float | None = postponed.real_until - now
            if postponed.is_void():
                over = True
                return
            if left <= 0:
                left = postponed.left()
                if left == 0:
                    over = True
                    return
            if deadline is not None and now >= deadline:
                raise RpcError(Code.DEADLINE_EXCEEDED, f"the deadline passed while {postponed.purpose}")
            if until is not None and now >= until:
                over = True
                raise TimeoutError("the stream was not opened in time, by a fault")
            ends = [each - now for each in (deadline, until) if each is not None]
            yield min([POLL_SECONDS if left is None else left, MAX_PAUSE_SECONDS, *ends])
    finally:
        if not over:
            postponed.abandon()


def sleep(postponed: Postponed, seconds: float) -> None:
    """Let the thread sleep until a wait may be over, at most so many seconds."""
    if postponed.wake_by is None:
        time.sleep(seconds)
        return
    woken = threading.Lock()
    woken.acquire()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the second time
            woken.release()

    postponed.wake_by(wake)
    woken.acquire(timeout=seconds)
