"""The plane's own cluster: the leases that it takes at once, under its own name or under one that an app asks for."""

from __future__ import annotations

from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators.leases import lease
from flyteapps_fake.standard.operators.waiting import leasable


class OwnCluster:
    """The apps of one such cluster."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._name = state.settings.own_cluster
        self._names: dict[AppKey, str] = {}
        """The names of the clusters that it plays for an app, other than its own."""

    def name_for(self, record: AppRecord) -> str:
        """Return the name under which it takes an app that waits to be leased; "" for any other."""
        return self._state.pools.own_as(record.wanted) if leasable(record) else ""

    def take(self, record: AppRecord, name: str) -> None:
        """Lease the app under that name."""
        if name == self._name:
            self._names.pop(record.key, None)
        else:
            self._names[record.key] = name
        lease(self._state, record, name)

    def holds(self, record: AppRecord) -> bool:
        """Return whether the cluster holds the app."""
        return record.cluster == self._names.get(record.key, self._name)

    def played(self, key: AppKey) -> str:
        """Return the name under which it has an app, where that is another than its own; "" for its own."""
        return self._names.get(key, "")

    def play(self, key: AppKey, name: str) -> None:
        """Let it have an app under that name, "" for its own."""
        self._names.pop(key, None)
        if name:
            self._names[key] = name

    def forget(self, key: AppKey) -> None:
        """Forget the name that it had for an app."""
        self._names.pop(key, None)
