"""The plane's time: integers of nanoseconds that only ever grow, and the heap of what is due.

No sleeping and no threads: something else decides when to look, and calls `fire`.
"""

from __future__ import annotations

import heapq
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable

from google.protobuf.timestamp_pb2 import Timestamp

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
TICK = 1_000
"""Every commit moves the clock by at least this, so that no two writes share a time."""

EPOCH = 1_767_225_600 * SECOND
"""Where virtual clocks start: 2026-01-01T00:00:00Z, the same in every run."""


class Clock(ABC):
    """What time it is for the plane. `now` never decreases."""

    def __init__(self, start: int) -> None:
        self._now = start

    @abstractmethod
    def now(self) -> int:
        """Nanoseconds since 1970."""

    def tick(self) -> int:
        """The time of a commit: now, and at least one tick after anything before."""
        self._now = self.now() + TICK
        return self._now

    def jump(self, to: int) -> None:
        """Moves the clock forward to `to`; never back."""
        self._now = max(self._now, to)


class VirtualClock(Clock):
    """Stands still unless it is moved."""

    def __init__(self, start: int = EPOCH) -> None:
        super().__init__(start)

    def now(self) -> int:
        return self._now


class RealtimeClock(Clock):
    """Runs by itself at `speed` virtual seconds a second."""

    def __init__(self, speed: float, real: Callable[[], float] = time.monotonic, start: int | None = None) -> None:
        self._origin = time.time_ns() if start is None else start
        super().__init__(self._origin)
        self.speed = speed
        self._real = real
        self._started = real()

    def now(self) -> int:
        self._now = max(self._now, self._origin + int((self._real() - self._started) * self.speed * SECOND))
        return self._now

    def real_seconds_until(self, due: int) -> float:
        return max(0.0, (due - self.now()) / SECOND / self.speed)


FEW = 64
"""Cancelled timers that are not worth looking for."""


class Timer:
    """Something that becomes due. Progress is the next step of an app that starts or stops; all else is background."""

    __slots__ = ("action", "cancelled", "due", "owner", "progress", "sequence")

    def __init__(self, due: int, sequence: int, owner: Hashable, progress: bool, action: Callable[[], None]) -> None:
        self.due = due
        self.sequence = sequence
        self.owner = owner
        self.progress = progress
        self.action = action
        self.cancelled = False

    def __lt__(self, other: Timer) -> bool:
        return (self.due, self.sequence) < (other.due, other.sequence)


class Agenda:
    """One heap of timers; at most one progress timer an owner."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._sequence = 0
        self._dead = 0
        self.progress: dict[Hashable, Timer] = {}

    def call_at(self, due: int, owner: Hashable, action: Callable[[], None], *, progress: bool = True) -> Timer:
        """Has `action` run once the clock reaches `due`; a new progress timer replaces its owner's old one."""
        if progress:
            self.cancel(owner)
        self._sequence += 1
        timer = Timer(due, self._sequence, owner, progress, action)
        heapq.heappush(self._heap, timer)
        if progress:
            self.progress[owner] = timer
        return timer

    def cancel(self, owner: Hashable) -> None:
        """Takes back the owner's progress timer, if it has one."""
        timer = self.progress.pop(owner, None)
        if timer is not None:
            self._drop(timer)

    def next_due(self) -> int | None:
        """When the earliest timer is due."""
        while self._heap and self._heap[0].cancelled:
            heapq.heappop(self._heap)
            self._dead -= 1
        return self._heap[0].due if self._heap else None

    def pop(self) -> Timer:
        """Takes the earliest timer; only after `next_due` gave a time."""
        timer = heapq.heappop(self._heap)
        self._forget(timer)
        return timer

    def take(self, owner: Hashable) -> Timer | None:
        """Takes the owner's progress timer out of turn."""
        timer = self.progress.get(owner)
        if timer is not None:
            self._drop(timer)
            self._forget(timer)
        return timer

    def _drop(self, timer: Timer) -> None:
        """Leaves a timer in the heap that is never fired, as long as such ones are not most of it."""
        timer.cancelled = True
        self._dead += 1
        if self._dead > FEW and self._dead * 2 > len(self._heap):
            self._heap = [each for each in self._heap if not each.cancelled]
            heapq.heapify(self._heap)
            self._dead = 0

    def _forget(self, timer: Timer) -> None:
        if self.progress.get(timer.owner) is timer:
            del self.progress[timer.owner]


def timestamp(nanoseconds: int) -> Timestamp:
    """The time as a protobuf Timestamp."""
    return Timestamp(seconds=nanoseconds // SECOND, nanos=nanoseconds % SECOND)


def from_timestamp(stamp: Timestamp) -> int:
    """A protobuf Timestamp as nanoseconds."""
    return stamp.seconds * SECOND + stamp.nanos
