"""The plane's time: integers of nanoseconds that only ever grow.

No sleeping and no threads here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
TICK = 1_000
"""Every commit moves the clock by at least this, so that no two writes share a time."""

EPOCH = 1_767_225_600 * SECOND
"""Where virtual clocks start: 2026-01-01T00:00:00Z, the same in every run."""

END = 5_680_281_600 * SECOND
"""Where every clock stops: 2150-01-01T00:00:00Z.

A plane's state has times as nanoseconds in 64 bits, which end in 2262, and durations of up to 100 years lead ahead.
"""
LATEST = (1 << 63) - 1
"""The latest time that a plane's state can have: when something is due that no clock reaches."""


class Clock(ABC):
    """The time of a plane; `now` never decreases, and a jump never leads beyond END."""

    def __init__(self, start: int) -> None:
        self._now = start

    @abstractmethod
    def now(self) -> int:
        """Return the nanoseconds since 1970."""

    def tick(self) -> int:
        """Return the time of a commit: now, and at least one tick after every time before."""
        self._now = self.now() + TICK
        return self._now

    def set(self, now: int) -> None:
        """Set the clock to a time, back as well: of a plane that returns to another state."""
        self._now = min(now, END)

    def jump(self, to: int) -> None:
        """Move the clock forward to `to`; never back."""
        self._now = max(self._now, min(to, END))


class VirtualClock(Clock):
    """A clock that stands still unless it is moved."""

    def __init__(self, start: int = EPOCH) -> None:
        super().__init__(start)

    def now(self) -> int:
        """Return the nanoseconds since 1970."""
        return self._now


class RealtimeClock(Clock):
    """A clock that runs by itself, at `speed` virtual seconds a second."""

    def __init__(self, speed: float, real: Callable[[], float] = time.monotonic, start: int | None = None) -> None:
        self._origin = time.time_ns() if start is None else start
        super().__init__(self._origin)
        self.speed = speed
        self._real = real
        self._started = real()

    def now(self) -> int:
        """Return the nanoseconds since 1970."""
        self.jump(self._origin + int((self._real() - self._started) * self.speed * SECOND))
        return self._now

    def set(self, now: int) -> None:
        super().set(now)
        self._origin, self._started = self._now, self._real()

    def real_seconds_until(self, due: int) -> float:
        """Return the real seconds until the clock shows `due`, 0 for a time in the past."""
        return max(0.0, (due - self.now()) / SECOND / self.speed)


def timestamp(nanoseconds: int) -> Timestamp:
    """Return the time as a protobuf Timestamp."""
    return Timestamp(seconds=nanoseconds // SECOND, nanos=nanoseconds % SECOND)


def set_timestamp(stamp: Timestamp, nanoseconds: int) -> None:
    """Set a message's own Timestamp to the time."""
    stamp.seconds, stamp.nanos = divmod(nanoseconds, SECOND)


def from_timestamp(stamp: Timestamp) -> int:
    """Return a protobuf Timestamp as nanoseconds."""
    return stamp.seconds * SECOND + stamp.nanos
