"""Ctrl-C during work that must not be left half done: it is held back until the plane is consistent.

Python raises KeyboardInterrupt between any two of its instructions, so in the middle of a commit, too. Only the main
thread of a process gets it; elsewhere there is nothing to hold back.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


def _nothing() -> None:
    pass


@contextmanager
def held_back() -> Generator[Callable[[], None]]:
    """Hold Ctrl-C back inside the block, which calls the yielded function where it may be interrupted.

    The handler that was set before then gets the signal: Python's own raises KeyboardInterrupt. A signal of the last
    part is delivered when the block ends.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield _nothing
        return
    frames: list[FrameType | None] = []

    def deliver() -> None:
        if frames:
            frame = frames[0]
            frames.clear()
            handler(signal.SIGINT, frame)

    signal.signal(signal.SIGINT, lambda _, frame: frames.append(frame))
    try:
        yield deliver
    finally:
        signal.signal(signal.SIGINT, handler)
        deliver()
