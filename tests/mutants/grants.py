"""Wrong planes: leases of several clusters in one instant, releases, and what a report leaves out."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_fake.core.lifecycle import ASSIGNED, FAILED, PENDING, STOPPED
from flyteapps_fake.core.time.clock import TICK
from flyteapps_fake.core.time.timers import Timer, TimerQueue
from flyteapps_fake.standard.apps import AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators import leases, waiting
from flyteapps_fake.standard.operators import reports as status
from flyteapps_fake.standard.operators.leases import LeaseStream, LeaseStreams

from .planting import all_of, around, at_commit, mutant

HALF_A_MILLISECOND = 500_000


def _others(self: LeaseStreams, record: AppRecord) -> list[Any]:
    """Return the streams of other clusters that wait for an app that was leased."""
    return [each for each in self._streams if each.cluster != record.cluster and record.wanted in each.wanted]


def _offered(then: Any) -> AbstractContextManager[Any]:
    """Call `then(streams, app, other)` for each other cluster that waits when an app was leased."""

    def offer(real: Any, self: LeaseStreams, record: AppRecord) -> None:
        real(self, record)
        current = self._state.store.get(record.key)
        if waiting.leasable(record) and current is not None and current.cluster:
            for other in _others(self, current)[:1]:
                then(self, current, other)

    def current(self: LeaseStream, key: Any, timer: Any) -> AppRecord | None:
        return self._state.store.get(key)

    return all_of(around(LeaseStreams, "offer", offer), patch.object(LeaseStream, "_current", current))


# ---- LE-1: two clusters at once


@mutant("LE-1")
def a_new_app_is_leased_to_all_that_wait() -> AbstractContextManager[Any]:
    def then(self: LeaseStreams, record: AppRecord, other: Any) -> None:
        if record.status == ASSIGNED:
            self._lease(other, record)

    return _offered(then)


@mutant("LE-1")
def a_started_app_is_leased_to_all_that_wait() -> AbstractContextManager[Any]:
    def then(self: LeaseStreams, record: AppRecord, other: Any) -> None:
        if record.status == PENDING:
            self._lease(other, record)

    return _offered(then)


@mutant("LE-1")
def a_lease_is_sent_to_all_that_wait() -> AbstractContextManager[Any]:
    def then(self: LeaseStreams, record: AppRecord, other: Any) -> None:
        other.send(record)

    return _offered(then)


@mutant("LE-1")
def a_lease_that_is_not_sent_yet_is_anybodys() -> AbstractContextManager[Any]:
    """Two clusters that come at once are leased what both saw waiting."""

    sent: set[tuple[int, Any]] = set()

    def fill(real: Any, self: LeaseStreams, stream: Any) -> None:
        real(self, stream)
        for other in [each for each in self._streams if each.cluster != stream.cluster]:
            for key in list(other._held):
                record = self._state.store.get(key)
                if record is not None and record.wanted in stream.wanted and (id(stream), key) not in sent:
                    sent.add((id(stream), key))
                    stream.send(record)

    return around(LeaseStreams, "fill", fill)


@mutant("LE-1")
def the_next_lease_begins_before_the_last_one_is_over() -> AbstractContextManager[Any]:
    """Where another cluster waits, a lease ends half a millisecond early."""
    streams: list[LeaseStreams] = []

    def offer(real: Any, self: LeaseStreams, record: AppRecord) -> None:
        streams[:] = [self]
        real(self, record)

    real = TimerQueue.schedule

    def schedule(self: TimerQueue, due: int, owner: Any, kind: str, *arguments: Any, **options: Any) -> None:
        clusters = {each.cluster for stream in streams for each in stream._streams}
        early = HALF_A_MILLISECOND if kind == leases.LEASE_EXPIRY and len(clusters) > 1 else 0
        real(self, due - early, owner, kind, *arguments, **options)

    def expire(real: Any, state: State, timer: Timer) -> None:
        current = state.store.get(timer.arguments[0])
        early = current is not None and current.lease == timer.due + HALF_A_MILLISECOND
        real(state, timer._replace(due=timer.due + HALF_A_MILLISECOND) if early else timer)

    return all_of(
        around(LeaseStreams, "offer", offer),
        patch.object(TimerQueue, "schedule", schedule),
        around(leases, "expire", expire),
    )


# ---- LE-1, LE-3: the instant of lease_expiration


def _late() -> AbstractContextManager[Any]:
    """Let leases run out a nanosecond after they should."""
    real = TimerQueue.schedule

    def schedule(self: TimerQueue, due: int, owner: Any, kind: str, *arguments: Any, **options: Any) -> None:
        real(self, due + (kind == leases.LEASE_EXPIRY), owner, kind, *arguments, **options)

    return all_of(
        patch.object(TimerQueue, "schedule", schedule),
        around(leases, "expire", lambda real, state, timer: real(state, timer._replace(due=timer.due - 1))),
    )


@mutant("LE-1")
def a_lease_runs_at_its_expiration() -> AbstractContextManager[Any]:
    """The holder is taken at its word then, too."""

    def check_holder(real: Any, state: State, record: AppRecord, reported: Any) -> None:
        now = state.clock.now() if reported.at is None else reported.at
        real(state, record, reported._replace(at=now - 1) if record.lease and now == record.lease else reported)

    return all_of(_late(), around(status, "_check_holder", check_holder))


@mutant("LE-3")
def at_the_expiration_an_app_is_nobodys() -> AbstractContextManager[Any]:
    """It is still assigned, but its cluster is refused."""
    return _late()


def _reports_at_expiration(*, taken_from_the_next: bool) -> AbstractContextManager[Any]:
    """Let the last holder report at the very instant of lease_expiration, when the app is given back already."""
    ended: dict[tuple[int, Any], tuple[int, str]] = {}

    def take_back(real: Any, state: State, record: AppRecord) -> None:
        ended[id(state), record.key] = record.lease, record.cluster
        real(state, record)

    def report(real: Any, state: State, record: AppRecord, reported: Any) -> AppRecord:
        until, holder = ended.get((id(state), record.key), (0, ""))
        in_time = state.clock.now() <= until + 5 * TICK
        if in_time and reported.cluster == holder != record.cluster and (taken_from_the_next or not record.cluster):
            lease = leases.steal if record.cluster else leases.lease
            record = lease(state, record, holder)
        return real(state, record, reported)

    return all_of(around(leases, "take_back", take_back), around(status, "report", report))


@mutant("LE-3")
def a_report_at_the_expiration_is_taken() -> AbstractContextManager[Any]:
    return _reports_at_expiration(taken_from_the_next=False)


@mutant("LE-1")
def a_report_at_the_expiration_takes_the_app_back() -> AbstractContextManager[Any]:
    return _reports_at_expiration(taken_from_the_next=True)


# ---- LE-5


@mutant("LE-5")
def an_app_that_was_stopped_unacknowledged_keeps_its_lease() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        stopped = app.status.conditions[-1].deployment_status == STOPPED
        if stopped and old is not None and app.status.last_assigned_cluster != old.status.last_assigned_cluster:
            app.status.assigned_cluster = old.status.assigned_cluster

    return at_commit(change)


@mutant("LE-5")
def an_app_that_failed_is_not_released() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        path = [each.deployment_status for each in app.status.conditions]
        if old is not None and path[-3:] == [FAILED, PENDING, STOPPED]:
            app.status.assigned_cluster = old.status.assigned_cluster

    return at_commit(change)


@mutant("LE-5")
def a_second_stop_does_not_release() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        path = [each.deployment_status for each in app.status.conditions]
        twice = path.count(STOPPED) > 1 and path[-1] == STOPPED
        if old is not None and twice and not old.status.HasField("lease_expiration"):
            app.status.assigned_cluster = old.status.assigned_cluster

    return at_commit(change)


# ---- US-0


@mutant("US-0")
def a_report_without_a_namespace_clears_it() -> AbstractContextManager[Any]:
    def report_in(real: Any, app: model.App) -> Any:
        reported = real(app)
        return reported._replace(namespace="") if reported.namespace is None else reported

    return around(status, "_report_in", report_in)


@mutant("US-0")
def a_report_of_no_replicas_leaves_them() -> AbstractContextManager[Any]:
    def report(real: Any, state: State, record: AppRecord, reported: Any) -> AppRecord:
        silent = reported.status is None and not reported.replicas
        return real(state, record, reported._replace(replicas=record.replicas) if silent else reported)

    return around(status, "report", report)


@mutant("US-0")
def a_second_vpc_url_is_dropped() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and old.status.ingress.vpc_url:
            app.status.ingress.vpc_url = old.status.ingress.vpc_url

    return at_commit(change)
