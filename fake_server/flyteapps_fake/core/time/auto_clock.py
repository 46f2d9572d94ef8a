"""The `auto` clock: which app may take its next step now, and which real time has to pass first.

Only progress moves, and only of apps that a client waits for: a watcher that has
received everything so far, or a reader that polls. Without a waiting client time stands still.

A call costs what it changes, however many apps move: each moving app has one time at which it is looked at again, and
the apps that may step wait in queues, by what lets them: a Watch or polling of their own, or a Watch of many apps.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count

from flyteapps_control.selection import NO_APP, AppName
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.streams import OpenStream, Streams, StreamScope
from flyteapps_fake.core.time.timers import Timer, TimerQueue

QUIET = 0.3
"""Real seconds without a write to an app, or a new Watch of it, after which any watcher's waiting counts."""
WIDE = ("org", "project", "cluster")
"""Kinds of watches that see more than one app."""
POLL_STEP = 0.05
"""Real seconds between two steps of an app that is polled."""


class Planner(ABC):
    """A scheduler of the steps of apps, each under the app's key, which knows their watchers."""

    streams: Streams
    """The plane's open streams."""

    @abstractmethod
    def scope(self, key: Hashable) -> StreamScope:
        """Return the scope of a watch of that app alone."""

    @abstractmethod
    def scopes(self, key: Hashable) -> tuple[StreamScope, ...]:
        """Return the scopes of all watches that see the app."""

    def named(self, key: Hashable) -> AppName:
        """Return the app's name, an empty one for a key that is no app's."""
        return NO_APP

    def entry_of(self, owner: Hashable) -> Entry | None:
        """Return the place of the piece of the state that has the timer of an owner; None for one that isn't kept."""
        return None

    def awaits_report(self, key: Hashable) -> bool:
        """Return whether the state that a write of that app leads to is reported from outside, and not by a timer."""
        return False

    def settle(self) -> None:  # noqa: B027  # not every dialect has something to process
        """Process the changes of a step; called after each."""


@dataclass(slots=True)
class _Moving:
    """An app that is not at rest. `scope` is that of a watch of it alone."""

    key: Hashable
    scope: StreamScope
    writes: int = 0
    last_write: int = 0
    disturbed_at: float = 0.0
    asked: bool = False
    """Whether a client has read it since the write, and may be about to watch it."""
    reads: int = 0
    polled_at: float | None = None
    look_at: float | None = None
    """When it is looked at again; None: not before something happens."""
    ready: Timer | None = None
    """The step that is in the queue of those that may be taken."""
    quiet: Timer | None = None
    """The step that is in the queues of the watches of many apps."""


@dataclass(slots=True)
class _Watched:
    """The watches of one scope: those that are open, the last confirmed one last, and those of them that wait.

    `queue`: the steps, where the scope is of many apps, of those that have been left alone long enough.
    """

    open: set[OpenStream] = field(default_factory=set[OpenStream])
    waiting: dict[OpenStream, None] = field(default_factory=dict[OpenStream, None])
    queue: list[Timer] = field(default_factory=list[Timer])

    def confirm(self, stream: OpenStream) -> None:
        """Record that a client waits on the stream."""
        self.open.add(stream)
        self.waiting.pop(stream, None)
        self.waiting[stream] = None

    def confirmed_at(self) -> float | None:
        """Return when a waiting client last confirmed that it is there, or None; forget those that don't wait."""
        while self.waiting:
            last = next(reversed(self.waiting))
            if last.waiting:
                return last.confirmed_at
            del self.waiting[last]
        return None

    def ask_again(self) -> None:
        """Count no stream as waiting until its client has confirmed again that it is there."""
        asked, self.waiting = self.waiting, {}
        for stream in asked:
            if stream.waiting:
                stream.waiting = False
                stream.notify()


