"""Moves of a manual clock, made in parts: between two parts the plane answers other calls, and a move may be given up.

A part ends between two timers, so that a plane whose move was given up stands at the last timer that fired. Moves at
once add up: each has its own duration left, and not a time to reach.
"""

from __future__ import annotations

import time
from typing import Protocol

from flyteapps_fake.core.time.interrupts import held_back
from flyteapps_fake.core.time.timeline import Timeline

PART_TIMERS = 100
"""Timers of one part: some milliseconds."""
TURN_SECONDS = 0.000_05
"""Real time between two parts, without which no other thread would get the plane's lock."""


class Move(Protocol):
    """A move of a manual clock. `fired`: how many timers fired in it so far."""

    fired: int

    def run(self, timers: int) -> bool:
        """Fire at most so many timers; return whether the move is over."""
        ...


class Advance:
    """A move by a duration in nanoseconds. `left`: those that are left."""

    def __init__(self, timeline: Timeline, nanoseconds: int) -> None:
        self._timeline = timeline
        self.left = nanoseconds
        self.fired = 0

    def run(self, timers: int) -> bool:
        """Fire at most so many timers; return whether the move is over."""
        timeline = self._timeline
        with timeline.lock:
            target = timeline.clock.now() + self.left
            before = timeline.fired
            over = timeline.advance_to(target, timers)
            self.fired += timeline.fired - before
            self.left = target - timeline.clock.now()
            return over


def complete(move: Move) -> None:
    """Make a move to its end in this thread. Ctrl-C ends it between two timers."""
    with held_back() as interruptible:
        while not move.run(PART_TIMERS):
            interruptible()
            time.sleep(TURN_SECONDS)
