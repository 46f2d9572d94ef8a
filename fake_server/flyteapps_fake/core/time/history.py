"""The changes of the last while, for reads of the past: kept as long as a rule for stale reads needs them.

Records are immutable, so that a change is two references: what a key had, and what it has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

MAX_CHANGES = 100_000
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of the records in the changes that are kept; beyond either bound the oldest are forgotten."""


class Change(NamedTuple, Generic[K, R]):
    """One change: when, and what the key had and has; None is absence.

    `size`: the bytes of its records. `silent`: whether watchers don't learn of it.
    """

    at: int
    key: K
    old: R | None
    new: R | None
    size: int
    silent: bool = False


class History(Generic[K, R]):
    """The changes of the last `age` nanoseconds, since it began. Earlier than that it knows nothing."""

    def __init__(self, age: int) -> None:
        self.age = age
        self._changes: deque[Change[K, R]] = deque()
        self._bytes = 0

    def add(self, change: Change[K, R]) -> None:
        """Keep a change, and forget those that no read can need any more."""
        changes = self._changes
        changes.append(change)
        self._bytes += change.size
        since = change.at - self.age
        while changes[0].at <= since or len(changes) > MAX_CHANGES or (self._bytes > MAX_BYTES and len(changes) > 1):
            self._bytes -= changes.popleft().size

    def after(self, then: int) -> list[Change[K, R]]:
        """Return the changes after a time, the oldest first."""
        found: list[Change[K, R]] = []
        for change in reversed(self._changes):
            if change.at <= then:
                break
            found.append(change)
        found.reverse()
        return found


def undone(changes: Iterable[Change[K, R]]) -> dict[K, Change[K, R]]:
    """Return the first change of each changed key, whose `old` is what the key had before all of them."""
    first: dict[K, Change[K, R]] = {}
    for change in changes:
        first.setdefault(change.key, change)
    return first


def kept(history: History[K, R] | None, age: int) -> History[K, R] | None:
    """Return the history of the last so many nanoseconds, which goes on where there is one; None for no age."""
    if not age:
        return None
    if history is None:
        return History(age)
    history.age = age
    return history
