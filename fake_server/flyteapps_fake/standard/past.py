"""Get, List and Watch as they would have been answered some time ago, for the faults of the control API.

The records of then are those of now, with the later changes undone. Requests come with their org filled in and
validated, as in reads.py.
"""

from __future__ import annotations

from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest, WatchRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.history import undone
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.listing import list_apps
from flyteapps_fake.standard.reads import UNKNOWN_INGRESS, scope_of
from flyteapps_fake.standard.store import AppStore
from flyteapps_fake.standard.watch import Event, Subscription


class Past:
    """The apps of a plane as they were `age` nanoseconds ago."""

    def __init__(self, state: State, age: int) -> None:
        self._state = state
        self._age = age
        self._changes = state.history.after(state.clock.now() - age) if state.history is not None else []
        self._undone = undone(self._changes)

    def get(self, request: GetRequest) -> AppRecord:
        """Return the app of that id, or the owner of those URLs. Raises NOT_FOUND."""
        state = self._state
        if request.HasField("app_id"):
            key = AppKey.of(request.app_id)
            self._read(key)
            return state.found(key, self._find(key))
        found = self._resolve(request)
        if found is None or (state.sees is not None and not state.sees(found.key.project, found.key.domain)):
            raise RpcError(Code.NOT_FOUND, UNKNOWN_INGRESS)
        self._read(found.key)
        return found

    def list_(self, request: ListRequest) -> bytes:
        """Return one page, encoded."""
        encoded, page = list_apps(
            self._store(), self._state.tokens, self._state.organization.name, request, self._state.sees
        )
        for key in dict.fromkeys((*(record.key for record in page), *self._undone)):
            self._read(key)
        return encoded

    def watch(self, request: WatchRequest) -> Subscription:
        """Return a subscription that starts with a snapshot of then, and the events since."""
        state = self._state
        scope = scope_of(request, state.organization.name)
        if scope is None:
            return state.events.subscribe(None, ())
        if scope[0] == "app":
            record = self._find(AppKey.of(request.app_id))
            snapshot = [record] if record is not None else []
        else:
            snapshot = list(self._store().members(scope))
        return state.events.subscribe(scope, snapshot, [Event(each.old, each.new) for each in self._changes])

    def _find(self, key: AppKey) -> AppRecord | None:
        change = self._undone.get(key)
        return change.old if change is not None else self._state.store.get(key)

    def _store(self) -> AppStore:
        """Return a store of the apps of then."""
        present = self._state.store
        if not self._undone:
            return present
        store = AppStore()
        store.add_all(record for record in present.members(("org",)) if record.key not in self._undone)
        store.add_all(change.old for change in self._undone.values() if change.old is not None)
        return store

    def _resolve(self, request: GetRequest) -> AppRecord | None:
        """Return the app that the URLs led to."""
        hosts = self._state.hosts.copy()
        for key in self._undone:
            record = self._state.store.get(key)
            if record is not None:
                hosts.move(key, None)
        for key, change in self._undone.items():
            if change.old is not None:
                hosts.move(key, change.old.parse_status().ingress)
        key = hosts.resolve(request.ingress)
        return self._find(key) if key is not None else None

    def _read(self, key: AppKey) -> None:
        """Record the read of an app."""
        timeline = self._state.timeline
        timeline.read_late(key)
        change = self._undone.get(key)
        if change is not None:
            timeline.read_past(key, change.at + self._age)
