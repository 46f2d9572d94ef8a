"""The apps that wait to be leased, by the clusters that may lease them, in that order.

An app waits if it should run and no cluster has it.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from sortedcontainers import SortedList

from flyteapps_control.selection import AppName
from flyteapps_fake.core.lifecycle import should_run
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.operators.pools import Wanted

_Entry = tuple[int, AppKey]


def leasable(record: AppRecord) -> bool:
    """Return whether an app should run and no cluster has it."""
    return not record.cluster and should_run(record.desired_state)


class LeaseOf(NamedTuple):
    """The owner of the timer of an app's lease."""

    app: AppKey


def lease_timer(key: AppKey) -> LeaseOf:
    """Return the owner of the timer of the app's lease."""
    return LeaseOf(key)


def app_of_lease(owner: LeaseOf) -> AppName:
    """Return the app whose lease that owner of a timer stands for."""
    return owner.app.named()


def key_of_lease(owner: Hashable) -> AppKey | None:
    """Return the app that an owner of a timer is, or whose lease it stands for; None for any other owner."""
    app = owner.app if isinstance(owner, LeaseOf) else owner
    return app if isinstance(app, AppKey) else None


class Waiting:
    """The waiting apps, by what they want."""

    def __init__(self) -> None:
        self._queues: dict[Wanted, SortedList[_Entry]] = {}

    def put(self, old: AppRecord | None, new: AppRecord | None) -> None:
        """Follow a commit."""
        if old is not None and new is not None and old.cluster and new.cluster:
            return
        before = _place(old)
        after = _place(new)
        if before == after:
            return
        if before is not None:
            wanted, entry = before
            queue = self._queues[wanted]
            queue.remove(entry)
            if not queue:
                del self._queues[wanted]
        if after is not None:
            wanted, entry = after
            queue = self._queues.get(wanted)
            if queue is None:
                queue = self._queues[wanted] = SortedList()
            queue.add(entry)

    def first(self, wanted: Iterable[Wanted], most: int) -> list[AppKey]:
        """Return the keys of at most `most` apps that want one of these, by last_updated_at, then id."""
        queues: Iterator[Iterable[_Entry]] = (self._queues[each] for each in wanted if each in self._queues)
        return [key for _, key in islice(heapq.merge(*queues), most)]


def _place(record: AppRecord | None) -> tuple[Wanted, _Entry] | None:
    if record is None or not leasable(record):
        return None
    return record.wanted, (record.updated_at, record.key)
