"""The replicas of each app: their names, and when each began and ended, derived from the reports of clusters.

A replica lives from the report that counts it to the one that doesn't any more, or to the next revision's first.
"""

from __future__ import annotations

from typing import NamedTuple

from flyteapps_fake.core.draws import Seed, drawn
from flyteapps_fake.core.lifecycle import traits_of
from flyteapps_fake.standard.apps import AppKey, AppRecord

MAX_LIVE = 100
"""Replicas of one app that have a name and logs, however many are reported."""
MAX_ENDED = 10
"""Replicas of one app that are remembered after their end."""


class Life(NamedTuple):
    """The record of one replica: its number within its app, and its times in nanoseconds."""

    number: int
    revision: int
    began: int
    ended: int | None = None


class Replica(NamedTuple):
    """One replica; its log is drawn from `seed`."""

    name: str
    seed: bytes
    life: Life


class LivesImage(NamedTuple):
    """The replicas of one app: how many have begun, those that run now, and the last that ended, the oldest first."""

    begun: int
    live: tuple[Life, ...]
    ended: tuple[Life, ...]


class _Lives:
    """The replicas of one app, the oldest first."""

    __slots__ = ("begun", "ended", "live")

    def __init__(self) -> None:
        self.begun = 0
        self.live: tuple[Life, ...] = ()
        self.ended: tuple[Life, ...] = ()


class ReplicaBook:
    """The replicas of all apps."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._lives: dict[AppKey, _Lives] = {}

    def live(self, record: AppRecord) -> list[Replica]:
        """Return the replicas that run now, the oldest first."""
        return [self._replica(record, life) for life in self.living(record.key)]

    def living(self, key: AppKey) -> tuple[Life, ...]:
        """Return the records of the replicas that run now."""
        lives = self._lives.get(key)
        return lives.live if lives is not None else ()

    def ended(self, record: AppRecord) -> list[Replica]:
        """Return the last replicas that ended, the oldest first."""
        lives = self._lives.get(record.key)
        return [self._replica(record, life) for life in lives.ended] if lives is not None else []

    def image(self, key: AppKey) -> LivesImage | None:
        """Return the replicas of an app, None where it has had none."""
        lives = self._lives.get(key)
        return LivesImage(lives.begun, lives.live, lives.ended) if lives is not None else None

    def put(self, key: AppKey, image: LivesImage | None) -> None:
        """Replace the replicas of an app."""
        self._lives.pop(key, None)
        if image is not None:
            lives = self._lives[key] = _Lives()
            lives.begun, lives.live, lives.ended = image

    def follow(self, old: AppRecord | None, new: AppRecord | None, now: int) -> None:
        """Follow a commit."""
        if new is None:
            if old is not None:
                self._lives.pop(old.key, None)
            return
        if old is None or not (old.replicas or new.replicas):
            return
        if old.replicas == new.replicas and old.revision == new.revision and old.status == new.status:
            return
        lives = self._lives.get(new.key)
        if lives is None:
            lives = self._lives[new.key] = _Lives()
        at = new.changed_at if new.changed_at > old.changed_at else now
        traits = traits_of(new.status)
        count = min(new.replicas, MAX_LIVE) if traits.counts_replicas else 0
        if lives.live and lives.live[0].revision != new.revision and traits.runs:
            _end(lives, 0, at)
        _end(lives, count, at)
        while len(lives.live) < count:
            lives.begun += 1
            lives.live = (*lives.live, Life(lives.begun, new.revision, at))

    def _replica(self, record: AppRecord, life: Life) -> Replica:
        seed = drawn(self._seed, *record.key, record.incarnation, life.revision, life.number)
        return Replica(f"{record.key.name.lower()}-{life.revision:05d}-{seed.hex()[:5]}", seed, life)


def _end(lives: _Lives, count: int, at: int) -> None:
    """End the newest replicas, down to `count`."""
    over = lives.live[count:]
    if over:
        lives.ended = (*lives.ended, *(life._replace(ended=at) for life in over))[-MAX_ENDED:]
        lives.live = lives.live[:count]
