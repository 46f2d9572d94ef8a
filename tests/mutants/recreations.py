"""Wrong planes: what is left of a deleted app in the one that is created again; creators, revisions and events."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_fake.core.lifecycle import DEPLOYING, PENDING, STOPPED
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.simulation.choice import ScenarioChoice
from flyteapps_fake.simulation.scenarios import LABEL
from flyteapps_fake.standard import writes
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators.reports import Report, report
from flyteapps_fake.standard.replicas import ReplicaBook, _end
from flyteapps_fake.standard.watch import Event, EventLog

from .planting import all_of, around, at_update, draft_of, mutant, whole

SOON = SECOND // 8
"""Nanoseconds: an app that is created again at once is PENDING then."""

# ---- DE-3, CR-5


def _fires_later(deed: Callable[[State, AppRecord], None]) -> AbstractContextManager[Any]:
    """Let what was under way for a deleted app happen to a later one of that id."""
    numbers = itertools.count()

    def remove(real: Any, state: State, old: AppRecord) -> None:
        real(state, old)
        if not old.cluster:
            return

        def fire(_: Timer) -> None:
            record = state.store.get(old.key)
            if record is not None and record.cluster and record.incarnation != old.incarnation:
                deed(state, record)

        kind = f"forgotten {next(numbers)}"
        state.timeline.handle(kind, fire, "", lambda _: old.key.named())
        state.timers.schedule(state.clock.now() + SOON, (kind, old.key), kind, progress=False)

    return around(writes, "remove", remove)


@mutant("DE-3")
def a_deleted_apps_next_step_is_the_next_ones() -> AbstractContextManager[Any]:
    """Its cluster takes it for another one's report, and reports no more: the app hangs."""

    def deed(state: State, record: AppRecord) -> None:
        if record.status == PENDING:
            report(state, record, Report(cluster=record.cluster, status=DEPLOYING, message="late"))

    return _fires_later(deed)


@mutant("DE-3")
def a_deleted_apps_step_shows_in_the_next_ones_conditions() -> AbstractContextManager[Any]:
    """It goes on from there, and comes to its end."""

    def deed(state: State, record: AppRecord) -> None:
        app = record.parse()
        app.status.conditions.add(deployment_status=STOPPED, revision=record.counter + 1)
        app.status.conditions[-1].last_transition_time.FromNanoseconds(state.clock.tick())
        app.status.conditions.add(deployment_status=PENDING, revision=record.counter + 2)
        app.status.conditions[-1].last_transition_time.FromNanoseconds(state.clock.tick())
        state.commit(draft_of(record, app))

    return _fires_later(deed)


@mutant("DE-3")
def the_scenario_of_a_deleted_app_is_the_next_ones() -> AbstractContextManager[Any]:
    gone: dict[Any, str] = {}

    def remove(real: Any, state: State, old: AppRecord) -> None:
        gone[old.key] = old.parse_front().metadata.labels.get(LABEL, "")
        real(state, old)

    def start(real: Any, self: ScenarioChoice, key: Any, version: Any, app: model.App) -> Any:
        if gone.get(key):
            app.metadata.labels[LABEL] = gone[key]
        return real(self, key, version, app)

    return all_of(around(writes, "remove", remove), around(ScenarioChoice, "start", start))


@mutant("DE-3")
def the_logs_of_a_deleted_app_stay() -> AbstractContextManager[Any]:
    def follow(real: Any, self: ReplicaBook, old: AppRecord | None, new: AppRecord | None, now: int) -> None:
        lives = self._lives.get(old.key) if old is not None else None
        real(self, old, new, now)
        if new is None and old is not None and lives is not None:
            _end(lives, 0, now)
            self._lives[old.key] = lives

    return around(ReplicaBook, "follow", follow)


