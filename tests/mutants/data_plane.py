"""Wrong planes: what clusters see, by Lease and UpdateStatus."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_fake.core.lifecycle import ASSIGNED, PENDING, STOPPED, UNASSIGNED
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.time.timers import Timer, TimerQueue
from flyteapps_fake.standard import apps, conditions, writes
from flyteapps_fake.standard.apps import AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.dialect import Standard
from flyteapps_fake.standard.operators import leases, waiting
from flyteapps_fake.standard.operators import reports as status
from flyteapps_fake.standard.operators.leases import LeaseStreams
from flyteapps_fake.standard.operators.waiting import Waiting
from flyteapps_fake.standard.watch import Event, EventLog

from .planting import all_of, around, at_commit, draft_of, mutant, same

# ---- Lease


@mutant("LE-1")
def the_last_one_in_is_leased_first() -> AbstractContextManager[Any]:
    return around(Waiting, "first", lambda real, self, wanted, most: real(self, wanted, most)[::-1])


@mutant("LE-1")
def stopped_apps_are_leased() -> AbstractContextManager[Any]:
    return patch.object(waiting, "leasable", lambda record: not record.cluster)


@mutant("LE-1")
def a_restarted_app_is_assigned_again() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        conditions = app.status.conditions
        leased = old is not None and app.status.assigned_cluster and not old.status.assigned_cluster
        if leased and conditions[-1].deployment_status == PENDING:
            conditions.add(deployment_status=ASSIGNED, revision=conditions[-1].revision)

    return at_commit(change)


@mutant("LE-1")
def the_named_cluster_is_ignored() -> AbstractContextManager[Any]:
    def wanted_by(spec: model.Spec) -> tuple[str, str]:
        return "pool", spec.cluster_pool or "default"

    return all_of(patch.object(apps, "wanted_by", wanted_by), patch.object(writes, "wanted_by", wanted_by))


@mutant("LE-1")
def a_batch_has_no_limit() -> AbstractContextManager[Any]:
    return patch.object(leases, "MAX_APPS", 10_000)


@mutant("LE-1")
def every_stream_is_sent_every_app() -> AbstractContextManager[Any]:
    def lease(real: Any, self: LeaseStreams, stream: Any, record: AppRecord) -> None:
        real(self, stream, record)
        current = self._state.store.get(record.key)
        for other in self._streams:
            if other is not stream and other.cluster == stream.cluster and current is not None:
                other.send(current)

    return around(LeaseStreams, "_lease", lease)


@mutant("LE-1")
def a_lease_takes_twice_as_long() -> AbstractContextManager[Any]:
    return patch.object(leases, "SECOND", 2 * SECOND)


@mutant("LE-1")
def two_clusters_are_leased_one_app() -> AbstractContextManager[Any]:
    def fill(real: Any, self: LeaseStreams, stream: Any) -> None:
        real(self, stream)
        for record in list(self._state.store.members(("org",))):
            if record.lease and record.cluster != stream.cluster and record.wanted in stream.wanted:
                self._lease(stream, record)

    return around(LeaseStreams, "fill", fill)


@mutant("LE-2")
def leases_never_run_out() -> AbstractContextManager[Any]:
    real = TimerQueue.schedule

    def schedule(self: TimerQueue, due: int, owner: Any, kind: str, *arguments: Any, **options: bool) -> None:
        if kind != leases.LEASE_EXPIRY:
            real(self, due, owner, kind, *arguments, **options)

    return patch.object(TimerQueue, "schedule", schedule)


def _after_expiry(status_: int) -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        ran_out = old is not None and old.status.HasField("lease_expiration") and not app.status.assigned_cluster
        if ran_out and app.status.conditions[-1].deployment_status != status_:
            app.status.conditions.add(deployment_status=status_, revision=app.status.conditions[-1].revision)

    return at_commit(change)


@mutant("LE-2")
def an_app_whose_lease_ran_out_stays_assigned() -> AbstractContextManager[Any]:
    return _after_expiry(ASSIGNED)


@mutant("LE-2")
def a_restarted_app_is_unassigned_again() -> AbstractContextManager[Any]:
    return _after_expiry(UNASSIGNED)


@mutant("LE-2")
def a_lapsed_app_is_never_leased_again() -> AbstractContextManager[Any]:
    def put(real: Any, self: Waiting, old: AppRecord | None, new: AppRecord | None) -> None:
        lapsed = old is not None and old.lease and new is not None and not new.cluster
        if not lapsed:
            real(self, old, new)

    return around(Waiting, "put", put)


@mutant("LE-3")
def any_cluster_acknowledges() -> AbstractContextManager[Any]:
    return patch.object(status, "_check_holder", same(None))


@mutant("LE-3")
def an_acknowledged_lease_runs_on() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and old.status.HasField("lease_expiration") and app.status.assigned_cluster:
            app.status.lease_expiration.CopyFrom(old.status.lease_expiration)

    return at_commit(change)


@mutant("LE-3")
def any_report_acknowledges() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and app.status.current_replicas != old.status.current_replicas:
            app.status.ClearField("lease_expiration")

    return at_commit(change)


@mutant("LE-4")
def a_cluster_does_not_hear_of_updates() -> AbstractContextManager[Any]:
    def publish(real: Any, self: EventLog, event: Event) -> None:
        updated = event.old is not None and event.new is not None and event.old.revision != event.new.revision
        if not updated:
            real(self, event)
            return
        others = {scope: open_ for scope, open_ in self._streams.items() if not scope or scope[0] != "cluster"}
        with patch.object(self, "_streams", others):
            real(self, event)

    return around(EventLog, "publish", publish)


@mutant("LE-5")
def a_stopped_app_keeps_its_cluster() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and app.status.conditions[-1].deployment_status == STOPPED:
            app.status.assigned_cluster = old.status.assigned_cluster

    return at_commit(change)


@mutant("LE-5")
def a_stopped_app_forgets_its_cluster() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if app.status.conditions[-1].deployment_status == STOPPED:
            app.status.last_assigned_cluster = ""

    return at_commit(change)


@mutant("LE-6")
def a_write_is_answered_before_the_lease() -> AbstractContextManager[Any]:
    def written(real: Any, self: Standard, key: Any) -> bytes:
        answer = field(1, self.state.require(key).encoded)
        real(self, key)
        return answer

    return around(Standard, "_written", written)


@mutant("LE-6")
def only_the_named_default_pool_is_served() -> AbstractContextManager[Any]:
    real = apps.wanted_by

    def wanted_by(spec: model.Spec) -> tuple[str, str]:
        return real(spec) if spec.cluster or spec.cluster_pool else ("pool", "")

    return all_of(patch.object(apps, "wanted_by", wanted_by), patch.object(writes, "wanted_by", wanted_by))


# ---- UpdateStatus


@mutant("US-0")
def a_report_replaces_the_labels() -> AbstractContextManager[Any]:
    def update_status(real: Any, state: State, request: Any) -> Any:
        key = real(state, request)
        old = state.require(key)
        app = old.parse()
        if request.app.metadata.labels:
            app.metadata.labels.MergeFrom(request.app.metadata.labels)
            state.clock.tick()
            state.commit(draft_of(old, app))
        return key

    real = status.update_status
    return patch("flyteapps_fake.standard.dialect.update_status", lambda *arguments: update_status(real, *arguments))


@mutant("US-0")
def the_first_condition_is_taken() -> AbstractContextManager[Any]:
    def said(real: Any, app: model.App) -> Any:
        del app.status.conditions[1:]
        return real(app)

    return around(status, "_report_in", said)


@mutant("US-0")
def the_vpc_url_is_dropped() -> AbstractContextManager[Any]:
    def said(real: Any, app: model.App) -> Any:
        app.status.ingress.vpc_url = ""
        return real(app)

    return around(status, "_report_in", said)


def _without(part: str) -> AbstractContextManager[Any]:
    def said(real: Any, app: model.App) -> Any:
        if part == "revision":
            app.metadata.revision = 0
        else:
            for condition in app.status.conditions:
                condition.revision = 0
        return real(app)

    return around(status, "_report_in", said)


@mutant("US-1")
def a_report_on_an_old_revision_is_taken() -> AbstractContextManager[Any]:
    return _without("revision")


@mutant("US-1")
def a_report_on_an_old_condition_is_taken() -> AbstractContextManager[Any]:
    return _without("counter")


@mutant("US-1")
def every_report_is_an_event() -> AbstractContextManager[Any]:
    always = patch.object(status, "_may_change", same(True))
    return all_of(always, around(status, "_take", lambda real, app, said: real(app, said) or True))


@mutant("US-1")
def the_counter_counts_conditions_alone() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and len(app.status.conditions) == len(old.status.conditions):
            app.status.conditions[-1].revision = old.status.conditions[-1].revision

    return at_commit(change)


@mutant("US-1")
def an_update_resets_the_counter() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and old.metadata.revision != app.metadata.revision:
            app.status.conditions[-1].revision = 1

    return at_commit(change)


@mutant("US-1")
def old_words_are_kept() -> AbstractContextManager[Any]:
    scaling = model.Status.DEPLOYMENT_STATUS_SCALING_UP
    return patch.dict(status._DEPRECATED, {scaling: (7, model.Status.SUBSTATE_UNSPECIFIED)})


@mutant("US-2")
def any_move_is_taken() -> AbstractContextManager[Any]:
    return patch.object(apps, "refusal", same(""))


@mutant("US-2")
def a_running_app_can_be_stopped_by_its_cluster() -> AbstractContextManager[Any]:
    real = apps.refusal
    return patch.object(apps, "refusal", lambda *arguments, stopping: real(*arguments, stopping=True))


@mutant("US-2")
def any_substate_qualifies() -> AbstractContextManager[Any]:
    return patch.object(status, "qualifies", same(True))


@mutant("US-3")
def last_started_at_moves_with_every_active() -> AbstractContextManager[Any]:
    return patch.object(status, "_started", same(False))


@mutant("US-3")
def replicas_stay_what_they_were() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        if old is not None and old.status.current_replicas:
            app.status.current_replicas = old.status.current_replicas

    return at_commit(change)


@mutant("US-4")
def links_change_the_deployment() -> AbstractContextManager[Any]:
    real = apps.deployment_id

    def deployment_id(spec: model.Spec) -> str:
        return real(spec) if not spec.links else "0" * 16

    return patch.object(apps, "deployment_id", deployment_id)


@mutant("US-5")
def every_condition_is_kept() -> AbstractContextManager[Any]:
    return patch.object(conditions, "MAX_CONDITIONS", 10_000)


@mutant("US-6")
def reports_are_updates() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App | None) -> None:
        app.status.last_updated_at.CopyFrom(app.status.conditions[-1].last_transition_time)

    return at_commit(change)


# ---- Delete


@mutant("DE-3")
def a_deleted_apps_lease_runs_out() -> AbstractContextManager[Any]:
    """Its timer fires on whatever app has the id by then."""

    def lease(real: Any, state: State, record: AppRecord, cluster: str) -> AppRecord:
        leased = real(state, record, cluster)

        def fire(_: Timer) -> None:
            current = state.store.get(record.key)
            if current is not None and current.incarnation != record.incarnation and current.cluster:
                leases.take_back(state, current)

        kind = ("forgotten", record.key, record.incarnation)
        state.timeline.handle(str(kind), fire, "", lambda _: record.key.named())
        due = state.clock.now() + round(state.settings.lease_seconds * 10**9)
        state.timers.schedule(due, kind, str(kind), progress=False)
        return leased

    return around(leases, "lease", lease)
