"""Wrong planes of the dialect `flyte-oss`: races. Each lets other threads run in the midst of a call."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from flyteidl2.app.app_definition_pb2 import Identifier

from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.flyte_oss.answers import Answers, CacheKey
from flyteapps_fake.flyte_oss.cluster import Cluster
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.reads import Reads
from flyteapps_fake.flyte_oss.services import Service
from flyteapps_fake.flyte_oss.watch_hub import Subscription, WatchHub

from .planting import all_of, around, mutant, same
from .races import yield_the_lock

Planted = AbstractContextManager[Any]


@mutant("OSS-80")
def a_stop_undoes_a_write_that_races_it() -> Planted:
    """It stores the service that it has read as stopped, also where another write came in between."""

    def put(real: Any, self: Cluster, service: Service) -> None:
        if service.stopped:
            yield_the_lock(self.timeline.lock)
        real(self, service)

    return around(Cluster, "put", put)


@mutant("OSS-80")
def a_list_that_races_a_write_is_kept() -> Planted:
    """A write drops the answers to List before it takes effect: one that is read meanwhile stays, and is old."""
    kept: WeakKeyDictionary[Cluster, dict[bytes, bytes]] = WeakKeyDictionary()

    def list_(real: Any, self: Reads, request: Any) -> bytes:
        answers = kept.setdefault(self._cluster, {})
        key = request.SerializeToString(deterministic=True)
        if key not in answers:
            answers[key] = real(self, request)
        return answers[key]

    def changed(real: Any, self: Cluster, service: Service) -> None:
        kept.pop(self, None)
        yield_the_lock(self.timeline.lock)
        real(self, service)

    def removed(real: Any, self: Cluster, service: Service) -> None:
        kept.pop(self, None)
        real(self, service)

    return all_of(around(Reads, "list_", list_), around(Cluster, "put", changed), around(Cluster, "remove", removed))


@mutant("OSS-80")
def two_writes_at_once_are_mixed() -> Planted:
    """An app that was created while another Create was under way has the arguments of both."""

    def put(real: Any, self: Cluster, service: Service) -> None:
        before = self.services.get(service.resource)
        yield_the_lock(self.timeline.lock)
        now = self.services.get(service.resource)
        if now is not None and now is not before and not service.stopped:
            spec = now.app(self.settings, 0).spec
            spec.MergeFromString(service.spec)
            service = replace(service, spec=encode(spec))
        real(self, service)

    return around(Cluster, "put", put)


@mutant("OSS-80")
def a_delete_that_races_a_write_is_forgotten() -> Planted:
    """It removes the app only if that is the one which it has found, and is acknowledged all the same."""

    def remove(real: Any, self: Cluster, service: Service) -> None:
        yield_the_lock(self.timeline.lock)
        if self.services.get(service.resource) is service:
            real(self, service)

    return around(Cluster, "remove", remove)


@mutant("OSS-26")
def what_happens_after_the_snapshot_of_a_name_is_missed() -> Planted:
    """The snapshot is taken, other threads run, and only then does the subscription begin."""

    def subscribe(real: Any, self: WatchHub, name: str, snapshot: Any, *others: Any) -> Subscription:
        taken = [same(encoder()) for encoder in snapshot]
        yield_the_lock(self._lock)
        return real(self, name, taken, (), *others[1:])

    return around(WatchHub, "subscribe", subscribe)


@mutant("OSS-26")
def an_event_shows_what_became_of_the_app_later() -> Planted:
    """Other threads run between a write and its event, which shows the app as it is by then."""

    def notify(real: Any, self: Cluster, kind: int, service: Service) -> None:
        yield_the_lock(self.timeline.lock)
        real(self, kind, self.services.get(service.resource) or service)

    return around(Cluster, "_notify", notify)


@mutant("OSS-26")
def events_of_a_name_overtake_each_other() -> Planted:
    """Every other event is sent after other threads ran, so that theirs come first."""
    counted = [0]

    def notify(real: Any, self: Cluster, kind: int, service: Service) -> None:
        counted[0] += 1
        if counted[0] % 2:
            yield_the_lock(self.timeline.lock)
        real(self, kind, service)

    return around(Cluster, "_notify", notify)


@mutant("OSS-15")
def a_write_forgets_the_answer_that_was_cached_last() -> Planted:
    """Of an app that was read by several of its ids, the write of one forgets what was cached under another."""

    from flyteapps_fake.flyte_oss.answers import Answers

    def resource(key: CacheKey) -> str:
        return resource_name(Identifier(project=key[1], domain=key[2], name=key[3]))

    def forget(real: Any, self: Answers, key: CacheKey) -> None:

        alike = [each for each in self.encoded if resource(each) == resource(key)]
        real(self, alike[-1] if alike and key in alike else key)

    return around(Answers, "forget", forget)
