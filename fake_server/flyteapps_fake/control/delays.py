"""The calls of a plane that go on later, and are listed until then: faults delay them, or their writes take time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from flyteapps_control.durations import MAX_SECONDS, SECOND
from flyteapps_control.fault_table import Rule
from flyteapps_control.selection import NO_APP, AppName
from flyteapps_fake.control.effects import Postponed, raising
from flyteapps_fake.control.subject import app_named_by
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import Timer

MAX_NS = MAX_SECONDS * SECOND
"""Nanoseconds that a call is delayed by at most, by all rules."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""Bytes of the requests of all delayed calls together."""
AUTO_NS = 2_000_000
"""Nanoseconds of real time for which a write waits on an `auto` clock, so that one that comes meanwhile meets it."""
DELAY_END = "delay-end"
"""The kind of the timers of delayed calls."""


class Held:
    """A request that is held until its call goes on; one that nothing refers to any more isn't."""

    __slots__ = ("__weakref__", "size")

    def __init__(self, size: int) -> None:
        self.size = size


@dataclass(eq=False, slots=True, weakref_slot=True)
class Delayed:
    """A call that is delayed: by `real` nanoseconds of real time, and until `due` of the plane's time, from `since`.

    `gone`: the error that it ends with, where there is nothing to wait for any more. `timer`: the owner of the timer at
    its end, itself for None. `outcome`: returns the answer of a write that has ended, or raises it; `drop` gives up one
    that hasn't.
    """

    call: Call[Any]
    app: AppName
    faults: Sequence[str]
    since: int
    real: int
    due: int
    held: Held
    gone: RpcError | None = None
    timer: Hashable = None
    outcome: Callable[[], Any] | None = None
    drop: Callable[[], None] | None = None
    wake: Callable[[], None] | None = None

    def ended(self, outcome: Callable[[], Any]) -> None:
        """Record the end of its write."""
        self.outcome = outcome
        self._woken()

    def cancel(self, error: RpcError) -> None:
        """Let the call end with an error, unless its write has ended."""
        if self.outcome is not None:
            return
        self.gone = error
        if self.drop is not None:
            self.drop()
        self._woken()

    def _woken(self) -> None:
        if self.wake is not None:
            self.wake()


