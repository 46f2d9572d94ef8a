"""The `auto` clock: which app may take its next step now, and which real time has to pass first.

Only progress moves, and only of apps that somebody waits for: a watcher that has
got everything so far, or a reader that asks again. Nobody waits: time stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flyteapps_fake.plane.apps import AppKey, AppRecord, AppStore
from flyteapps_fake.plane.clock import Agenda
from flyteapps_fake.plane.events import Event, EventLog, Subscription, app_scope

QUIET = 0.3
"""Real seconds without a write to an app, or a new Watch of it, after which any watcher's waiting counts."""
POLL_STEP = 0.05
"""Real seconds between two steps of an app that is polled."""


@dataclass(slots=True)
class _Moving:
    """An app that is not at rest."""

    writes: int = 0
    last_write: int = 0
    disturbed_at: float = 0.0
    reads: int = 0
    polled_at: float | None = None


class Pacer:
    """Real-time gates of apps with a step ahead."""

    def __init__(self, store: AppStore, events: EventLog, agenda: Agenda, real: Callable[[], float]) -> None:
        self._store = store
        self._events = events
        self._agenda = agenda
        self._real = real
        self._moving: dict[AppKey, _Moving] = {}
        self._order = 0

    def on_event(self, event: Event) -> None:
        """Any change of an app ends what its readers have seen."""
        record = event.new or event.old
        if record is not None:
            moving = self._moving.get(record.key)
            if moving is not None:
                moving.reads = 0

    def written(self, key: AppKey) -> None:
        """A write of that app was acknowledged."""
        if key not in self._agenda.progress:
            self._moving.pop(key, None)
            return
        moving = self._moving.setdefault(key, _Moving())
        self._order += 1
        moving.writes += 1
        moving.last_write = self._order
        moving.disturbed_at = self._real()
        moving.reads = 0
        moving.polled_at = None

    def read(self, key: AppKey) -> None:
        """A read gave that app to somebody."""
        moving = self._moving.get(key)
        if moving is not None:
            moving.reads += 1
            if moving.reads == 2 and moving.polled_at is None:
                moving.polled_at = self._real()

    def opened(self, subscription: Subscription) -> None:
        """A Watch was opened."""
        self._order += 1
        subscription.opened = self._order
        scope = subscription.scope
        if scope is not None and scope[0] == "app":
            for key in self._moving:
                if app_scope(key) == scope:
                    self._moving[key].disturbed_at = self._real()

    def sent(self, subscription: Subscription) -> None:
        """A subscription's client has got everything, and is there."""
        subscription.waiting = subscription.idle()
        subscription.confirmed_at = self._real()

    def next_gate(self) -> float | None:
        """Real seconds until `due` may give an app; None while nobody waits."""
        now = self._real()
        gates = [gate for key in self._moving if (gate := self._gate(key, now)) is not None]
        return max(0.0, min(gates) - now) if gates else None

    def due(self) -> list[AppKey]:
        """The apps that may take a step now; asks watchers that were not heard of since to say that they are there."""
        now = self._real()
        ready: list[AppKey] = []
        for key in list(self._moving):
            gate = self._gate(key, now)
            if gate is not None and gate <= now:
                ready.append(key)
        return ready

    def stepped(self, key: AppKey) -> None:
        """The app took a step; without a further one ahead it is at rest."""
        moving = self._moving.get(key)
        if moving is None:
            return
        if key not in self._agenda.progress:
            del self._moving[key]
        elif moving.polled_at is not None:
            moving.polled_at = self._real()

    def _gate(self, key: AppKey, now: float) -> float | None:
        moving = self._moving[key]
        record = self._store.get(key)
        if record is None or key not in self._agenda.progress:
            return None
        gates: list[float] = []
        if moving.polled_at is not None:
            gates.append(moving.polled_at + POLL_STEP)
        watched = self._watched_gate(record, moving, now)
        if watched is not None:
            gates.append(watched)
        return min(gates) if gates else None

    def _watched_gate(self, record: AppRecord, moving: _Moving, now: float) -> float | None:
        watchers = self._events.watchers(record)
        waiting = [s for s in watchers if s.waiting]
        if not waiting:
            return None
        scope = app_scope(record.key)
        own = [s for s in watchers if s.scope == scope]
        if moving.writes == 1 and len(own) == 1 and own[0].waiting and own[0].opened > moving.last_write:
            return own[0].confirmed_at
        gate = moving.disturbed_at + QUIET
        if gate > now or any(s.confirmed_at >= gate for s in waiting):
            return gate
        for subscription in waiting:
            # not heard of since the gate opened: it has to say again that its client is there
            subscription.waiting = False
            subscription.notify()
        return None
