"""Wrong planes: races. Each gives way to others in the midst of a call, as a plane does that locks too little."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.dialect import Standard
from flyteapps_fake.standard.watch import Event, EventLog, Subscription

from .planting import around, mutant

TURNS = 3


def yield_the_lock(lock: Any) -> None:
    """Let the threads run that wait for the lock, or for the interpreter."""
    for _ in range(TURNS):
        lock.release()
        time.sleep(0)
        lock.acquire()


@mutant("HI-1")
def racing_updates_overwrite_each_other() -> AbstractContextManager[Any]:
    """The revision is compared before other threads run: a lost update, and a revision that is reused."""

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        if draft.old is not None:
            yield_the_lock(self.lock)
            draft.old = self.store.get(draft.old.key) or draft.old
        return real(self, draft)

    return around(State, "commit", commit)


@mutant("CR-2")
def racing_creates_all_win() -> AbstractContextManager[Any]:
    """The look-up of the app comes before other threads run."""

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        if draft.old is None:
            yield_the_lock(self.lock)
            draft.old = self.store.get(draft.key)
        return real(self, draft)

    return around(State, "commit", commit)


@mutant("DE-1")
def racing_deletes_all_win() -> AbstractContextManager[Any]:
    """The app is found before other threads run; a late deletion succeeds, too."""

    def remove(real: Any, self: State, old: AppRecord) -> None:
        yield_the_lock(self.lock)
        current = self.store.get(old.key)
        if current is not None:
            real(self, current)

    return around(State, "remove", remove)


@mutant("WA-5")
def what_happens_after_the_snapshot_is_missed() -> AbstractContextManager[Any]:
    """The snapshot is taken, other threads run, and only then does the subscription begin."""

    def subscribe(real: Any, self: EventLog, scope: Any, snapshot: Any) -> Subscription:
        taken = tuple(snapshot)
        yield_the_lock(self._lock)
        return real(self, scope, taken)

    return around(EventLog, "subscribe", subscribe)


@mutant("WA-3")
def events_overtake_each_other() -> AbstractContextManager[Any]:
    """Every other event is published after other threads ran, so that theirs come first."""
    counted = [0]

    def publish(real: Any, self: EventLog, event: Event) -> None:
        counted[0] += 1
        if counted[0] % 2:
            yield_the_lock(self._lock)
        real(self, event)

    return around(EventLog, "publish", publish)


@mutant("GE-3")
def a_read_is_kept_for_the_next_one() -> AbstractContextManager[Any]:
    """A record is kept while other threads run, and returned to the next reader, though it may be older."""
    kept: dict[tuple[int, AppKey], AppRecord] = {}

    def read(real: Any, self: Standard, call: Any) -> AppRecord:
        record = real(self, call)
        old = kept.pop((id(self), record.key), None)
        kept[id(self), record.key] = record
        return old if old is not None and old.incarnation == record.incarnation else record

    return around(Standard, "read", read)