class AutoClock:
    """Real-time gates of apps with a step ahead."""

    def __init__(self, planner: Planner, timers: TimerQueue, real: Callable[[], float]) -> None:
        self._planner = planner
        self._timers = timers
        self._real = real
        self._moving: dict[Hashable, _Moving] = {}
        self._keys: dict[StreamScope, set[Hashable]] = {}
        """The moving apps by the scope of a watch of that app alone."""
        self._looks: list[tuple[float, int, Hashable]] = []
        """When each moving app is looked at again, the earliest first; an entry that isn't its app's time is void."""
        self._numbers = count()
        self._ready: list[Timer] = []
        """The steps of apps that may step."""
        self._watched: dict[StreamScope | None, _Watched] = {}
        """By scope, where a stream has waited."""
        self._wide: dict[StreamScope, _Watched] = {}
        """The scopes among them that are of many apps."""
        self._stirred: dict[StreamScope, _Watched] = {}
        """The scopes among them in which an app may have become ready since they were last looked at."""
        self._order = 0

    # ---- what happens

    def changed(self, key: Hashable) -> None:
        """Record a change of an app: earlier reads don't count any more."""
        moving = self._moving.get(key)
        if moving is not None:
            moving.reads = 0

    def written(self, key: Hashable) -> None:
        """Record an acknowledged write of that app."""
        if key not in self._timers.progress:
            self._rests(key)
            return
        scope = self._planner.scope(key)
        moving = self._moving.get(key)
        if moving is not None and moving.scope != scope:
            self._rests(key)
            moving = None
        if moving is None:
            moving = self._moving[key] = _Moving(key, scope)
            self._keys.setdefault(scope, set()).add(key)
        self._order += 1
        moving.writes += 1
        moving.last_write = self._order
        moving.disturbed_at = self._real()
        moving.asked = False
        moving.reads = 0
        moving.polled_at = None
        self._look_later(moving, moving.disturbed_at)

    def asked(self, key: Hashable) -> None:
        """Record that a client knows of that app without having changed it, by a read or a refused Create."""
        moving = self._moving.get(key)
        if moving is not None:
            moving.asked = True
            moving.disturbed_at = self._real()

    def read(self, key: Hashable) -> None:
        """Record a read of that app."""
        moving = self._moving.get(key)
        if moving is not None:
            self.asked(key)
            moving.reads += 1
            if moving.reads == 2 and moving.polled_at is None:
                moving.polled_at = self._real()
                self._look_later(moving, moving.polled_at + POLL_STEP)

    def opened(self, stream: OpenStream) -> None:
        """Record a Watch that was opened."""
        self._order += 1
        stream.opened = self._order
        for moving in self._of(stream.scope):
            moving.disturbed_at = self._real()

    def sent(self, stream: OpenStream) -> None:
        """Record that a stream's client has received everything, and is there."""
        stream.waiting = stream.is_caught_up()
        stream.confirmed_at = self._real()
        if not stream.waiting:
            return
        scope = stream.scope
        watched = self._watched.get(scope)
        if watched is None:
            watched = self._watched[scope] = _Watched()
            if scope is not None and scope[0] in WIDE:
                self._wide[scope] = watched
                self._fill(watched, scope)
        watched.confirm(stream)
        if scope in self._wide:
            self._stirred[scope] = watched
        self._look_now(scope)

    def closed(self, stream: OpenStream) -> None:
        """Record that a stream was closed."""
        scope = stream.scope
        watched = self._watched.get(scope)
        if watched is not None:
            watched.open.discard(stream)
            watched.waiting.pop(stream, None)
            if not watched.open:
                del self._watched[scope]
                if scope is not None:
                    self._wide.pop(scope, None)
                    self._stirred.pop(scope, None)
        self._look_now(scope)

    def stepped(self, key: Hashable) -> None:
        """Record a step of the app; without a further one ahead it is at rest."""
        moving = self._moving.get(key)
        if moving is None:
            return
        for scope in self._planner.scopes(key) if self._wide else ():
            if scope in self._wide:
                self._stirred[scope] = self._wide[scope]
        if key not in self._timers.progress:
            self._rests(key)
            return
        now = self._real()
        if moving.polled_at is not None:
            moving.polled_at = now
        self._look_later(moving, now)

    def condition(self, key: Hashable) -> str:
        """Return what has to happen before the app takes its next step; "" for an app that is at rest."""
        moving = self._moving.get(key)
        if moving is None:
            return ""
        if moving.polled_at is not None:
            return f"a client polls it, for a step each {POLL_STEP:g} s of real time"
        watched = (self._watched.get(scope) for scope in (moving.scope, *self._planner.scopes(key)))
        if any(each is not None and each.confirmed_at() is not None for each in watched):
            return f"a client waits for it, and it goes on once no client has touched it for {QUIET:g} s of real time"
        return "time stands still until a client waits for it, by reading from a Watch of it, or by a second Get"

    # ---- what may happen now

    def next_gate(self) -> float | None:
        """Return the real seconds until `due` may return an app, or None if only a client's action can change that."""
        if not self._moving:
            return None
        if self.due() is not None:
            return 0.0
        while self._looks:
            time, _, key = self._looks[0]
            moving = self._moving.get(key)
            if moving is not None and moving.look_at == time:
                return max(0.0, time - self._real())
            heapq.heappop(self._looks)
        return None

    def due(self) -> Hashable | None:
        """Return the app that takes a step now: of those whose gate is open, the one whose step is due first."""
        if not self._moving:
            return None
        now = self._real()
        while self._looks and self._looks[0][0] <= now:
            time, _, key = heapq.heappop(self._looks)
            moving = self._moving.get(key)
            if moving is not None and moving.look_at == time:
                moving.look_at = None
                self._look(moving, now)
        stirred, self._stirred = self._stirred, {}
        for watched in stirred.values():
            timer = self._first_quiet(watched, now)
            if timer is not None:
                self._is_ready(self._moving[timer.owner], timer)
        return self._first_ready(now)

    def _look(self, moving: _Moving, now: float) -> None:
        """Put the app's step into the queues where it belongs by now, or schedule the next look."""
        timer = self._timers.progress.get(moving.key)
        if timer is None:
            return
        gate = self._gate(moving, now)
        if gate is not None and gate > now:
            self._look_later(moving, gate)
        elif gate is not None:
            self._is_ready(moving, timer)
        quiet = moving.disturbed_at + QUIET
        if quiet > now:
            self._look_later(moving, quiet)
        elif moving.quiet is not timer:
            moving.quiet = timer
            for scope in self._planner.scopes(moving.key) if self._wide else ():
                if scope in self._wide:
                    heapq.heappush(self._wide[scope].queue, timer)
                    self._stirred[scope] = self._wide[scope]

    def _is_ready(self, moving: _Moving, timer: Timer) -> None:
        if moving.ready is not timer:
            moving.ready = timer
            heapq.heappush(self._ready, timer)

    def _first_ready(self, now: float) -> Hashable | None:
        """Return the app whose step is due first, of those that are still ready."""
        queue = self._ready
        while queue:
            timer = queue[0]
            moving = self._moving.get(timer.owner)
            if moving is not None and moving.ready is timer:
                if self._timers.progress.get(timer.owner) is timer:
                    gate = self._gate(moving, now)
                    if (gate is not None and gate <= now) or self._is_awaited(moving):
                        return timer.owner
                    if gate is not None:
                        self._look_later(moving, gate)
                moving.ready = None
            heapq.heappop(queue)
        return None

    def _is_awaited(self, moving: _Moving) -> bool:
        """Return whether watchers of many apps wait for it that confirmed since it was left alone long enough."""
        for scope in self._planner.scopes(moving.key) if self._wide else ():
            watched = self._wide.get(scope)
            confirmed_at = watched.confirmed_at() if watched is not None else None
            if confirmed_at is not None and confirmed_at >= moving.disturbed_at + QUIET:
                return True
        return False

    def _first_quiet(self, watched: _Watched, now: float) -> Timer | None:
        """Return the first step that watchers of many apps wait for."""
        confirmed_at = watched.confirmed_at()
        if confirmed_at is None:
            return None
        queue = watched.queue
        while queue:
            timer = queue[0]
            moving = self._moving.get(timer.owner)
            if moving is not None and self._timers.progress.get(timer.owner) is timer:
                quiet = moving.disturbed_at + QUIET
                if quiet <= confirmed_at:
                    return timer
                if quiet <= now:
                    watched.ask_again()
                    return None
                moving.quiet = None
                self._look_later(moving, quiet)
            heapq.heappop(queue)
        return None

    def _gate(self, moving: _Moving, now: float) -> float | None:
        """Return when the app may step, since it is polled or watched by itself; None for not before another change."""
        gates = [moving.polled_at + POLL_STEP] if moving.polled_at is not None else []
        watched = self._watched.get(moving.scope)
        confirmed_at = watched.confirmed_at() if watched is not None else None
        if watched is not None and confirmed_at is not None:
            gate = moving.disturbed_at + QUIET
            if self._alone(moving, watched):
                gates.append(confirmed_at)
            elif gate > now or confirmed_at >= gate:
                gates.append(gate)
            else:
                # no confirmation since the gate opened: their clients have to confirm again that they are there
                watched.ask_again()
        return min(gates, default=None)

    def _alone(self, moving: _Moving, watched: _Watched) -> bool:
        """Return whether one client wrote the app once, has watched it since, and no other client knows of it."""
        if moving.writes != 1 or moving.asked or len(self._planner.streams.of(moving.scope)) != 1:
            return False
        return next(iter(watched.waiting)).opened > moving.last_write

    # ---- bookkeeping

    def _of(self, scope: StreamScope | None) -> list[_Moving]:
        """Return the moving apps of a scope of one app."""
        return [self._moving[key] for key in self._keys.get(scope, ())] if scope is not None else []

    def _look_now(self, scope: StreamScope | None) -> None:
        for moving in self._of(scope):
            self._look_later(moving, self._real())

    def _look_later(self, moving: _Moving, at: float) -> None:
        if moving.look_at is None or at < moving.look_at:
            moving.look_at = at
            heapq.heappush(self._looks, (at, next(self._numbers), moving.key))

    def _fill(self, watched: _Watched, scope: StreamScope) -> None:
        """Fill the queue of a scope without earlier watches; apps that are disturbed are added later."""
        found = [
            timer
            for key in self._moving
            if (timer := self._timers.progress.get(key)) is not None and scope in self._planner.scopes(key)
        ]
        heapq.heapify(found)
        watched.queue = found

    def _rests(self, key: Hashable) -> None:
        moving = self._moving.pop(key, None)
        if moving is not None:
            self._keys[moving.scope].discard(key)
            if not self._keys[moving.scope]:
                del self._keys[moving.scope]
