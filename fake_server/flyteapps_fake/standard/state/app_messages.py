"""An app of the standard dialect as a message of a plane's state, and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import MaterializedInputs

from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_fake.core.draws import Seed
from flyteapps_fake.core.state.stored_timers import timer_of, timer_state
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.simulation.stored_apps import (
    bounds_in,
    bounds_state,
    start_image,
    start_message,
    step_log_message,
    step_log_of,
)
from flyteapps_fake.simulation.stored_steps import place_of, progress_of, step_of, step_state
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.conditions import History
from flyteapps_fake.standard.ingress import AppHosts
from flyteapps_fake.standard.operators.leases import LEASE_EXPIRY
from flyteapps_fake.standard.operators.local_cluster import LAST_REPORT
from flyteapps_fake.standard.operators.reports import Report
from flyteapps_fake.standard.operators.waiting import lease_timer
from flyteapps_fake.standard.replicas import Life, LivesImage
from flyteapps_fake.standard.simulation.reactor import IDLE_CHECK, STEP, SimulatedApp
from flyteapps_fake.standard.simulation.runs import Run


class AppImage(NamedTuple):
    """An app with all that belongs to it: `timers`, its own and that of its lease; `simulated`: in the own cluster."""

    record: AppRecord
    hosts: AppHosts
    lives: LivesImage | None
    timers: tuple[Timer, ...]
    simulated: SimulatedApp


def app_message(key: AppKey, image: AppImage) -> pb.StandardApp:
    """Return an app as a message."""
    record, simulated = image.record, image.simulated
    message = pb.StandardApp(
        org=key.org,
        project=key.project,
        domain=key.domain,
        name=key.name,
        incarnation=record.incarnation,
        app=record.front,
        status=record.status_bytes,
        conditions=record.history.encoded,
        condition_count=len(record.history),
        last_condition_bytes=record.history.last_bytes,
        deployment_status=record.status,
        substate=record.substate,
        counter=record.counter,
        changed_at=record.changed_at,
        deployment=record.deployment,
        desired_state=record.desired_state,
        revision=record.revision,
        created_at=record.created_at,
        updated_at=record.updated_at,
        cluster=record.cluster,
        lease=record.lease,
        replicas=record.replicas,
        wanted_kind=record.wanted[0],
        wanted_name=record.wanted[1],
        hosts=pb.AppHosts(hosts=image.hosts.hosts, subdomain=image.hosts.label, port=image.hosts.port),
        timers=[_timer_message(timer) for timer in image.timers],
        played_cluster=simulated.played_cluster,
    )
    if image.lives is not None:
        history = message.replica_history
        history.begun = image.lives.begun
        history.live.extend(map(_life_message, image.lives.live))
        history.ended.extend(map(_life_message, image.lives.ended))
    if simulated.run is not None:
        _fill_run(message.run, simulated.run)
    if simulated.start is not None:
        message.start.CopyFrom(start_message(simulated.start, key.named()))
    message.step_logs.extend(map(step_log_message, simulated.step_logs))
    return message


def app_image(message: pb.StandardApp, seed: Seed) -> tuple[AppKey, AppImage]:
    """Return the app in a message. Raises ValueError for one that can't be.

    A document has many apps. A repeated field is copied, `[:]`, which takes a third of the time of an iteration.
    """
    key = AppKey(sys.intern(message.org), sys.intern(message.project), sys.intern(message.domain), message.name)
    if not all(key):
        raise ValueError("an app has no org, project, domain or name")
    if message.condition_count < 0:
        raise ValueError(f"condition_count: {message.condition_count} is out of range")
    record = _record(message, key)
    hosts = message.hosts
    lives = None
    if message.HasField("replica_history"):
        history = message.replica_history
        lives = LivesImage(history.begun, _lives(history.live), _lives(history.ended))
    logs = message.step_logs
    simulated = SimulatedApp(
        _run(key, message.run, seed) if message.HasField("run") else None,
        start_image(message.start, key.named()) if message.HasField("start") else None,
        tuple([step_log_of(each) for each in logs[:]]) if logs else (),
        message.played_cluster,
    )
    timers = tuple([_timer(key, each) for each in message.timers[:]])
    return key, AppImage(record, AppHosts(tuple(hosts.hosts[:]), hosts.subdomain, hosts.port), lives, timers, simulated)


def _record(message: pb.StandardApp, key: AppKey) -> AppRecord:
    record = AppRecord.__new__(AppRecord)  # a field at a time: a plane may have many apps
    record.key = key
    record.incarnation = message.incarnation
    record.front = message.app
    record.status_bytes = message.status
    record.history = History(message.conditions, message.condition_count, message.last_condition_bytes)
    record.status = message.deployment_status
    record.substate = message.substate
    record.counter = message.counter
    record.changed_at = message.changed_at
    record.deployment = message.deployment
    record.desired_state = message.desired_state
    record.revision = message.revision
    record.created_at = message.created_at
    record.updated_at = message.updated_at
    record.cluster = sys.intern(message.cluster)
    record.lease = message.lease
    record.replicas = message.replicas
    record.wanted = sys.intern(message.wanted_kind), sys.intern(message.wanted_name)
    return record


def _life_message(life: Life) -> pb.ReplicaLife:
    return pb.ReplicaLife(number=life.number, revision=life.revision, began=life.began, ended=life.ended)


def _lives(messages: Sequence[pb.ReplicaLife]) -> tuple[Life, ...]:
    if not messages:
        return ()
    return tuple(
        [
            Life(each.number, each.revision, each.began, each.ended if each.HasField("ended") else None)
            for each in messages[:]
        ]
    )


def _timer_message(timer: Timer) -> pb.TimerState:
    message = timer_state(timer)
    if timer.kind == LEASE_EXPIRY:
        message.cluster = timer.arguments[1]
    elif timer.kind == STEP:
        message.incarnation, message.revision, step = timer.arguments
        message.step.CopyFrom(step_state(step))
    elif timer.kind == LAST_REPORT:
        reported: Report = timer.arguments[0]
        message.report.CopyFrom(
            pb.ReportState(
                cluster=reported.cluster,
                status=reported.status,
                substate=reported.substate,
                message=reported.message,
                replicas=reported.replicas,
                namespace=reported.namespace,
            )
        )
    return message


def _timer(key: AppKey, message: pb.TimerState) -> Timer:
    kind = message.kind
    arguments: tuple[object, ...] = ()
    if kind == LEASE_EXPIRY:
        return timer_of(message, lease_timer(key), (key, message.cluster))
    if kind == STEP:
        arguments = message.incarnation, message.revision, step_of(message.step)
    elif kind == LAST_REPORT:
        given = message.report
        namespace = given.namespace if given.HasField("namespace") else None
        reported = Report(
            given.cluster, given.status, given.substate, given.message, given.replicas, namespace=namespace
        )
        arguments = (reported,)
    elif kind != IDLE_CHECK:
        raise ValueError(f"a timer of the kind {kind!r} is none that this version of flyteapps knows")
    return timer_of(message, key, arguments)


def _fill_run(message: pb.Run, run: Run) -> None:
    message.MergeFrom(
        pb.Run(
            revision=run.revision,
            incarnation=run.incarnation,
            place=place_of(run.progress),
            materialized=run.materialized.SerializeToString() if run.materialized is not None else None,
            written=run.written,
            reason=run.reason,
            counter=run.counter,
            drawn=run.drawn,
            requested_at=run.requested_at,
            loaded=run.loaded,
            fresh=run.fresh,
            reached=run.reached,
            bounds=bounds_state(run.bounds),
        )
    )


def _run(key: AppKey, message: pb.Run, seed: Seed) -> Run:
    materialized = None
    if message.HasField("materialized"):
        materialized = MaterializedInputs.FromString(message.materialized)
    return Run(
        key,
        message.revision,
        message.incarnation,
        bounds_in(message.bounds),
        seed,
        progress_of(message.place),
        materialized,
        message.written,
        message.reason,
        message.counter,
        message.drawn,
        message.requested_at,
        message.loaded,
        message.fresh,
        message.reached,
    )
