"""Commits, the one way in which an app changes: a new record, a tick of the clock, one event to the data plane.

Decisions are made elsewhere (writes, leases, status); here they become fact.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from flyteapps_fake.core.call import Identity, Sees
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.history import Change, History
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.simulation.step_logs import StepLogs
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.ingress import Hosts
from flyteapps_fake.standard.listing import Tokens
from flyteapps_fake.standard.operators.pools import Pools
from flyteapps_fake.standard.operators.waiting import Waiting, lease_timer
from flyteapps_fake.standard.organization import Organization
from flyteapps_fake.standard.replicas import Replica, ReplicaBook
from flyteapps_fake.standard.simulation.log_lines import SimulatedLines
from flyteapps_fake.standard.store import AppStore
from flyteapps_fake.standard.watch import Event, EventLog

WATCH_BUFFER = 1_000
"""Events that a slow watcher may fall behind before its stream ends, where nothing else is configured."""
MAX_DELETED_IDS = 100_000
"""Ids of deleted apps that are remembered: created again, an app gets another host name."""


STANDARD_APPS, DELETED_IDS, STANDARD_PLANE = "standard_apps", "deleted_ids", "standard_plane"
"""The sections of the state of a plane."""


class LineSource(Protocol):
    """The log lines of replicas."""

    def between(
        self, record: AppRecord, replicas: Sequence[Replica], after: int, until: int
    ) -> Sequence[Iterable[Line]]:
        """Return each replica's lines later than `after`, up to and including `until`, in order."""
        ...

    def next_at(self, record: AppRecord, replicas: Sequence[Replica], after: int) -> int | None:
        """Return when one of the replicas logs its next line, None where that is unknown."""
        ...


class State:
    """The state of one plane."""

    def __init__(self, settings: Settings, timeline: Timeline) -> None:
        self.settings = settings
        self.timeline = timeline
        self.clock = timeline.clock
        self.lock = timeline.lock
        """The plane's lock."""
        self.seed = timeline.seed
        """The seed of every random draw."""
        self.changes = timeline.changes
        self.organization = Organization(settings.org, self._touch_plane)
        self.store = AppStore()
        self.timers = timeline.timers
        self.pools = Pools(settings, self._touch_plane)
        self.waiting = Waiting()
        self.replicas = ReplicaBook(timeline.seed)
        self.step_logs = StepLogs()
        self.lines: LineSource = SimulatedLines(self.step_logs)
        """The log lines of replicas."""
        self.events = EventLog(settings.watch_buffer or WATCH_BUFFER, self.lock, self.changes)
        self.hosts = Hosts(settings)
        self.tokens = Tokens(timeline.seed)
        self.actor = Identity(settings.subject).enriched()
        """The caller of the RPC that is being answered."""
        self.authenticated = settings.auth is not None
        """Whether callers are who they say, so that no app names another creator."""
        self.sees: Sees | None = None
        """Whether that caller may see the apps of a project; None where it sees all."""
        self.on_event: Callable[[Event], None] | None = None
        self.scheduled: Callable[[], None] = timeline.scheduled
        """Notifies the timeline's listeners that timers may have changed."""
        self.history: History[AppKey, AppRecord] | None = None
        """The changes of the last while; None as long as no read needs them."""
        self.deleted: dict[bytes, int] = {}
        """The counts of creations of deleted ids, by the ids' digests, as ids may be long. The oldest
        are forgotten."""
        self._pending: deque[Event] = deque()
        self._later: deque[Callable[[], None]] = deque()
        self._busy = False

    def require(self, key: AppKey) -> AppRecord:
        """Return the app. Raises NOT_FOUND."""
        return self.found(key, self.store.get(key))

    def found(self, key: AppKey, record: AppRecord | None) -> AppRecord:
        """Return the record that was found under a key. Raises NOT_FOUND where there is none."""
        if record is None:
            self.organization.require(key.org)
            raise RpcError(Code.NOT_FOUND, f"app {key} not found")
        return record

    def next_incarnation(self, key: AppKey) -> int:
        """Return how often an absent id has been created, the next time included."""
        return self.deleted.get(digest_of(key), 0) + 1 if self.deleted else 1

    def commit(self, draft: Draft) -> AppRecord:
        """Commit the draft as one event; the clock has ticked for it."""
        old = draft.old
        new = AppRecord(draft, old.incarnation if old is not None else self.next_incarnation(draft.key))
        self._replace(old, new)
        return new

    def remove(self, old: AppRecord) -> None:
        """Remove the app as one event; the clock has ticked for it."""
        self._delete(digest_of(old.key), old.incarnation)
        if len(self.deleted) > MAX_DELETED_IDS:
            self._delete(next(iter(self.deleted)), 0)
        self._replace(old, None)

    def _delete(self, digest: bytes, incarnation: int) -> None:
        """Remember how often a deleted id was created; forget it for 0."""
        if self.changes.on:
            self.changes.touch(DELETED_IDS, digest)
        self.deleted.pop(digest, None)
        if incarnation:
            self.deleted[digest] = incarnation

    def _touch_plane(self) -> None:
        """Record that what the plane holds besides apps is about to change."""
        if self.changes.on:
            self.changes.touch(STANDARD_PLANE, "")

    def _replace(self, old: AppRecord | None, new: AppRecord | None) -> None:
        if self.changes.on:
            self.changes.touch(STANDARD_APPS, (new or old).key)  # type: ignore[union-attr]  # one of them is there
        self.store.put(old, new)
        self.waiting.put(old, new)
        if old is not None and old.lease and (new is None or new.lease != old.lease):
            self.timers.cancel(lease_timer(old.key))
        self.replicas.follow(old, new, self.clock.now())
        self._record_usage(old, new)
        event = Event(old, new, self.timeline.causes.current, self.changes.batch if self.changes.saves else 0)
        if self.history is not None:
            key = (new or old).key  # type: ignore[union-attr]  # one of them is there
            self.history.add(Change(self.clock.now(), key, old, new, event.size))
        was_busy, self._busy = self._busy, True
        try:
            self.events.publish(event)
        finally:
            self._busy = was_busy
        self._pending.append(event)

    def _record_usage(self, old: AppRecord | None, new: AppRecord | None) -> None:
        """Record another number of replicas, and forget an app that is gone."""
        if new is None:
            if old is not None:
                self.timeline.usage.forget(old.key.named())
            return
        before = old.replicas if old is not None else 0
        if new.replicas != before:
            self.timeline.usage.scaled(new.key.named(), before, new.replicas)

    def soon(self, action: Callable[[], None]) -> None:
        """Run `action` before the plane is left: at once, unless a commit is being published."""
        self._later.append(action)
        if not self._busy:
            self.settle()

    def settle(self) -> None:
        """Send the committed events to the data plane, until it has nothing left to answer."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._pending or self._later:
                if self._later:
                    self._later.popleft()()
                else:
                    event = self._pending.popleft()
                    if self.on_event is not None:
                        self.on_event(event)
        finally:
            self._busy = False
        self.scheduled()


def digest_of(key: AppKey) -> bytes:
    """Return 24 bytes that stand for an id; the first eight stand for its project."""
    return project_digest(key.project) + hashlib.blake2b(repr(key).encode(), digest_size=16).digest()


def project_digest(project: str) -> bytes:
    """Return 8 bytes that stand for a project."""
    return hashlib.blake2b(project.encode(), digest_size=8).digest()
