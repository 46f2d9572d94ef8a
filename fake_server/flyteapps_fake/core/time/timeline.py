"""A plane's time: its clock, what is due on it, and who moves it: real time, whoever waits, or the owner by hand.

Entered under the plane's lock. What happens when something is due is its planner's business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Literal

from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time import forks
from flyteapps_fake.core.time.auto_clock import Pacer, Planner
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND, Agenda, Clock, RealtimeClock, Timer, VirtualClock
from flyteapps_fake.core.time.holds import Holds

_REALTIME_FLOOR = 300 * MILLISECOND
"""Real time between an acknowledged write and the terminal state, at least, whatever the speed."""


class Timeline:
    """The time of one plane. Whoever plans on it is attached before anything is asked of it."""

    def __init__(self, mode: Literal["realtime", "auto", "manual"], speed: float, real: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        """Whoever enters the plane holds it."""
        self.mode = mode
        self.agenda = Agenda()
        self._realtime = RealtimeClock(speed, real) if mode == "realtime" else None
        self.clock: Clock = self._realtime or VirtualClock()
        self.pacer: Pacer | None = None
        """Of the `auto` clock."""
        self.holds: Holds | None = None
        """Of the `realtime` clock."""
        self.floor = int(_REALTIME_FLOOR * speed) if self._realtime is not None else 0
        """Nanoseconds of the plane's time at least between a write and the state that it leads to."""
        self._real = real
        self._planner: Planner | None = None
        self.on_schedule: list[Callable[[], None]] = []
        """Who hears that timers may have changed."""
        forks.register(self)

    def attach(self, planner: Planner) -> None:
        """Says who plans on it."""
        self._planner = planner
        if self.mode == "auto":
            self.pacer = Pacer(planner, self.agenda, self._real)
        elif self.mode == "realtime":
            self.holds = Holds(planner, self.agenda, self._real)

    def scheduled(self) -> None:
        """Tells that timers may have changed."""
        for listener in self.on_schedule:
            listener()

    # ---- what somebody did, for the clocks that wait for somebody

    def written(self, key: Hashable) -> None:
        """A write of that app was acknowledged."""
        if self.pacer is not None:
            self.pacer.written(key)
        elif self.holds is not None:
            self.holds.written(key)

    def woken(self, key: Hashable) -> None:
        """What is planned for that app may have changed without a client's write."""
        if self.pacer is not None:
            self.pacer.written(key)

    def read(self, key: Hashable) -> bool:
        """A client reads that app; whether it took a step because of that, which the answer has to show."""
        if self.pacer is not None:
            self.pacer.read(key)
            self.scheduled()
        elif self.holds is not None and self.holds.read(key):
            self.run_due()
            self.scheduled()
            return True
        return False

    def read_late(self, key: Hashable) -> None:
        """A client got an answer about that app that was kept: on realtime it has seen nothing of what came since."""
        if self.pacer is not None:
            self.read(key)

    def asked(self, key: Hashable) -> None:
        """Somebody learnt of that app without changing it."""
        if self.pacer is not None:
            self.pacer.asked(key)

    def changed(self, key: Hashable) -> None:
        """That app changed."""
        if self.pacer is not None:
            self.pacer.changed(key)

    def opened(self, stream: OpenStream) -> None:
        """A stream was opened."""
        if self.pacer is not None:
            stream.on_sent = self._sent
            stream.on_closed.append(self.pacer.closed)
            self.pacer.opened(stream)
        elif self.holds is not None and self.holds.opened(stream):
            self.scheduled()

    def _sent(self, stream: OpenStream) -> None:
        with self.lock:
            if self.pacer is not None:
                self.pacer.sent(stream)
                self.run_due()
                self.scheduled()

    # ---- moving

    def run_due(self) -> None:
        """Fires what has become due: by the clock in `realtime`, by whoever waits in `auto`; nothing in `manual`.

        In `realtime`, too, a step that a write leads to waits for whoever may still come to watch, but not for ever.
        """
        if self.pacer is not None:
            while (key := self.pacer.due()) is not None:
                self._step(self.pacer, key)
        elif self._realtime is not None:
            if self.holds is not None:
                self.holds.release_overdue()
            due = self.agenda.next_due()
            if due is not None and due <= self._realtime.now():
                self._fire_until(self._realtime.now())

    def next_due(self) -> float | None:
        """Real seconds until `run_due` has something to do; None where nothing is scheduled."""
        if self.pacer is not None:
            return self.pacer.next_gate()
        if self._realtime is None:
            return None
        due = self.agenda.next_due()
        release = self.holds.next_release() if self.holds is not None else None
        if due is None:
            return release
        seconds = self._realtime.real_seconds_until(due)
        return seconds if release is None else min(seconds, release)

    def advance(self, seconds: float) -> None:
        """Moves a `manual` clock, firing all that becomes due on the way, in order. Raises ValueError."""
        if self.mode != "manual":
            raise ValueError(f"the clock is {self.mode}: only a manual one can be advanced")
        if seconds < 0:
            raise ValueError(f"time never goes back: {seconds} seconds")
        self._fire_until(self.clock.now() + round(seconds * SECOND))

    def fire(self, timer: Timer) -> None:
        """Has a progress timer that is about to be due fire now."""
        self.agenda.cancel(timer.owner)
        timer.action(timer)
        if self.pacer is not None:
            self.pacer.stepped(timer.owner)

    def _step(self, pacer: Pacer, key: Hashable) -> None:
        timer = self.agenda.take(key)
        if timer is not None:
            # time goes on for all: what is in the background doesn't wait for anybody, but it is never late
            while (overdue := self.agenda.pop(timer.due, background_only=True)) is not None:
                self._fire(overdue)
            self._fire(timer)
        pacer.stepped(key)

    def _fire_until(self, target: int) -> None:
        while (timer := self.agenda.pop(target)) is not None:
            if self.holds is None or not self.holds.keeps(timer):
                self._fire(timer)
        self.clock.jump(target)

    def _fire(self, timer: Timer) -> None:
        self.clock.jump(timer.due)
        if timer.last and self.holds is not None:
            self.holds.stepped(timer.owner)
        timer.action(timer)
        if self._planner is not None:
            self._planner.settle()
