"""Forks of the process: a child gets planes that no thread is changing, and locks that are free.

A thread of the parent that holds a lock isn't there in the child, where the lock would be held for good. So a fork
waits until it has the locks of all planes, and both sides release them afterwards. Locks that no thread holds for long
are just free in the child, and objects that hold sockets, or readers of the parent, let go of them there.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Protocol

PATIENCE_SECONDS = 5.0
"""The time that a fork waits for the lock of one plane; then it goes on, and the lock is just free in the child."""


class Inherited(Protocol):
    """An object that holds what belongs to the threads of the process that made it."""

    def forked(self) -> None:
        """Let go of that, in a forked child; no lock is taken, and nothing reaches the parent."""
        ...


class Locked(Inherited, Protocol):
    """An object with a lock that a fork must wait for."""

    lock: threading.RLock  # type: ignore[valid-type]  # a factory in the stubs


_turn = threading.Lock()
_waited_for: weakref.WeakSet[Locked] = weakref.WeakSet()
_inherited: weakref.WeakSet[Inherited] = weakref.WeakSet()
_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_held: list[Any] = []


def register(owner: Locked) -> None:
    """Let forks wait for the owner's lock, and children call its `forked`, as long as the owner exists."""
    with _turn:
        _waited_for.add(owner)


def register_inherited(inherited: Inherited) -> None:
    """Let children call the object's `forked`, as long as it exists."""
    with _turn:
        _inherited.add(inherited)


def short_lock() -> threading.Lock:
    """Return a lock, for what takes no other lock and no time, that is free in each child."""
    lock = threading.Lock()
    with _turn:
        _locks.add(lock)
    return lock


def _before() -> None:
    _turn.acquire()
    for owner in list(_waited_for):
        if owner.lock.acquire(timeout=PATIENCE_SECONDS):
            _held.append(owner.lock)


def _after() -> None:
    while _held:
        _held.pop().release()
    _turn.release()


def _after_in_child() -> None:
    waited_for = list(_waited_for)
    locks: list[Any] = [*(owner.lock for owner in waited_for if owner.lock not in _held), *_locks]
    for lock in locks:
        lock._at_fork_reinit()  # as the standard library frees its own
    for inherited in (*waited_for, *_inherited):
        inherited.forked()
    _after()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
