"""The plane's time: integers of nanoseconds that only ever grow, and the heap of what is due.

No sleeping and no threads: something else decides when to look, and calls `fire`.
"""

from __future__ import annotations

import heapq
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

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


class Timer(NamedTuple):
    """Something that becomes due. Progress is the next step of an app that starts or stops; all else is background.

    `action` is given the timer. `last`: it is the step that a client's write leads to, such as that to ACTIVE.
    """

    due: int
    sequence: int
    owner: Hashable
    progress: bool
    action: Callable[[Timer], None]
    last: bool = False


class _Heap:
    """Timers, the earliest first; cancelled ones stay in it as long as they are not most of it."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self.owners: dict[Hashable, Timer] = {}
        """The timers that are not cancelled, those included that are put aside."""

    def __len__(self) -> int:
        return max(len(self._timers), len(self.owners))

    def push(self, timer: Timer) -> None:
        self.owners[timer.owner] = timer
        heapq.heappush(self._timers, timer)

    def first(self) -> Timer | None:
        timers, owners = self._timers, self.owners
        while timers:
            first = timers[0]
            if owners.get(first.owner) is first:
                return first
            heapq.heappop(timers)
        return None

    def put_aside(self, timer: Timer) -> None:
        """Keeps a timer that was the first, and was dropped, so that it doesn't become due."""
        while self._timers and self._timers[0] is timer:
            heapq.heappop(self._timers)
        self.owners[timer.owner] = timer

    def put_back(self, owner: Hashable) -> None:
        """Has a timer that was put aside become due again."""
        timer = self.owners.get(owner)
        if timer is not None:
            heapq.heappush(self._timers, timer)

    def drop(self, owner: Hashable) -> Timer | None:
        timer = self.owners.pop(owner, None)
        if timer is None:
            return None
        dead = len(self._timers) - len(self.owners)
        if dead > FEW and dead * 2 > len(self._timers):
            self._timers = list(self.owners.values())
            heapq.heapify(self._timers)
        return timer


class Agenda:
    """Two heaps of timers, progress and background; at most one timer an owner."""

    def __init__(self) -> None:
        self._progress = _Heap()
        self._background = _Heap()
        self._sequence = 0

    def __len__(self) -> int:
        """How many timers are kept, cancelled ones included."""
        return len(self._progress) + len(self._background)

    def __contains__(self, owner: Hashable) -> bool:
        """Whether the owner has a timer."""
        return owner in self._progress.owners or owner in self._background.owners

    @property
    def progress(self) -> Mapping[Hashable, Timer]:
        """The progress timers, by owner."""
        return self._progress.owners

    def call_at(
        self,
        due: int,
        owner: Hashable,
        action: Callable[[Timer], None],
        *,
        progress: bool = True,
        last: bool = False,
    ) -> None:
        """Has `action` run once the clock reaches `due`; replaces the timer that its owner has."""
        self.cancel(owner)
        self._sequence += 1
        self._heap(progress).push(Timer(due, self._sequence, owner, progress, action, last))

    def cancel(self, owner: Hashable) -> None:
        """Takes back the owner's timer, if it has one."""
        if self._progress.drop(owner) is None:
            self._background.drop(owner)

    def next_due(self) -> int | None:
        """When the earliest timer is due."""
        first = self._first()
        return first.due if first is not None else None

    def pop(self, until: int, *, background_only: bool = False) -> Timer | None:
        """Takes the earliest timer that is due by then."""
        first = self._background.first() if background_only else self._first()
        if first is None or first.due > until:
            return None
        self._heap(first.progress).drop(first.owner)
        return first

    def hold(self, timer: Timer) -> None:
        """Puts a progress timer aside that was taken: its owner has it, but it doesn't become due."""
        self._progress.put_aside(timer)

    def release(self, owner: Hashable) -> None:
        """Has the owner's timer, which was put aside, become due."""
        self._progress.put_back(owner)

    def take(self, owner: Hashable) -> Timer | None:
        """Takes the owner's progress timer out of turn."""
        return self._progress.drop(owner)

    def _first(self) -> Timer | None:
        step, other = self._progress.first(), self._background.first()
        if step is None or other is None:
            return step or other
        return min(step, other)

    def _heap(self, progress: bool) -> _Heap:
        return self._progress if progress else self._background


def timestamp(nanoseconds: int) -> Timestamp:
    """The time as a protobuf Timestamp."""
    return Timestamp(seconds=nanoseconds // SECOND, nanos=nanoseconds % SECOND)


def set_timestamp(stamp: Timestamp, nanoseconds: int) -> None:
    """Puts the time into a message's own Timestamp."""
    stamp.seconds, stamp.nanos = divmod(nanoseconds, SECOND)


def from_timestamp(stamp: Timestamp) -> int:
    """A protobuf Timestamp as nanoseconds."""
    return stamp.seconds * SECOND + stamp.nanos
