"""Checks of the apps in a document, which may have been edited: what is there twice has to agree.

A record has much of its app beside the encoded message, so that reads don't parse it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.message import DecodeError

from flyteapps_fake.core.lifecycle import STATES, qualifies
from flyteapps_fake.core.state.numbers import check_counts, check_times
from flyteapps_fake.core.state.stored_timers import check_timer
from flyteapps_fake.core.time.clock import END, from_timestamp
from flyteapps_fake.simulation.scenarios import Step
from flyteapps_fake.simulation.stored_apps import check_simulated
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.operators.pools import wanted_by
from flyteapps_fake.standard.state.app_messages import AppImage


def check_apps(apps: Mapping[AppKey, AppImage]) -> None:
    """Check apps. Raises ValueError for the first that can't be."""
    owners: dict[str | int, AppKey] = {}
    for key, image in apps.items():
        try:
            _check_record(image.record)
            _check_rest(image)
            for host in (*image.hosts.hosts, *((image.hosts.port,) if image.hosts.port else ())):
                if owners.setdefault(host, key) is not key:
                    raise ValueError(f"hosts: {host} is that of {owners[host]}, too")
        except ValueError as error:
            raise ValueError(f"the app {key}: {error}") from None


def _check_record(record: AppRecord) -> None:
    try:
        app = App.FromString(record.encoded)
    except DecodeError:
        raise ValueError("its app, status or conditions aren't readable") from None
    status, conditions = app.status, app.status.conditions
    if not conditions:
        raise ValueError("conditions: there is none")
    last = conditions[-1]
    check_counts(incarnation=record.incarnation, counter=record.counter, revision=record.revision)
    check_times(created_at=record.created_at, updated_at=record.updated_at, changed_at=record.changed_at)
    if not record.incarnation:
        raise ValueError("incarnation: 0 is out of range")
    lease = from_timestamp(status.lease_expiration) if status.HasField("lease_expiration") else 0
    for name, kept, shown in (
        ("id", record.key, AppKey.of(app.metadata.id)),
        ("revision", record.revision, app.metadata.revision),
        ("desired_state", record.desired_state, app.spec.desired_state),
        ("wanted_kind, wanted_name", record.wanted, wanted_by(app.spec)),
        ("created_at", record.created_at, from_timestamp(status.created_at)),
        ("cluster", record.cluster, status.assigned_cluster),
        ("lease", record.lease, lease),
        ("replicas", record.replicas, status.current_replicas),
        ("condition_count", len(record.history), len(conditions)),
        ("last_condition_bytes", record.history.last_bytes, last.ByteSize()),
        ("deployment_status", record.status, last.deployment_status),
        ("substate", record.substate, last.substate),
        ("counter", record.counter, last.revision),
    ):
        if kept != shown:
            raise ValueError(f"{name}: {kept!r} doesn't agree with its message, which has {shown!r}")
    if record.status not in STATES or not qualifies(record.status, record.substate):
        raise ValueError(f"deployment_status: {record.status} with the substate {record.substate} is no state")


def _check_rest(image: AppImage) -> None:
    """Check the numbers of what belongs to an app."""
    owners = [timer.owner for timer in image.timers]
    if len(owners) != len(set(owners)):
        raise ValueError("timers: there are two of a kind")
    for timer in image.timers:
        check_timer(timer)
        for argument in timer.arguments:
            if isinstance(argument, Step) and not qualifies(argument.status, argument.substate):
                raise ValueError(f"timers: {argument.status} with the substate {argument.substate} is no state")
    if image.lives is not None:
        check_counts(begun=image.lives.begun)
        for life in (*image.lives.live, *image.lives.ended):
            check_counts(number=life.number, revision=life.revision)
            check_times(began=life.began, ended=life.ended or 0)
    simulated = image.simulated
    if (run := simulated.run) is not None:
        check_counts(revision=run.revision, incarnation=run.incarnation, counter=run.counter, drawn=run.drawn)
        check_times(written=run.written, requested_at=run.requested_at)
        if run.requested_at > END or run.written > END:
            raise ValueError("run: it was written or requested after the end of all clocks")
    check_simulated(run.bounds if run is not None else None, simulated.start, simulated.step_logs)
