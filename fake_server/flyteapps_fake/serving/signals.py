"""Ctrl-C and SIGTERM as an event of the running loop."""

from __future__ import annotations

import asyncio
import signal


def stop_requested() -> asyncio.Event:
    """Set when the process is asked to stop, from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda _number, _frame: stop.set())
    return stop
