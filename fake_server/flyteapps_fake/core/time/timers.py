"""Timers as data, and the queue of what is due.

No sleeping and no threads: the timeline decides when to look, and dispatches what is due to the handler of its kind.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from flyteapps_control.selection import AppName
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.time.causes import Causes
from flyteapps_fake.core.time.clock import LATEST

MIN_CANCELLED = 64
"""Cancelled timers that stay in a heap: fewer are not worth a rebuild."""
_ORDER = itemgetter(0, 1)
"""The key of a timer's place: `due` and `sequence`, as `Timer.__lt__` compares them, a tenth as fast."""


class Timer(NamedTuple):
    """Something that becomes due, as data: its kind names the handler, which gets the timer.

    `progress`: it is the next step of an app that starts or stops; all else is background. `last`: it is the step that
    a client's write leads to, such as that to ACTIVE. `call`: the number of the recorded call that led to it, or 0.
    """

    due: int
    sequence: int
    owner: Hashable
    kind: str
    arguments: tuple[Any, ...] = ()
    progress: bool = True
    last: bool = False
    call: int = 0

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        """Return whether it comes before another one.

        The rest of two timers doesn't compare, and a plane that returned to a state gives numbers a second time.
        """
        return self[:2] < other[:2]


class PendingTimer(NamedTuple):
    """A timer that is not yet due, as it is listed: in nanoseconds since 1970, of which app, and why.

    `owner`: its owner in the queue; `progress`: as in the timer. `changes`: whether the app may change by it.
    """

    due: int
    app: AppName
    reason: str
    owner: Hashable
    progress: bool
    changes: bool


class _Heap:
    """Timers, the earliest first; cancelled ones stay as long as they are not most of them."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self.owners: dict[Hashable, Timer] = {}
        """The timers that are not cancelled, those put aside included."""

    def __len__(self) -> int:
        return max(len(self._timers), len(self.owners))

    def push(self, timer: Timer) -> None:
        self.owners[timer.owner] = timer
        heapq.heappush(self._timers, timer)

    def add_all(self, timers: Mapping[Hashable, Timer]) -> None:
        self.owners.update(timers)
        self._timers.extend(timers.values())
        self._timers.sort(key=_ORDER)  # what is sorted is a heap

    def first(self) -> Timer | None:
        timers, owners = self._timers, self.owners
        while timers:
            first = timers[0]
            if owners.get(first.owner) is first:
                return first
            heapq.heappop(timers)
        return None

    def put_aside(self, timer: Timer) -> None:
        """Keep a timer that was the first, and was dropped, so that it doesn't become due."""
        timers, owners = self._timers, self.owners
        while timers and ((first := timers[0]) is timer or owners.get(first.owner) is not first):
            heapq.heappop(timers)
        owners[timer.owner] = timer

    def put_back(self, owner: Hashable) -> None:
        """Let a timer that was put aside become due again."""
        timer = self.owners.get(owner)
        if timer is not None:
            heapq.heappush(self._timers, timer)

    def drop(self, owner: Hashable) -> Timer | None:
        timer = self.owners.pop(owner, None)
        if timer is None:
            return None
        dead = len(self._timers) - len(self.owners)
        if dead > MIN_CANCELLED and dead * 2 > len(self._timers):
            self._timers = list(self.owners.values())
            heapq.heapify(self._timers)
        return timer


class TimerQueue:
    """Two heaps of timers, progress and background; at most one timer an owner.

    `touch` is called with an owner before its timer changes, where `changes` are wanted.
    """

    def __init__(self, causes: Causes, changes: Changes, touch: Callable[[Hashable], None]) -> None:
        self._causes = causes
        self._changes = changes
        self._touch = touch
        self._progress = _Heap()
        self._background = _Heap()
        self.scheduled = 0
        """The number of timers that were scheduled so far."""

    def __len__(self) -> int:
        """Return how many timers are kept, cancelled ones included."""
        return len(self._progress) + len(self._background)

    def __contains__(self, owner: Hashable) -> bool:
        """Return whether the owner has a timer."""
        return owner in self._progress.owners or owner in self._background.owners

    def get(self, owner: Hashable) -> Timer | None:
        """Return the owner's timer, None if it has none."""
        return self._progress.owners.get(owner) or self._background.owners.get(owner)

    @property
    def progress(self) -> Mapping[Hashable, Timer]:
        """The progress timers, by owner."""
        return self._progress.owners

    def schedule(
        self,
        due: int,
        owner: Hashable,
        kind: str,
        *arguments: Any,
        progress: bool = True,
        last: bool = False,
    ) -> None:
        """Schedule a timer of that kind for `due`; it replaces the timer that its owner has."""
        if self._changes.on:
            self._touch(owner)
        self._drop(owner)
        self.scheduled += 1
        call = self._causes.current.call
        self._heap(progress).push(Timer(min(due, LATEST), self.scheduled, owner, kind, arguments, progress, last, call))

    def cancel(self, owner: Hashable) -> None:
        """Cancel the owner's timer, if it has one."""
        if self._changes.on and owner in self:
            self._touch(owner)
        self._drop(owner)

    def put(self, owner: Hashable, timer: Timer | None) -> None:
        """Replace the owner's timer by one that it had before, or by none."""
        if owner in self:
            self._drop(owner)
        if timer is not None:
            self._heap(timer.progress).push(timer)

    def put_new(self, timers: Mapping[Hashable, Timer]) -> None:
        """Put the timers of owners that have none, by these."""
        for progress in (True, False):
            self._heap(progress).add_all({owner: each for owner, each in timers.items() if each.progress is progress})

    @property
    def count(self) -> int:
        """The number of timers that are not cancelled."""
        return len(self._progress.owners) + len(self._background.owners)

    def pending(self, limit: int | None = None) -> list[Timer]:
        """Return the timers that are not cancelled, the earliest first, at most `limit` of them."""
        timers = chain(self._progress.owners.values(), self._background.owners.values())
        if limit is None:
            return sorted(timers, key=_ORDER)
        return heapq.nsmallest(limit, timers, key=_ORDER)

    def next_due(self) -> int | None:
        """Return when the earliest timer is due, or None."""
        first = self._first()
        return first.due if first is not None else None

    def pop(self, until: int, *, background_only: bool = False) -> Timer | None:
        """Remove and return the earliest timer that is due by `until`, or None."""
        first = self._background.first() if background_only else self._first()
        if first is None or first.due > until:
            return None
        if self._changes.on:
            self._touch(first.owner)
        self._heap(first.progress).drop(first.owner)
        return first

    def hold(self, timer: Timer) -> None:
        """Put a progress timer aside that was removed: its owner has it, but it doesn't become due."""
        self._progress.put_aside(timer)

    def release(self, owner: Hashable) -> None:
        """Let the owner's timer, which was put aside, become due."""
        self._progress.put_back(owner)

    def take(self, owner: Hashable) -> Timer | None:
        """Remove and return the owner's progress timer out of turn, or None."""
        if self._changes.on and owner in self._progress.owners:
            self._touch(owner)
        return self._progress.drop(owner)

    def _drop(self, owner: Hashable) -> None:
        if self._progress.drop(owner) is None:
            self._background.drop(owner)

    def _first(self) -> Timer | None:
        step, other = self._progress.first(), self._background.first()
        if step is None or other is None:
            return step or other
        return min(step, other)

    def _heap(self, progress: bool) -> _Heap:
        return self._progress if progress else self._background
