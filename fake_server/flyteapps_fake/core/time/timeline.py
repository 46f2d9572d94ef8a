"""A plane's time: its clock, its timers, and what moves it: real time, waiting clients, or `advance`.

Entered under the plane's lock. A timer that is due goes to the handler of its kind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Literal, NamedTuple, NoReturn

from flyteapps_control.selection import NO_APP, AppName
from flyteapps_fake.core.draws import Seed
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time import forks
from flyteapps_fake.core.time.auto_clock import AutoClock, Planner
from flyteapps_fake.core.time.causes import Cause, Causes
from flyteapps_fake.core.time.clock import EPOCH, MILLISECOND, Clock, RealtimeClock, VirtualClock
from flyteapps_fake.core.time.holds import Holds
from flyteapps_fake.core.time.standstill import Standstill
from flyteapps_fake.core.time.timers import PendingTimer, Timer, TimerQueue
from flyteapps_fake.core.time.usage import UsageBook

_REALTIME_FLOOR = 300 * MILLISECOND
"""Real time between an acknowledged write and the terminal state, at least, whatever the speed."""


CATCH_UP = "catch-up"
"""The kind of the timers of stale reads."""


class CatchUp(NamedTuple):
    """The owner of the timer of stale reads of an app, at which they show its next change."""

    key: Hashable


class _Handler(NamedTuple):
    """The handler of a kind of timer; `app` returns the app of an owner, and `reason` says what is due."""

    fire: Callable[[Timer], None]
    reason: str
    app: Callable[[Any], AppName]
    changes: bool


class Timeline:
    """The time of one plane. Its planner is attached before anything else happens.

    `start`: where it begins, in nanoseconds since 1970; None for now in `realtime`, EPOCH in the others.
    """

    def __init__(
        self,
        mode: Literal["realtime", "auto", "manual"],
        speed: float,
        real: Callable[[], float],
        start: int | None = None,
    ) -> None:
        self.lock = threading.RLock()
        """The plane's lock."""
        self.mode = mode
        self.causes = Causes()
        """The cause of what happens now."""
        self.speed = speed
        self.seed = Seed(0)
        """The seed of every random draw."""
        self.changes = Changes()
        """The changes of the plane's state."""
        self.timers = TimerQueue(self.causes, self.changes, self._touch)
        self.frozen = False
        """Whether nothing is due, as nothing can be changed."""
        self.fired = 0
        """Number of timers that have fired."""
        self._handlers: dict[str, _Handler] = {}
        self._realtime = RealtimeClock(speed, real, start) if mode == "realtime" else None
        self.clock: Clock = self._realtime or VirtualClock(EPOCH if start is None else start)
        self.usage = UsageBook(self.clock)
        """The use of apps over time."""
        self.auto: AutoClock | None = None
        """The gates of the `auto` clock; None for the others."""
        self.holds: Holds | None = None
        """The waiting steps of the `realtime` clock; None for the others."""
        self.standstill = Standstill(real) if mode == "manual" else None
        """The standstill of the `manual` clock; None for the others."""
        self.floor = int(_REALTIME_FLOOR * speed) if self._realtime is not None else 0
        """Nanoseconds of the plane's time at least between a write and the state that it leads to."""
        self._real = real
        self._planner: Planner | None = None
        self.on_change: list[Callable[[Hashable], None]] = []
        """The functions that are called with the key of each app that changes."""
        self.on_schedule: list[Callable[[], None]] = []
        """The functions that are called when timers may have changed."""
        self.handle(CATCH_UP, lambda _: None, "stale reads show its next change", self._caught_up, changes=False)
        forks.register(self)

    def forked(self) -> None:
        """See Inherited. The threads and loops of the streams' readers, and of the servers, are the parent's."""
        self.on_schedule.clear()
        for stream in self._planner.streams.all() if self._planner is not None else ():
            stream.wake = None

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a plane lives in one process and can be neither pickled nor copied: "
            "serve it, and pass the URL, plane.serve().url, to other processes"
        )

    def attach(self, planner: Planner) -> None:
        """Set the planner."""
        self._planner = planner
        if self.mode == "auto":
            self.auto = AutoClock(planner, self.timers, self._real)
        elif self.mode == "realtime":
            self.holds = Holds(planner, self.timers, self._real)

    def _touch(self, owner: Hashable) -> None:
        """Record that the timer of an owner is about to change, where that is a part of a piece of the state."""
        entry = self._planner.entry_of(owner) if self._planner is not None else None
        if entry is not None:
            self.changes.touch(*entry)

    def handle(
        self,
        kind: str,
        fire: Callable[[Timer], None],
        reason: str,
        app: Callable[[Any], AppName],
        *,
        changes: bool = True,
    ) -> None:
        """Dispatch timers of that kind to `fire`.

        `reason` says what happens when one is due, `app` returns the app of a timer's owner, and `changes` says whether
        the app may change by it.
        """
        self._handlers[kind] = _Handler(fire, reason, app, changes)

    def pending(self, limit: int | None = None) -> list[PendingTimer]:
        """Return what is scheduled, the earliest first, at most `limit` timers."""
        return [self._listed(timer) for timer in self.timers.pending(limit)]

    def _caught_up(self, owner: Any) -> AppName:
        return self._planner.named(owner.key) if self._planner is not None else NO_APP

    def _listed(self, timer: Timer) -> PendingTimer:
        _, reason, app, changes = self._handlers[timer.kind]
        return PendingTimer(timer.due, app(timer.owner), reason, timer.owner, timer.progress, changes)

    def condition(self, timer: PendingTimer) -> str:
        """Return what has to happen before a timer fires, besides the time that passes; "" for nothing."""
        if self.holds is not None:
            return self.holds.condition(timer.owner)
        if self.auto is None:
            return ""
        if timer.progress:
            return self.auto.condition(timer.owner)
        return "it fires when time has moved past it for an app that a client waits for"

    def scheduled(self) -> None:
        """Notify the listeners that timers may have changed."""
        for listener in self.on_schedule:
            listener()

    # ---- what clients do, for the clocks that wait for them

    def written(self, key: Hashable) -> None:
        """Record an acknowledged write of that app."""
        if self.auto is not None:
            self.auto.written(key)
        elif self.holds is not None:
            self.holds.written(key)
        elif self.standstill is not None and self._is_awaited():
            self.standstill.written()
            self.scheduled()

    def _is_awaited(self) -> bool:
        """Return whether a stream is open."""
        return self._planner is not None and len(self._planner.streams) > 0

    def waits(self) -> None:
        """Record that a client begins to wait, by a stream or a delayed call."""
        if self.standstill is not None:
            self.standstill.begin()
            self.scheduled()

    def woken(self, key: Hashable) -> None:
        """Record that the schedule of that app may have changed without a client's write."""
        if self.auto is not None:
            self.auto.written(key)

    def requested(self, key: Hashable) -> None:
        """Record a request to that app's URL, which may have woken it; on `realtime` it counts as a read."""
        self.woken(key)
        if self.auto is None:
            self.read(key)
        self.scheduled()

    def read(self, key: Hashable) -> bool:
        """Record a read of that app; return whether it took a step because of it, which the response has to show."""
        if self.auto is not None:
            self.auto.read(key)
            self.scheduled()
        elif self.holds is not None and self.holds.read(key):
            self.run_due()
            self.scheduled()
            return True
        return False

    def read_late(self, key: Hashable) -> None:
        """Record a response about that app from a cache: on `realtime` it shows nothing of what came since."""
        if self.auto is not None:
            self.read(key)

    def read_past(self, key: Hashable, due: int) -> None:
        """Record a response from the past, which shows a change of that app from `due` on.

        An `auto` clock goes there once the read is repeated: a client that polls would wait for good otherwise.
        """
        if self.auto is None:
            return
        owner = CatchUp(key)
        if owner not in self.timers:
            self.timers.schedule(due, owner, CATCH_UP)
            self.auto.written(owner)
        self.auto.read(owner)
        self.scheduled()

    def forget_past(self) -> None:
        """Cancel what reads of the past wait for."""
        for owner in [each for each in self.timers.progress if isinstance(each, CatchUp)]:
            self.timers.cancel(owner)
            if self.auto is not None:
                self.auto.written(owner)

    def restored(self, key: Hashable) -> None:
        """Record that an app is in another state now, without a write."""
        if self.auto is not None:
            self.auto.written(key)
        if self.holds is not None:
            self.holds.stepped(key)
        for listener in self.on_change:
            listener(key)

    def asked(self, key: Hashable) -> None:
        """Record that a client knows of that app without having changed it."""
        if self.auto is not None:
            self.auto.asked(key)

    def changed(self, key: Hashable) -> None:
        """Record a change of that app."""
        for listener in self.on_change:
            listener(key)
        if self.auto is not None:
            self.auto.changed(key)

    def opened(self, stream: OpenStream) -> None:
        """Record a stream that was opened."""
        if self.auto is not None:
            stream.on_sent = self._sent
            stream.on_closed.append(self.auto.closed)
            self.auto.opened(stream)
        elif self.holds is not None and self.holds.opened(stream):
            self.scheduled()
        else:
            self.waits()

    def _sent(self, stream: OpenStream) -> None:
        with self.lock:
            if self.auto is not None:
                self.auto.sent(stream)
                self.run_due()
                self.scheduled()

    # ---- moving

    def thaw(self) -> None:
        """Let what is due fire again, also by those who wait for it."""
        self.frozen = False
        for stream in self._planner.streams.all() if self._planner is not None else ():
            stream.notify()
        self.scheduled()

    def run_due(self) -> None:
        """Fire what is due: by the clock in `realtime`, by the waiting clients in `auto`; nothing in `manual`.

        There a standstill is reported. In `realtime`, too, a step that a write leads to waits for a client that may
        still open a Watch, for a time.
        """
        if self.frozen:
            return
        if self.auto is not None:
            while (key := self.auto.due()) is not None:
                self._step(self.auto, key)
        elif self._realtime is not None:
            if self.holds is not None:
                self.holds.release_overdue()
            due = self.timers.next_due()
            if due is not None and due <= self._realtime.now():
                self._fire_until(self._realtime.now())
        elif self.standstill is not None and self.standstill.due is not None:
            self.standstill.report_overdue()

    def next_due(self) -> float | None:
        """Return the real seconds until `run_due` has something to do, or None if nothing is scheduled."""
        if self.frozen:
            return None
        if self.auto is not None:
            return self.auto.next_gate()
        if self._realtime is None:
            return self.standstill.seconds() if self.standstill is not None else None
        due = self.timers.next_due()
        release = self.holds.next_release() if self.holds is not None else None
        if due is None:
            return release
        seconds = self._realtime.real_seconds_until(due)
        return seconds if release is None else min(seconds, release)

    def advance_to(self, target: int, timers: int) -> bool:
        """Move a `manual` clock towards a time, and fire what becomes due on the way, in order: at most so many timers.

        Return whether the clock is there; if not, it stands at the last timer that fired. Raises ValueError for another
        clock.
        """
        if self.mode != "manual":
            hint = 'use FakeControlPlane(clock="manual")'
            raise ValueError(f"the clock is {self.mode}, and only a manual one can be advanced: {hint}")
        if self._is_awaited():
            self.waits()
        self.changes.time_moves()
        return self._fire_until(target, timers)

    def real_seconds_until(self, due: int) -> float | None:
        """Return the real seconds until the plane's time is `due`; None where a manual clock has to be moved first.

        An `auto` clock goes there at once: a client waits, and no app takes a step because of it.
        """
        left = due - self.clock.now()
        if left <= 0 or (self.frozen and self.auto is not None):
            return 0.0
        if self._realtime is not None:
            return self._realtime.real_seconds_until(due)
        if self.auto is None:
            return None
        while (overdue := self.timers.pop(due, background_only=True)) is not None:
            self._fire(overdue)
        self.clock.jump(due)
        return 0.0

    def fire(self, timer: Timer) -> None:
        """Fire a progress timer now that is about to be due."""
        self.timers.cancel(timer.owner)
        self._dispatch(timer)
        if self.auto is not None:
            self.auto.stepped(timer.owner)

    def take_step(self, owner: Hashable) -> None:
        """Take the next step of an app at once, without the time until it is due."""
        timer = self.timers.take(owner)
        if timer is None:
            return
        self.fired += 1
        if timer.last and self.holds is not None:
            self.holds.stepped(owner)
        self._dispatch(timer)
        if self._planner is not None:
            self._planner.settle()
        if self.auto is not None:
            self.auto.stepped(owner)
        self.scheduled()

    def _step(self, auto: AutoClock, key: Hashable) -> None:
        timer = self.timers.take(key)
        if timer is not None:
            # time goes on for all: background timers wait for no client, and are never late
            while (overdue := self.timers.pop(timer.due, background_only=True)) is not None:
                self._fire(overdue)
            self._fire(timer)
        auto.stepped(key)

    def _fire_until(self, target: int, timers: int | None = None) -> bool:
        """Fire what is due by `target`, at most so many timers, and go there; return whether all has been fired."""
        last = None if timers is None else self.fired + timers
        while (timer := self.timers.pop(target)) is not None:
            if self.holds is None or not self.holds.keeps(timer):
                self._fire(timer)
            if self.fired == last and (due := self.timers.next_due()) is not None and due <= target:
                return False
        self.clock.jump(target)
        return True

    def _fire(self, timer: Timer) -> None:
        self.clock.jump(timer.due)
        self.fired += 1
        if timer.last and self.holds is not None:
            self.holds.stepped(timer.owner)
        self._dispatch(timer)
        if self._planner is not None:
            self._planner.settle()

    def _dispatch(self, timer: Timer) -> None:
        handler = self._handlers[timer.kind]
        if not self.causes.on:
            handler.fire(timer)
            return
        with self.causes.during(Cause(timer.call, timer=handler.reason)):
            handler.fire(timer)