class Delays:
    """The delayed calls. A call that no transport holds any more is gone."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._delayed: WeakSet[Delayed] = WeakSet()
        self._held: WeakSet[Held] = WeakSet()
        self._held_bytes = 0
        """Bytes of the requests that were held since they were last added up."""
        self._gone: RpcError | None = None
        """The error of delayed calls; None as long as the plane is open."""
        timeline.handle(DELAY_END, _look_again, "a delayed call goes on", _app_of, changes=False)

    def all(self) -> list[Delayed]:
        """Return the delayed calls, those first that began first."""
        return sorted(self._delayed, key=lambda each: (each.since, each.due, str(each.app)))

    def end(self, error: RpcError) -> None:
        """Let all delayed calls end with an error, as the plane goes away."""
        self._gone = error
        for each in list(self._delayed):
            each.cancel(error)

    def cancel(self, error: RpcError, project: str | None = None) -> None:
        """Let the calls that are delayed now end with an error, or those about a project."""
        for each in list(self._delayed):
            if project is None or each.app.project in ("", project):
                each.cancel(error)

    def undone(self, error: RpcError) -> None:
        """Let the writes that have ended, and aren't answered yet, end with an error: their changes were undone."""
        for each in self._delayed:
            if each.outcome is not None:
                each.outcome = raising(error)

    def hold(self, call: Call[Any]) -> Held:
        """Hold the request of a call. Raises RESOURCE_EXHAUSTED where too many bytes of requests are held."""
        held = Held(call.request.ByteSize())
        self._held_bytes += held.size
        if self._held_bytes > MAX_HELD_BYTES:
            self._held_bytes = held.size + sum(each.size for each in self._held)
            if self._held_bytes > MAX_HELD_BYTES:
                raise RpcError(
                    Code.RESOURCE_EXHAUSTED,
                    f"the requests of delayed calls have {MAX_HELD_BYTES:,} bytes, as many as a plane holds: try again",
                )
        self._held.add(held)
        return held

    def release(self, held: Held) -> None:
        """Hold a request no longer."""
        self._held.discard(held)

    def postpone(
        self,
        call: Call[Any],
        rules: Sequence[Rule],
        go_on: Callable[[], Any],
        abandon: Callable[[], None],
        refuse: Callable[[RpcError], None],
    ) -> Postponed | None:
        """Return the wait of a call by the rules that delay it, None without any.

        `go_on` carries the call out, under the plane's lock; `abandon` records that its client left, and `refuse` that
        the plane did. Raises RESOURCE_EXHAUSTED, as `hold`.
        """
        real, virtual = 0, 0
        delaying = [rule for rule in rules if rule.effect == "delay"]
        for rule in delaying:
            drawn = rule.draw_delay()
            if rule.fault.delay.real:
                real += drawn
            else:
                virtual += drawn
        if not real and not virtual:
            return None
        real, virtual = min(real, MAX_NS), min(virtual, MAX_NS)
        timeline = self._timeline
        now = timeline.clock.now()
        ids, due = [each.fault.id for each in delaying], now + virtual if virtual else 0
        delayed = Delayed(call, app_named_by(call), ids, now, real, due, self.hold(call))
        self._delayed.add(delayed)
        if virtual and timeline.mode != "auto":  # which goes there at once
            timeline.timers.schedule(delayed.due, delayed, DELAY_END, progress=False)
            timeline.scheduled()
            timeline.waits()

        def end() -> None:
            with timeline.lock:
                self._delayed.discard(delayed)
                self.release(delayed.held)
                timeline.timers.cancel(delayed)

        def resume() -> Any:
            with timeline.lock:
                gone = self._gone or delayed.gone
                if gone is not None:
                    end()
                    refuse(gone)
                    raise gone
                timeline.run_due()
                end()
                return go_on()

        def give_up() -> None:
            end()
            abandon()

        def left() -> float | None:
            with timeline.lock:
                timeline.run_due()
                return timeline.real_seconds_until(delayed.due) if delayed.due else 0.0

        return Postponed(real / 1e9, left, resume, give_up, is_void=lambda: (self._gone or delayed.gone) is not None)

    def write(
        self, call: Call[Any], due: int, timer: Hashable, end: Callable[[], None], drop: Callable[[], None]
    ) -> tuple[Delayed, Postponed]:
        """Return the entry and the wait of a write that ends at `due`, by that timer, also if its client leaves.

        `end` ends it at once, where nothing fires; `drop` gives it up. Raises RESOURCE_EXHAUSTED, as `hold`, and
        UNAVAILABLE once the plane goes away.
        """
        if self._gone is not None:
            raise self._gone
        timeline = self._timeline
        real = AUTO_NS if timeline.mode == "auto" else 0
        held = self.hold(call)
        delayed = Delayed(call, app_named_by(call), (), timeline.clock.now(), real, due, held, timer=timer, drop=drop)
        self._delayed.add(delayed)

        def left() -> float | None:
            with timeline.lock:
                timeline.run_due()
                return 0.0 if delayed.outcome is not None else timeline.real_seconds_until(due)

        def resume() -> Any:
            with timeline.lock:
                if delayed.gone is None and delayed.outcome is None:
                    timeline.run_due()
                    if delayed.outcome is None:
                        end()
                self._delayed.discard(delayed)
                self.release(held)
            if delayed.outcome is not None:
                return delayed.outcome()
            assert delayed.gone is not None
            raise delayed.gone

        def wake_by(wake: Callable[[], None]) -> None:
            delayed.wake = wake
            if delayed.outcome is not None or delayed.gone is not None:
                wake()

        timeline.waits()
        return delayed, Postponed(
            real / 1e9,
            left,
            resume,
            lambda: None,
            purpose="the write was under way",
            is_void=lambda: delayed.gone is not None,
            wake_by=wake_by,
            is_woken=timeline.mode == "manual",
        )


def _look_again(timer: Timer) -> None:
    """Do nothing: the transport of the call looks at the time."""


def _app_of(owner: Any) -> AppName:
    return owner.app if isinstance(owner, Delayed) else NO_APP
