"""The one way in which an app changes: a new record, a tick of the clock, one event, and the data plane told.

Decisions are made elsewhere (writes, leases, status); here they become fact.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable

from flyteidl2.app.app_definition_pb2 import App, Condition, Spec

from flyteapps_fake.plane.apps import AppKey, AppRecord, AppStore
from flyteapps_fake.plane.clock import Clock, timestamp
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.events import Event, EventLog
from flyteapps_fake.plane.identity import Organization
from flyteapps_fake.plane.ingress import Hosts
from flyteapps_fake.plane.lifecycle import Cause, legal, status_name
from flyteapps_fake.plane.listing import Tokens
from flyteapps_fake.plane.wire import encode
from flyteapps_fake.settings import Settings

MAX_CONDITIONS = 100


class State:
    """Everything that one plane holds."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.lock = threading.RLock()
        """Whoever enters the plane holds it."""
        self.organization = Organization(settings.org)
        self.store = AppStore()
        self.events = EventLog(settings.watch_buffer, self.lock)
        self.hosts = Hosts(settings)
        self.tokens = Tokens(settings.seed, epoch=0)
        self.on_event: Callable[[Event], None] | None = None
        self._incarnations: dict[AppKey, int] = {}
        self._pending: deque[Event] = deque()
        self._reacting = False

    def require(self, key: AppKey) -> AppRecord:
        """The app, or NOT_FOUND."""
        record = self.store.get(key)
        if record is None:
            raise RpcError(Code.NOT_FOUND, f"app {key} not found")
        return record

    def next_incarnation(self, key: AppKey) -> int:
        """How often the id has been created, this time included."""
        return self._incarnations.get(key, 0) + 1

    def commit(self, old: AppRecord | None, app: App | None) -> AppRecord | None:
        """Makes `app` (None: its absence) the state, as one event; the clock has ticked for it."""
        new: AppRecord | None = None
        if app is not None:
            key = old.key if old is not None else AppKey.of(app.metadata.id).interned()
            if old is None:
                self._incarnations[key] = self.next_incarnation(key)
            new = AppRecord(key, app, self._incarnations[key])
        self.store.put(old, new)
        event = Event(old, new)
        self.events.publish(event)
        self._pending.append(event)
        return new

    def react(self) -> None:
        """Tells the data plane of what was committed, until it has nothing left to answer."""
        if self._reacting:
            return
        self._reacting = True
        try:
            while self._pending:
                event = self._pending.popleft()
                if self.on_event is not None:
                    self.on_event(event)
        finally:
            self._reacting = False


def append_condition(app: App, condition: Condition, cause: Cause, now: int) -> None:
    """Adds a condition, stamped by the plane; only moves of the table are taken."""
    conditions = app.status.conditions
    last = conditions[-1] if conditions else None
    source = last.deployment_status if last is not None else None
    if not legal(source, condition.deployment_status, cause):
        names = [status_name(s) if s is not None else "nothing" for s in (source, condition.deployment_status)]
        raise RpcError(Code.FAILED_PRECONDITION, f"app {app.metadata.id.name}: no move from {names[0]} to {names[1]}")
    condition.revision = (last.revision if last is not None else 0) + 1
    condition.last_transition_time.CopyFrom(timestamp(now))
    condition.deployment_id = deployment_id(app.spec)
    conditions.append(condition)
    if len(conditions) > MAX_CONDITIONS:
        del conditions[: len(conditions) - MAX_CONDITIONS]


def deployment_id(spec: Spec) -> str:
    """16 hex digits of what a cluster would run; fields that change nothing there are left out."""
    bare = Spec()
    bare.CopyFrom(spec)
    for name in ("creator", "profile", "links", "runtime_metadata", "ingress", "desired_state"):
        bare.ClearField(name)
    return hashlib.sha256(encode(bare)).hexdigest()[:16]
