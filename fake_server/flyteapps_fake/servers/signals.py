"""Ctrl-C, SIGTERM and the end of the terminal as an event of the running loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Generator


def stop_requested() -> asyncio.Event:
    """Return an event that is set at a signal to stop, from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _stopping():
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda _number, _frame: stop.set())
    return stop


@contextlib.contextmanager
def stopping_blocked() -> Generator[None]:
    """Block these signals in this thread, and permanently in the processes that are started meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _stopping())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stopping() -> list[signal.Signals]:
    found = [signal.SIGINT, signal.SIGTERM]
    # under nohup it is ignored, and must stay so
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found
