"""The writes that are under way: each has read its service, and writes it once the time of a write has passed.

A write is a generator of steps: it yields the resource that it has read, is sent what has happened to it since, and
writes, or raises the cluster's refusal; it yields None before it reads the service again, for its answer. Writes of one
service that end at the same instant end in an order drawn from the seed, and read after all of them have written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from flyteapps_control.selection import AppName
from flyteapps_fake.control.delays import Delayed, Delays
from flyteapps_fake.control.effects import raising
from flyteapps_fake.control.subject import app_named_by
from flyteapps_fake.core import draws
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.time import forks
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.flyte_oss.answers import Answers, CacheKey, cache_key
from flyteapps_fake.flyte_oss.cluster import Cluster, Since

T = TypeVar("T")

Steps = Generator[str | None, Since, T]
"""The steps of a write, which return its answer."""

STALE_ANSWER_ODDS = 1 / 300
"""The odds that a Get, which read the app while an acknowledged write was under way, caches its answer after it."""
WRITE_END = "write-end"
"""The kind of the timers at which writes end."""


class Instant(NamedTuple):
    """The moment at which writes of a service end: the owner of their timer."""

    due: int
    resource: str
    app: AppName


class Late(NamedTuple):
    """An answer of Get that may be cached late, and the number of the last write that had begun as it was given."""

    answer: bytes
    begun: int


@dataclass(eq=False, slots=True)
class Write:
    """A write under way, the one of that number. `late`: of the last Get that has read the app since it began."""

    call: Call[Any]
    steps: Steps[bytes]
    key: CacheKey
    since: Since
    cause: Cause
    number: int
    late: Late | None = None
    delayed: Delayed | None = None

    def end(self, outcome: Callable[[], bytes]) -> None:
        """End the write, which has an answer."""
        if self.delayed is not None:
            self.delayed.ended(outcome)


class PendingWrites:
    """The writes of one plane that are under way. `nanoseconds`: the time of a write, 0 where it is over at once."""

    def __init__(self, cluster: Cluster, answers: Answers, nanoseconds: int) -> None:
        self._cluster = cluster
        self._answers = answers
        self._nanoseconds = nanoseconds
        self._timeline = cluster.timeline
        self._ends: dict[Instant, dict[Write, None]] = {}
        self._by_key: dict[CacheKey, dict[Write, None]] = {}
        self._begun = 0
        """The number of writes that have begun."""
        reason = "a client's write ends"
        self._timeline.handle(WRITE_END, self._fire, reason, lambda instant: instant.app, changes=False)
        forks.register_inherited(self)

    def forked(self) -> None:
        """Give up the writes of the parent's callers, in a forked child."""
        for instant in list(self._ends):
            self._forget(instant)

    def run(self, call: Call[Any], steps: Steps[bytes], delays: Delays) -> bytes:
        """Carry a write out. Raises RpcError, and Postponed where it takes time."""
        if not self._nanoseconds:
            return self.at_once(steps)
        now = self._cluster.clock.now()
        since = Since(now)
        self._begun += 1
        answer = b""
        try:
            resource = next(steps)
            if resource is None:
                answer = _finished(steps, since)
        except StopIteration as done:  # it writes nothing
            resource, answer = None, done.value
        key = cache_key(call.operation.app_id(call.request))
        if resource is None:
            self._forget_late(key, self._begun)
            return answer
        instant = Instant(now + self._nanoseconds, resource, app_named_by(call))
        write = Write(call, steps, key, since, self._timeline.causes.current, self._begun)
        write.delayed, postponed = delays.write(
            call, instant.due, instant, lambda: self._end_all(instant), lambda: self._drop(instant, write)
        )
        if instant not in self._ends:
            self._timeline.timers.schedule(instant.due, instant, WRITE_END, progress=False)
        self._ends.setdefault(instant, {})[write] = None
        self._by_key.setdefault(key, {})[write] = None
        self._cluster.begin(resource, since)
        self._timeline.scheduled()
        raise postponed

    def at_once(self, steps: Steps[T]) -> T:
        """Carry a write out that takes no time. Raises RpcError."""
        since = Since(self._cluster.clock.now(), at_once=True)
        try:
            next(steps)
        except StopIteration as done:
            answer: T = done.value
            return answer
        return _finished(steps, since)

    def read(self, key: CacheKey, encoded: bytes) -> None:
        """Record the answer of a Get that has read the app, for the writes that are under way."""
        for write in self._by_key.get(key, ()):
            write.late = Late(encoded, self._begun)

    # ---- the end

    def _fire(self, timer: Timer) -> None:
        instant = timer.owner
        assert isinstance(instant, Instant)
        self._end_all(instant)

    def _end_all(self, instant: Instant) -> None:
        """End the writes of an instant."""
        writes = list(self._ends.get(instant, ()))
        if len(writes) > 1:
            writes.sort(key=partial(self._drawn, instant))
        reading = [write for write in writes if self._advance(instant, write)]
        for write in reading:
            self._advance(instant, write)
        self._forget(instant)

    def _advance(self, instant: Instant, write: Write) -> bool:
        """Take the next step of a write; return whether there is another one."""
        try:
            with self._timeline.causes.during(write.cause):
                write.steps.send(write.since)
            return True
        except StopIteration as done:
            answer: bytes = done.value
            self._cache_late(instant, write)
            write.end(lambda: answer)
        except Exception as error:  # which its caller raises, and not that of the timer
            write.end(raising(error))
        return False

    def _cache_late(self, instant: Instant, write: Write) -> None:
        """Cache the answer of a Get that was in flight as the write dropped its key, as it is drawn."""
        self._forget_late(write.key, write.number)
        if write.late is None:
            return
        drawn = draws.fraction(self._timeline.seed, "stale-answer", instant.due, *write.key)
        if drawn < STALE_ANSWER_ODDS:
            self._answers.store(write.key, write.late.answer)
            self._timeline.woken(write.key)

    def _forget_late(self, key: CacheKey, number: int) -> None:
        """Drop the answers that were given before the write of that number began: it is acknowledged.

        The Gets that were answered so were in flight no more, also not beside other writes that are under way.
        """
        for write in self._by_key.get(key, ()):
            if write.late is not None and write.late.begun < number:
                write.late = None

    def _drawn(self, instant: Instant, write: Write) -> bytes:
        """Return the place of a write among those of its instant."""
        request = write.call.operation.method, encode(write.call.request).hex()
        return draws.drawn(self._timeline.seed, WRITE_END, instant.due, instant.resource, *request)

    def _drop(self, instant: Instant, write: Write) -> None:
        """Give a write up."""
        writes = self._ends.get(instant, {})
        if writes.pop(write, write) is not None:
            return
        self._left(instant, write)
        if not writes:
            self._forget(instant)

    def _forget(self, instant: Instant) -> None:
        """Record that no write ends at an instant any more."""
        self._timeline.timers.cancel(instant)
        for write in self._ends.pop(instant, {}):
            self._left(instant, write)

    def _left(self, instant: Instant, write: Write) -> None:
        """Record that a write is under way no more."""
        self._cluster.end(instant.resource, write.since)
        writes = self._by_key[write.key]
        del writes[write]
        if not writes:
            del self._by_key[write.key]


def _finished(steps: Steps[T], since: Since) -> T:
    """Take the steps of a write that are left, at once. Raises RpcError."""
    try:
        while True:
            steps.send(since)
    except StopIteration as done:
        answer: T = done.value
        return answer
