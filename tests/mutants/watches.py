"""Wrong planes: Watch."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import CREATE_EVENT, DELETE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.streams import OpenStream, Streams
from flyteapps_fake.standard import reads
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.watch import Event, EventLog, Subscription

from .planting import all_of, around, mutant


@mutant("WA-1")
def the_snapshot_is_in_reverse() -> AbstractContextManager[Any]:
    return around(
        EventLog,
        "subscribe",
        lambda real, self, scope, snapshot: real(self, scope, tuple(reversed(list(snapshot)))),
    )


@mutant("WA-2")
def a_cluster_watch_shows_the_org() -> AbstractContextManager[Any]:
    return around(
        reads, "scope_of", lambda real, request, own: ("org",) if request.HasField("cluster_id") else real(request, own)
    )


@mutant("WA-3")
def status_moves_are_no_events() -> AbstractContextManager[Any]:
    def publish(real: Any, self: EventLog, event: Event) -> None:
        if event.old is None or event.new is None or event.old.revision != event.new.revision:
            real(self, event)

    return around(EventLog, "publish", publish)


@mutant("WA-4")
def the_snapshot_comes_again_as_an_event() -> AbstractContextManager[Any]:
    def subscribe(real: Any, self: EventLog, scope: Any, snapshot: Any) -> Subscription:
        records = tuple(snapshot)
        opened = real(self, scope, records)
        for record in records:
            opened.push(Event(None, record), CREATE_EVENT)
        return opened

    return around(EventLog, "subscribe", subscribe)


@mutant("WA-5")
def every_hundredth_event_is_lost() -> AbstractContextManager[Any]:
    counted = [0]

    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        counted[0] += 1
        if counted[0] % 100:
            real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-5")
def a_full_buffer_drops_its_oldest() -> AbstractContextManager[Any]:
    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        if len(self._queue) >= self._buffer:
            self._queue.popleft()
        real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-6")
def old_app_is_the_new_one() -> AbstractContextManager[Any]:
    return around(
        Event,
        "_encode",
        lambda real, self, kind: real(Event(self.new, self.new) if kind == UPDATE_EVENT else self, kind),
    )


@mutant("WA-7")
def a_created_again_app_is_an_update() -> AbstractContextManager[Any]:
    known: set[tuple[int, AppKey]] = set()

    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        if event.new is not None:
            again = (id(self), event.new.key) in known
            known.add((id(self), event.new.key))
            kind = UPDATE_EVENT if kind == CREATE_EVENT and again else kind
        real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-9")
def a_deletion_ends_the_stream() -> AbstractContextManager[Any]:
    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        real(self, event, kind)
        if kind == DELETE_EVENT and self.scope is not None and self.scope[0] == "app":
            self.end(RpcError(Code.NOT_FOUND, "the app was deleted"))

    return around(Subscription, "push", push)


@mutant("WA-10")
def a_shutdown_is_internal() -> AbstractContextManager[Any]:
    return around(EventLog, "end", lambda real, self, error: real(self, RpcError(Code.INTERNAL, "bye")))


def _kept(leaks: Callable[[OpenStream], bool]) -> AbstractContextManager[Any]:
    """Keep the closed streams that `leaks` says."""

    def remove(real: Any, self: Streams, stream: OpenStream) -> None:
        if leaks(stream):
            stream.closed = True
        else:
            real(self, stream)

    return around(Streams, "remove", remove)


@mutant("WA-10")
def closed_streams_stay_subscribed() -> AbstractContextManager[Any]:
    return _kept(lambda stream: True)


@mutant("WA-10")
def a_stream_that_is_closed_with_events_stays() -> AbstractContextManager[Any]:
    return _kept(lambda stream: isinstance(stream, Subscription) and bool(stream._queue))


@mutant("WA-10")
def a_stream_of_a_deleted_app_stays() -> AbstractContextManager[Any]:
    deleted: set[Any] = set()

    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        if kind == DELETE_EVENT and self.scope is not None and self.scope[0] == "app":
            deleted.add(self)
        real(self, event, kind)

    return all_of(around(Subscription, "push", push), _kept(lambda stream: stream in deleted))


@mutant("WA-10")
def every_fifth_stream_stays() -> AbstractContextManager[Any]:
    counted = itertools.count(1)
    return _kept(lambda stream: next(counted) % 5 == 0)


@mutant("WA-3")
def two_events_in_a_row_become_one() -> AbstractContextManager[Any]:
    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        waiting = self._queue[-1] if self._queue else None
        if waiting is not None and kind == UPDATE_EVENT and waiting[1] == UPDATE_EVENT:
            last = waiting[0]
            if last.new is not None and event.new is not None and last.new.key == event.new.key:
                self._queue[-1] = (Event(last.old, event.new), UPDATE_EVENT)
                return
        real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-3")
def the_newest_event_comes_first() -> AbstractContextManager[Any]:
    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        real(self, event, kind)
        self._queue.rotate(1)

    return around(Subscription, "push", push)


@mutant("WA-8")
def a_second_stream_opens_empty() -> AbstractContextManager[Any]:
    counted = [0]

    def subscribe(real: Any, self: EventLog, scope: Any, snapshot: Any) -> Subscription:
        counted[0] += 1
        return real(self, scope, snapshot if counted[0] % 2 else ())

    return around(EventLog, "subscribe", subscribe)
