"""The `realtime` clock: the last step of a write waits for a client that writes first and watches later.

A Watch of the Flyte SDK ignores the snapshot that it opens with, and waits for an event: opened after the app was
ACTIVE (FAILED, STOPPED) it would never end. So that step waits until a client that came after the write looks: by
a Watch that sees the app, or by a second read. Where none comes it is made all the same, some seconds late.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from flyteapps_fake.core.streams import OpenStream, StreamScope
from flyteapps_fake.core.time.auto_clock import WIDE, Planner
from flyteapps_fake.core.time.timers import Timer, TimerQueue

HOLD_SECONDS = 10.0
"""Real seconds for which a step that is due waits at most."""
READS = 2
"""So many reads after a write are polling."""
POLL_SECONDS = 2.0
"""Real seconds for which a step that is due waits for the next read of a client that polls."""


@dataclass(slots=True)
class _Write:
    """The last write of an app whose last step is still to come.

    `scope`: that of a watch of it alone. `until`: real time until which the step, which is due, waits.
    """

    scope: StreamScope
    number: int
    reads: int = 0
    until: float | None = None


class Holds:
    """The apps that were written, and their last steps that wait."""

    def __init__(self, planner: Planner, timers: TimerQueue, real: Callable[[], float]) -> None:
        self._planner = planner
        self._timers = timers
        self._real = real
        self._writes: dict[Hashable, _Write] = {}
        self._held: dict[Hashable, _Write] = {}
        """The apps whose step waits."""
        self._untils: list[tuple[float, int, Hashable]] = []
        """When these steps go on, the earliest first, each with the number of its write; some are void by now."""
        self._scopes: dict[StreamScope, set[Hashable]] = {}
        """The same apps by the scope of a watch of that app alone."""
        self._order = 0

    def written(self, key: Hashable) -> None:
        """Record an acknowledged write of that app."""
        self.stepped(key)
        if key in self._timers.progress or self._planner.awaits_report(key):
            self._order += 1
            self._writes[key] = _Write(self._planner.scope(key), self._order)

    def stepped(self, key: Hashable) -> None:
        """Record the app's last step."""
        write = self._writes.pop(key, None)
        if write is not None:
            self._release(key)

    def read(self, key: Hashable) -> bool:
        """Record a read of that app; return whether its due step goes on because of it."""
        write = self._writes.get(key)
        if write is None:
            return False
        write.reads += 1
        if write.reads < READS or key not in self._held:
            return False
        write.until = self._real()
        return self._release(key)

    def opened(self, stream: OpenStream) -> bool:
        """Record a stream that was opened; return whether a due step goes on because of it."""
        self._order += 1
        stream.opened = self._order
        scope = stream.scope
        if scope is None or not self._held:
            return False
        keys = list(self._scopes.get(scope, ()))
        if scope[0] in WIDE:
            keys += [key for key in self._held if scope in self._planner.scopes(key)]
        for key in keys:
            self._release(key)
        return bool(keys)

    def keeps(self, timer: Timer) -> bool:
        """Return whether a step that is due waits, and put it aside if so."""
        key = timer.owner
        write = self._writes.get(key) if timer.last else None
        if write is None or self._is_watched(key, write):
            return False
        if write.until is None:
            write.until = self._real() + (HOLD_SECONDS if write.reads < READS else POLL_SECONDS)
        elif write.until <= self._real():
            return False
        heapq.heappush(self._untils, (write.until, write.number, key))
        self._timers.hold(timer)
        self._held[key] = write
        self._scopes.setdefault(write.scope, set()).add(key)
        return True

    def condition(self, key: Hashable) -> str:
        """Return what the app's due step waits for; "" if it doesn't wait."""
        write = self._held.get(key)
        if write is None or write.until is None:
            return ""
        seconds = max(0.0, write.until - self._real())
        return f"it waits for a client that watches or reads it since the write, at most {seconds:.1f} s of real time"

    def release_overdue(self) -> None:
        """Let those steps go on that have waited long enough."""
        while self._untils and self.next_release() == 0.0:
            self._release(heapq.heappop(self._untils)[2])

    def next_release(self) -> float | None:
        """Return the real seconds until `release_overdue` has something to do, or None if no step waits."""
        while self._untils:
            until, number, key = self._untils[0]
            write = self._held.get(key)
            if write is not None and write.number == number:
                return max(0.0, until - self._real())
            heapq.heappop(self._untils)
        return None

    def _is_watched(self, key: Hashable, write: _Write) -> bool:
        """Return whether a Watch that was opened after the write sees the app."""
        streams = self._planner.streams
        return any(stream.opened > write.number for scope in self._planner.scopes(key) for stream in streams.of(scope))

    def _release(self, key: Hashable) -> bool:
        """Let the step that waits go on; return whether there was one."""
        write = self._held.pop(key, None)
        if write is None:
            return False
        keys = self._scopes[write.scope]
        keys.discard(key)
        if not keys:
            del self._scopes[write.scope]
        self._timers.release(key)
        return True
