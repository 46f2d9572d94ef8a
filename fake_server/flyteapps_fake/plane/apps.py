"""The store: each app as immutable encoded bytes beside a small record of its index keys, and sorted indexes.

A record is never changed: a write puts a new one in its place, so a reader may keep one as long as it likes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from sortedcontainers import SortedList

from flyteapps_fake.plane.clock import from_timestamp
from flyteapps_fake.plane.lifecycle import status_name
from flyteapps_fake.plane.pools import wanted_by
from flyteapps_fake.plane.wire import encode


class AppKey(NamedTuple):
    """What identifies an app, case-sensitive."""

    org: str
    project: str
    domain: str
    name: str

    @classmethod
    def of(cls, app_id: Identifier) -> AppKey:
        return cls(app_id.org, app_id.project, app_id.domain, app_id.name)

    def interned(self) -> AppKey:
        """The same key whose texts are shared with those of other apps: for keeping."""
        return AppKey(sys.intern(self.org), sys.intern(self.project), sys.intern(self.domain), self.name)

    def __str__(self) -> str:
        return "/".join(self)


class AppRecord:
    """One version of an app: its bytes and what the indexes need."""

    __slots__ = (
        "changed_at",
        "cluster",
        "counter",
        "created_at",
        "deployment",
        "desired_state",
        "encoded",
        "incarnation",
        "key",
        "lease",
        "replicas",
        "revision",
        "status",
        "substate",
        "updated_at",
        "wanted",
    )

    def __init__(self, key: AppKey, app: App, incarnation: int, old: AppRecord | None) -> None:
        status, last = app.status, app.status.conditions[-1]
        self.key = key
        self.encoded = encode(app)
        self.incarnation = incarnation
        self.revision = app.metadata.revision
        self.cluster = sys.intern(status.assigned_cluster)
        self.lease = from_timestamp(status.lease_expiration) if status.HasField("lease_expiration") else 0
        """When the lease that nobody has acknowledged runs out; 0 for none."""
        self.replicas = status.current_replicas
        self.status: int = last.deployment_status
        self.substate: int = last.substate
        self.counter = last.revision
        self.changed_at = from_timestamp(last.last_transition_time)
        if old is not None and old.revision == self.revision:
            self.created_at = old.created_at
            self.updated_at = old.updated_at
            self.desired_state: int = old.desired_state
            self.deployment = old.deployment
            self.wanted = old.wanted
        else:
            self.created_at = from_timestamp(status.created_at)
            self.updated_at = from_timestamp(status.last_updated_at)
            self.desired_state = app.spec.desired_state
            self.deployment = deployment_id(app.spec)
            self.wanted = wanted_by(app.spec)

    def parse(self) -> App:
        """A message of the caller's own."""
        return App.FromString(self.encoded)


def deployment_id(spec: Spec) -> str:
    """16 hex digits of what a cluster would run; fields that change nothing there are left out."""
    bare = Spec()
    bare.CopyFrom(spec)
    for name in ("creator", "profile", "links", "runtime_metadata", "ingress", "desired_state"):
        bare.ClearField(name)
    return hashlib.sha256(encode(bare)).hexdigest()[:16]


Scope = tuple[str, ...]
"""("org",), ("project", PROJECT, DOMAIN) or ("cluster", NAME)."""

SortValue = int | str
IndexEntry = tuple[SortValue, AppKey]

SORT_KEYS: dict[str, Callable[[AppRecord], SortValue]] = {
    "created_at": lambda record: record.created_at,
    "name": lambda record: record.key.name,
    "updated_at": lambda record: record.updated_at,
    "status_phase": lambda record: status_name(record.status),
    "revision": lambda record: record.revision,
}
_ALWAYS = ("created_at", "name")


def scopes_of(record: AppRecord) -> tuple[Scope, ...]:
    """The scopes an app is listed and watched under."""
    key = record.key
    scopes: tuple[Scope, ...] = (("org",), ("project", key.project, key.domain))
    return (*scopes, ("cluster", record.cluster)) if record.cluster else scopes


class AppStore:
    """All apps of one plane, by key and in sorted order by scope."""

    def __init__(self) -> None:
        self._records: dict[AppKey, AppRecord] = {}
        self._members: dict[Scope, dict[str, SortedList[IndexEntry]]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: AppKey) -> AppRecord | None:
        return self._records.get(key)

    def put(self, old: AppRecord | None, new: AppRecord | None) -> None:
        """Replaces `old` by `new`; None is absence. The caller has made sure that `old` is the stored one."""
        if new is not None:
            self._records[new.key] = new
        elif old is not None:
            del self._records[old.key]
        before = scopes_of(old) if old is not None else ()
        after = scopes_of(new) if new is not None else ()
        entries: dict[str, IndexEntry] = {}
        for scope in before:
            if old is not None:
                self._leave(scope, old, new if scope in after else None, entries)
        for scope in after:
            if new is not None and scope not in before:
                self._join(scope, new, entries)

    def _leave(self, scope: Scope, old: AppRecord, new: AppRecord | None, entries: dict[str, IndexEntry]) -> None:
        indexes = self._members[scope]
        for sort_key, index in indexes.items():
            if new is None:
                index.remove((SORT_KEYS[sort_key](old), old.key))
            elif sort_key not in _ALWAYS or new.created_at != old.created_at:
                before, after = SORT_KEYS[sort_key](old), SORT_KEYS[sort_key](new)
                if before != after:
                    index.remove((before, old.key))
                    index.add(entries.setdefault(sort_key, (after, new.key)))
        if new is None and not indexes["name"]:
            del self._members[scope]

    def _join(self, scope: Scope, new: AppRecord, entries: dict[str, IndexEntry]) -> None:
        indexes = self._members.get(scope)
        if indexes is None:
            indexes = self._members[scope] = {sort_key: SortedList() for sort_key in _ALWAYS}
        for sort_key, index in indexes.items():
            entry = entries.get(sort_key)
            if entry is None:
                entry = entries[sort_key] = (SORT_KEYS[sort_key](new), new.key)
            index.add(entry)

    def index(self, scope: Scope, sort_key: str) -> SortedList[IndexEntry] | None:
        """The scope's entries in the order of that sort key, built on its first use; None for an empty scope."""
        indexes = self._members.get(scope)
        if indexes is None:
            return None
        found = indexes.get(sort_key)
        if found is None:
            value = SORT_KEYS[sort_key]
            found = SortedList((value(self._records[key]), key) for _, key in indexes["name"])
            indexes[sort_key] = found
        return found

    def projects(self) -> set[str]:
        """The names of the projects that hold an app."""
        return {scope[1] for scope in self._members if scope[0] == "project"}

    def members(self, scope: Scope) -> Iterator[AppRecord]:
        """The scope's apps in order of creation, then id."""
        index = self.index(scope, "created_at")
        for _, key in index if index is not None else ():
            yield self._records[key]