def _kept(keep: Callable[[model.App, model.App], object]) -> AbstractContextManager[Any]:
    """Let an app that is created again have something of the deleted one, by `keep(app, deleted)`."""
    deleted: WeakKeyDictionary[State, dict[AppKey, model.App]] = WeakKeyDictionary()
    real_remove, real_commit = State.remove, State.commit

    def remove(self: State, old: AppRecord) -> None:
        deleted.setdefault(self, {})[old.key] = old.parse()
        real_remove(self, old)

    def commit(self: State, draft: Draft) -> AppRecord:
        gone = deleted.get(self, {}).get(draft.key) if draft.old is None else None
        if gone is None:
            return real_commit(self, draft)
        app = whole(draft)
        keep(app, gone)
        return real_commit(self, draft_of(None, app))

    return all_of(patch.object(State, "commit", commit), patch.object(State, "remove", remove))


@mutant("CR-5")
def a_created_again_app_has_the_old_namespace() -> AbstractContextManager[Any]:
    return _kept(lambda app, gone: app.status.k8s_metadata.CopyFrom(gone.status.k8s_metadata))


@mutant("CR-5")
def a_created_again_app_has_the_old_inputs() -> AbstractContextManager[Any]:
    return _kept(lambda app, gone: app.status.materialized_inputs.CopyFrom(gone.status.materialized_inputs))


@mutant("CR-5")
def a_created_again_app_has_the_old_vpc_url() -> AbstractContextManager[Any]:
    return _kept(lambda app, gone: setattr(app.status.ingress, "vpc_url", gone.status.ingress.vpc_url))


# ---- UP-2


@mutant("UP-2")
def an_update_that_starts_an_app_again_counts_twice() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App) -> None:
        stopped = model.Spec.DESIRED_STATE_STOPPED
        ran = bool(old.status.last_assigned_cluster)
        if ran and old.spec.desired_state == stopped != app.spec.desired_state:
            app.metadata.revision += 1

    return at_update(change)


@mutant("UP-2")
def an_update_with_a_reason_counts_twice_where_it_stops() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App) -> None:
        appended = len(app.status.conditions) > len(old.status.conditions)
        if appended and app.spec.desired_state == model.Spec.DESIRED_STATE_STOPPED and "because" in str(app.status):
            app.metadata.revision += 1

    return at_update(change)


@mutant("UP-2")
def an_update_of_a_failed_app_counts_twice() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App) -> None:
        if old.status.conditions[-1].deployment_status == model.Status.DEPLOYMENT_STATUS_FAILED:
            app.metadata.revision += 1

    return at_update(change)


def _creators(taken: Callable[[model.Spec, model.Spec], bool]) -> AbstractContextManager[Any]:
    """Let an update take the creator that was sent, where `taken(sent, stored)`."""
    sent: list[model.Spec] = []

    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        sent[:] = [model.Spec()]
        sent[0].CopyFrom(request.app.spec)
        return real(state, request)

    def change(app: model.App, old: model.App) -> None:
        if sent and sent[0].creator.WhichOneof("principal") and taken(sent[0], old.spec):
            app.spec.creator.CopyFrom(sent[0].creator)

    return all_of(at_update(change), around(writes, "update", update))


@mutant("UP-2")
def an_applications_app_is_the_last_writers() -> AbstractContextManager[Any]:
    return _creators(lambda sent, stored: stored.creator.HasField("application"))


@mutant("UP-2")
def a_creator_is_kept_by_its_subject_alone() -> AbstractContextManager[Any]:
    return _creators(lambda sent, stored: sent.creator.user.id.subject == stored.creator.user.id.subject)


# ---- WA-5


def _unpublished(silent: Callable[[AppRecord, AppRecord], bool]) -> AbstractContextManager[Any]:
    def publish(real: Any, self: EventLog, event: Event) -> None:
        if event.old is None or event.new is None or not silent(event.old, event.new):
            real(self, event)

    return around(EventLog, "publish", publish)


@mutant("WA-5")
def other_replicas_are_no_event() -> AbstractContextManager[Any]:
    """Neither where the cluster reports nothing else."""
    return _unpublished(
        lambda old, new: old.replicas > 0 and new.replicas > old.replicas and len(old.history) == len(new.history)
    )


@mutant("WA-5")
def another_message_is_no_event() -> AbstractContextManager[Any]:
    return _unpublished(
        lambda old, new: (
            new.status == DEPLOYING
            and (old.status, old.substate, old.replicas, old.revision, old.lease, old.cluster)
            == (new.status, new.substate, new.replicas, new.revision, new.lease, new.cluster)
        )
    )
