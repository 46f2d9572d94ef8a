"""The replicas of each app: their names, and when each began and ended. Followed from what clusters report.

A replica lives from the report that counts it to the one that doesn't any more, or to the next revision's first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flyteapps_fake.plane.apps import AppKey, AppRecord
from flyteapps_fake.plane.lifecycle import ACTIVE, DEPLOYING, STOPPED

MOST_LIVE = 100
"""Replicas of one app that have a name and logs, however many are reported."""
MOST_ENDED = 10
"""Replicas of one app that are remembered after their end."""


@dataclass(slots=True)
class Replica:
    """One replica; `seed` is what its log is drawn from. Times are nanoseconds."""

    name: str
    seed: bytes
    revision: int
    began: int
    ended: int | None = None


class ReplicaBook:
    """The replicas of all apps."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._live: dict[AppKey, list[Replica]] = {}
        self._ended: dict[AppKey, list[Replica]] = {}
        self._begun: dict[AppKey, int] = {}

    def live(self, key: AppKey) -> list[Replica]:
        """Those that run now, the oldest first."""
        return self._live.get(key, [])

    def ended(self, key: AppKey) -> list[Replica]:
        """The last ones that ended, the oldest first."""
        return self._ended.get(key, [])

    def follow(self, old: AppRecord | None, new: AppRecord | None, now: int) -> None:
        """Follows a commit."""
        if new is None:
            if old is not None:
                for kept in (self._live, self._ended, self._begun):
                    kept.pop(old.key, None)
            return
        if old is None or not (old.replicas or new.replicas):
            return
        live = self._live.setdefault(new.key, [])
        at = new.changed_at if new.changed_at > old.changed_at else now
        if live and live[0].revision != new.revision and new.status in (DEPLOYING, ACTIVE):
            self._end(new.key, live, 0, at)
        count = min(new.replicas, MOST_LIVE) if new.status != STOPPED else 0
        self._end(new.key, live, count, at)
        while len(live) < count:
            live.append(self._begin(new, at))

    def _begin(self, record: AppRecord, at: int) -> Replica:
        number = self._begun[record.key] = self._begun.get(record.key, 0) + 1
        drawn = "\0".join((str(self._seed), *record.key, str(record.incarnation), str(record.revision), str(number)))
        seed = hashlib.sha256(drawn.encode()).digest()
        return Replica(f"{record.key.name.lower()}-{record.revision:05d}-{seed.hex()[:5]}", seed, record.revision, at)

    def _end(self, key: AppKey, live: list[Replica], count: int, at: int) -> None:
        """Ends the newest of them, down to so many."""
        if len(live) <= count:
            return
        for replica in live[count:]:
            replica.ended = at
        ended = self._ended.setdefault(key, [])
        ended += live[count:]
        del live[count:], ended[:-MOST_ENDED]
