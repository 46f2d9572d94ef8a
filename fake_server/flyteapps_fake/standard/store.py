"""The store: every app's record by key, and sorted indexes by scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sortedcontainers import SortedList

from flyteapps_fake.core.lifecycle import status_name
from flyteapps_fake.standard.apps import AppKey, AppRecord

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
_ALWAYS = "created_at"
"""The sort key of the index that each scope has; the others are built when they are asked for."""


def scopes_of(record: AppRecord) -> tuple[Scope, ...]:
    """Return the scopes that an app is listed and watched under."""
    key = record.key
    scopes: tuple[Scope, ...] = (("org",), ("project", key.project, key.domain))
    return (*scopes, ("cluster", record.cluster)) if record.cluster else scopes


class AppStore:
    """All apps of one plane, by key and in sorted order by scope."""

    def __init__(self) -> None:
        self._records: dict[AppKey, AppRecord] = {}
        self._members: dict[Scope, dict[str, SortedList[IndexEntry]]] = {}
        self._sorted = False
        """Whether some scope has had another index than the one that each has."""

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: AppKey) -> AppRecord | None:
        """Return the app of that key, or None."""
        return self._records.get(key)

    def put(self, old: AppRecord | None, new: AppRecord | None) -> None:
        """Replace `old` by `new`; None is absence. The caller has made sure that `old` is the stored one."""
        if new is not None:
            self._records[new.key] = new
        elif old is not None:
            del self._records[old.key]
        before = scopes_of(old) if old is not None else ()
        after = scopes_of(new) if new is not None else ()
        if old is not None and new is not None:
            self._move(old, new, before if before == after else [scope for scope in before if scope in after])
        if before == after:
            return
        if old is not None:
            for scope in before:
                if scope not in after:
                    self._leave(scope, old)
        if new is not None:
            entries: dict[str, IndexEntry] = {}
            for scope in after:
                if scope not in before:
                    self._join(scope, new, entries)

    def add_all(self, records: Iterable[AppRecord]) -> None:
        """Add apps that are not there; the indexes of their scopes are sorted once."""
        joining: dict[tuple[str, str, str], tuple[list[IndexEntry], ...]] = {}
        found: dict[Scope, list[IndexEntry]] = {}
        for record in records:
            key = record.key
            self._records[key] = record
            place = key.project, key.domain, record.cluster
            lists = joining.get(place)
            if lists is None:
                lists = joining[place] = tuple(found.setdefault(scope, []) for scope in scopes_of(record))
            entry = record.created_at, key
            for each in lists:
                each.append(entry)
        for scope, entries in found.items():
            index = self._members.get(scope, {}).get(_ALWAYS, SortedList[IndexEntry]())
            index.update(entries)
            self._members[scope] = {_ALWAYS: index}

    def _move(self, old: AppRecord, new: AppRecord, scopes: Iterable[Scope]) -> None:
        """Move the app within these scopes to its new position in each index."""
        if not self._sorted and old.created_at == new.created_at:
            return
        changed: dict[str, tuple[IndexEntry, IndexEntry] | None] = {}
        for scope in scopes:
            for sort_key, index in self._members[scope].items():
                if sort_key not in changed:
                    value = SORT_KEYS[sort_key]
                    before, after = value(old), value(new)
                    changed[sort_key] = ((before, old.key), (after, new.key)) if before != after else None
                entries = changed[sort_key]
                if entries is not None:
                    index.remove(entries[0])
                    index.add(entries[1])

    def _leave(self, scope: Scope, old: AppRecord) -> None:
        indexes = self._members[scope]
        for sort_key, index in indexes.items():
            index.remove((SORT_KEYS[sort_key](old), old.key))
        if not indexes[_ALWAYS]:
            del self._members[scope]

    def _join(self, scope: Scope, new: AppRecord, entries: dict[str, IndexEntry]) -> None:
        """Add the app to a scope; `entries`, by sort key, are those of other scopes, to be shared."""
        indexes = self._members.get(scope)
        if indexes is None:
            indexes = self._members[scope] = {_ALWAYS: SortedList()}
        for sort_key, index in indexes.items():
            entry = entries.get(sort_key)
            if entry is None:
                entry = entries[sort_key] = (SORT_KEYS[sort_key](new), new.key)
            index.add(entry)

    def index(self, scope: Scope, sort_key: str) -> SortedList[IndexEntry] | None:
        """Return the scope's entries in the order of that sort key, built on first use; None for an empty scope."""
        indexes = self._members.get(scope)
        if indexes is None:
            return None
        found = indexes.get(sort_key)
        if found is None:
            self._sorted = True
            value = SORT_KEYS[sort_key]
            found = SortedList((value(self._records[key]), key) for _, key in indexes[_ALWAYS])
            indexes[sort_key] = found
        return found

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        return {scope[1] for scope in self._members if scope[0] == "project"}

    def members(self, scope: Scope) -> Iterator[AppRecord]:
        """Return the scope's apps in order of creation, then id."""
        index = self.index(scope, "created_at")
        for _, key in index if index is not None else ():
            yield self._records[key]
