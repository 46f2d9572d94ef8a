"""The `auto` clock: which app may take its next step now, and which real time has to pass first.

Only progress moves, and only of apps that somebody waits for: a watcher that has
got everything so far, or a reader that asks again. Nobody waits: time stands still.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from flyteapps_fake.plane.clock import Agenda
from flyteapps_fake.plane.streams import OpenStream, StreamScope

QUIET = 0.3
"""Real seconds without a write to an app, or a new Watch of it, after which any watcher's waiting counts."""
WIDE = ("org", "project", "cluster")
"""Kinds of watches that see more than one app."""
POLL_STEP = 0.05
"""Real seconds between two steps of an app that is polled."""


@dataclass(slots=True)
class _Moving:
    """An app that is not at rest. `scope` is that of a watch of it alone."""

    scope: StreamScope
    writes: int = 0
    last_write: int = 0
    disturbed_at: float = 0.0
    asked: bool = False
    """Somebody has looked at it since the write, and may be about to watch it."""
    reads: int = 0
    polled_at: float | None = None


class Planner(ABC):
    """Who plans the steps of apps, each under a key of the app's, and knows who watches them."""

    @abstractmethod
    def scope(self, key: Hashable) -> StreamScope:
        """The scope of a watch of that app alone."""

    @abstractmethod
    def watchers(self, key: Hashable) -> Iterable[OpenStream]:
        """The open streams that see the app."""

    def settle(self) -> None:  # noqa: B027  # who concludes nothing has nothing to do
        """Called after each step: draws the conclusions of what it changed."""


class Pacer:
    """Real-time gates of apps with a step ahead."""

    def __init__(self, planner: Planner, agenda: Agenda, real: Callable[[], float]) -> None:
        self._planner = planner
        self._agenda = agenda
        self._real = real
        self._moving: dict[Hashable, _Moving] = {}
        self._keys: dict[StreamScope, set[Hashable]] = {}
        """The moving apps by the scope of a watch of that app alone."""
        self._polled: set[Hashable] = set()
        self._waiting: dict[StreamScope | None, set[OpenStream]] = {}
        """Open streams that have waited, by scope."""
        self._wide: set[StreamScope | None] = set()
        """Those of these scopes that see more than one app."""
        self._order = 0

    def changed(self, key: Hashable) -> None:
        """Any change of an app ends what its readers have seen."""
        moving = self._moving.get(key)
        if moving is not None:
            moving.reads = 0

    def written(self, key: Hashable) -> None:
        """A write of that app was acknowledged."""
        if key not in self._agenda.progress:
            self._rests(key)
            return
        scope = self._planner.scope(key)
        moving = self._moving.get(key)
        if moving is not None and moving.scope != scope:
            self._rests(key)
            moving = None
        if moving is None:
            moving = self._moving[key] = _Moving(scope)
            self._keys.setdefault(scope, set()).add(key)
        self._polled.discard(key)
        self._order += 1
        moving.writes += 1
        moving.last_write = self._order
        moving.disturbed_at = self._real()
        moving.asked = False
        moving.reads = 0
        moving.polled_at = None

    def asked(self, key: Hashable) -> None:
        """Somebody learnt of that app without changing it, by a read or a Create that was refused."""
        moving = self._moving.get(key)
        if moving is not None:
            moving.asked = True
            moving.disturbed_at = self._real()

    def read(self, key: Hashable) -> None:
        """A read gave that app to somebody."""
        moving = self._moving.get(key)
        if moving is not None:
            self.asked(key)
            moving.reads += 1
            if moving.reads == 2 and moving.polled_at is None:
                moving.polled_at = self._real()
                self._polled.add(key)

    def opened(self, stream: OpenStream) -> None:
        """A Watch was opened."""
        self._order += 1
        stream.opened = self._order
        for key in self._keys.get(stream.scope, ()) if stream.scope is not None else ():
            self._moving[key].disturbed_at = self._real()

    def sent(self, stream: OpenStream) -> None:
        """A stream's client has got everything, and is there."""
        stream.waiting = stream.idle()
        stream.confirmed_at = self._real()
        if stream.waiting:
            scope = stream.scope
            self._waiting.setdefault(scope, set()).add(stream)
            if scope is not None and scope[0] in WIDE:
                self._wide.add(scope)

    def next_gate(self) -> float | None:
        """Real seconds until `due` may give an app; None while nobody waits."""
        now = self._real()
        gates = [gate for key in self._awaited() if (gate := self._gate(key, now)) is not None]
        return max(0.0, min(gates) - now) if gates else None

    def due(self) -> Hashable | None:
        """The app that takes a step now: of those whose gate is open, the one whose step is due first."""
        now = self._real()
        ready = [key for key in self._awaited() if (gate := self._gate(key, now)) is not None and gate <= now]
        return min(ready, key=self._agenda.progress.__getitem__, default=None)

    def stepped(self, key: Hashable) -> None:
        """The app took a step; without a further one ahead it is at rest."""
        moving = self._moving.get(key)
        if moving is None:
            return
        if key not in self._agenda.progress:
            self._rests(key)
        elif moving.polled_at is not None:
            moving.polled_at = self._real()

    def _rests(self, key: Hashable) -> None:
        self._polled.discard(key)
        moving = self._moving.pop(key, None)
        if moving is not None:
            self._keys[moving.scope].discard(key)
            if not self._keys[moving.scope]:
                del self._keys[moving.scope]

    def closed(self, stream: OpenStream) -> None:
        """A stream was closed: nobody waits there any more."""
        scope = stream.scope
        members = self._waiting.get(scope)
        if members is not None:
            members.discard(stream)
            if not members:
                del self._waiting[scope]
                self._wide.discard(scope)

    def _awaited(self) -> set[Hashable]:
        """The moving apps that somebody polls or may wait for; costs what is awaited, not what moves."""
        keys = set(self._polled)
        for scope in self._keys.keys() & self._waiting.keys():
            if self._waits(scope):
                keys.update(self._keys[scope])
        if self._moving and any(map(self._waits, self._wide)):
            keys.update(self._moving)
        return keys

    def _waits(self, scope: StreamScope | None) -> bool:
        return any(each.waiting for each in self._waiting[scope])

    def _gate(self, key: Hashable, now: float) -> float | None:
        moving = self._moving[key]
        if key not in self._agenda.progress:
            return None
        gates: list[float] = []
        if moving.polled_at is not None:
            gates.append(moving.polled_at + POLL_STEP)
        watched = self._watched_gate(key, moving, now)
        if watched is not None:
            gates.append(watched)
        return min(gates) if gates else None

    def _watched_gate(self, key: Hashable, moving: _Moving, now: float) -> float | None:
        watchers = tuple(self._planner.watchers(key))
        waiting = [s for s in watchers if s.waiting]
        if not waiting:
            return None
        own = [s for s in watchers if s.scope == moving.scope]
        alone = moving.writes == 1 and not moving.asked and len(own) == 1
        if alone and own[0].waiting and own[0].opened > moving.last_write:
            return own[0].confirmed_at
        gate = moving.disturbed_at + QUIET
        if gate > now or any(s.confirmed_at >= gate for s in waiting):
            return gate
        for stream in waiting:
            # not heard of since the gate opened: it has to say again that its client is there
            stream.waiting = False
            stream.notify()
        return None
