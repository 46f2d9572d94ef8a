"""Forks of the process: a child gets planes that no thread is changing, and locks that are free.

A thread of the parent that holds a plane's lock isn't there in the child, where the lock would be held for good. So a
fork waits until it has all of them, and both sides let go of them afterwards.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

PATIENCE_SECONDS = 5.0
"""The time that a fork waits for one lock; then it goes on without it."""


class Locked(Protocol):
    """An object with a lock that a fork must wait for."""

    lock: threading.RLock  # type: ignore[valid-type]  # a factory in the stubs


_turn = threading.Lock()
_all: weakref.WeakSet[Locked] = weakref.WeakSet()
_held: list[threading.RLock] = []  # type: ignore[valid-type]


def register(owner: Locked) -> None:
    """Let forks wait for the owner's lock, as long as the owner exists."""
    _all.add(owner)


def _before() -> None:
    _turn.acquire()
    for owner in list(_all):
        if owner.lock.acquire(timeout=PATIENCE_SECONDS):
            _held.append(owner.lock)


def _after() -> None:
    while _held:
        _held.pop().release()
    _turn.release()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
