"""Checks of the apps in a document, which may have been edited: what is there twice has to agree.

A record has much of its app beside the encoded message, so that reads don't parse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.message import DecodeError

from flyteapps_fake.core.lifecycle import STATES, qualifies
from flyteapps_fake.core.state.numbers import MAX_COUNT, check_counts, check_times
from flyteapps_fake.core.state.stored_timers import check_timer
from flyteapps_fake.core.time.clock import END, from_timestamp
from flyteapps_fake.simulation.scenarios import Step
from flyteapps_fake.simulation.stored_apps import check_simulated
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.operators.pools import wanted_by
from flyteapps_fake.standard.state.app_messages import AppImage

TWICE = (
    "id",
    "revision",
    "desired_state",
    "wanted_kind, wanted_name",
    "created_at",
    "cluster",
    "lease",
    "replicas",
    "condition_count",
    "last_condition_bytes",
    "deployment_status",
    "substate",
    "counter",
)
"""The values that a record and its message both have, by their names in documents."""


def check_apps(apps: Mapping[AppKey, AppImage]) -> None:
    """Check apps. Raises ValueError for the first that can't be."""
    owners: dict[str | int, AppKey] = {}
    for key, image in apps.items():
        try:
            _check_record(image.record)
            _check_rest(image)
            hosts, _, port = image.hosts
            for host in (*hosts, port) if port else hosts:
                if owners.setdefault(host, key) is not key:
                    raise ValueError(f"hosts: {host} is that of {owners[host]}, too")
        except ValueError as error:
            raise ValueError(f"the app {key}: {error}") from None


def _check_record(record: AppRecord) -> None:
    try:
        app = App.FromString(record.encoded)
    except DecodeError:
        raise ValueError("its app, status or conditions aren't readable") from None
    metadata, spec, status = app.metadata, app.spec, app.status
    conditions, history = status.conditions, record.history
    if not conditions:
        raise ValueError("conditions: there is none")
    last = conditions[-1]
    if not 0 <= record.incarnation | record.counter | record.revision <= MAX_COUNT:
        check_counts(incarnation=record.incarnation, counter=record.counter, revision=record.revision)
    if record.created_at | record.updated_at | record.changed_at < 0:
        check_times(created_at=record.created_at, updated_at=record.updated_at, changed_at=record.changed_at)
    if not record.incarnation:
        raise ValueError("incarnation: 0 is out of range")
    kept = (
        record.key,
        record.revision,
        record.desired_state,
        record.wanted,
        record.created_at,
        record.cluster,
        record.lease,
        record.replicas,
        len(history),
        history.last_bytes,
        record.status,
        record.substate,
        record.counter,
    )
    shown = (
        AppKey.of(metadata.id),
        metadata.revision,
        spec.desired_state,
        wanted_by(spec),
        from_timestamp(status.created_at),
        status.assigned_cluster,
        from_timestamp(status.lease_expiration) if status.HasField("lease_expiration") else 0,
        status.current_replicas,
        len(conditions),
        last.ByteSize(),
        last.deployment_status,
        last.substate,
        last.revision,
    )
    if kept != shown:
        name, one, other = next(each for each in zip(TWICE, kept, shown, strict=True) if each[1] != each[2])
        raise ValueError(f"{name}: {one!r} doesn't agree with its message, which has {other!r}")
    if not _is_state(record.status, record.substate):
        raise ValueError(f"deployment_status: {record.status} with the substate {record.substate} is no state")


@lru_cache(maxsize=256)
def _is_state(status: int, substate: int) -> bool:
    return status in STATES and qualifies(status, substate)


def _check_rest(image: AppImage) -> None:
    """Check the numbers of what belongs to an app."""
    if len(image.timers) > 1 and len({timer.owner for timer in image.timers}) < len(image.timers):
        raise ValueError("timers: there are two of a kind")
    for timer in image.timers:
        check_timer(timer)
        for argument in timer.arguments:
            if isinstance(argument, Step) and not qualifies(argument.status, argument.substate):
                raise ValueError(f"timers: {argument.status} with the substate {argument.substate} is no state")
    if (lives := image.lives) is not None:
        if not 0 <= lives.begun <= MAX_COUNT:
            check_counts(begun=lives.begun)
        for number, revision, began, ended in (*lives.live, *lives.ended):
            if not 0 <= number | revision <= MAX_COUNT or began | (ended or 0) < 0:
                check_counts(number=number, revision=revision)
                check_times(began=began, ended=ended or 0)
    simulated = image.simulated
    if (run := simulated.run) is not None:
        if not 0 <= run.revision | run.incarnation | run.counter | run.drawn <= MAX_COUNT:
            check_counts(revision=run.revision, incarnation=run.incarnation, counter=run.counter, drawn=run.drawn)
        if run.written | run.requested_at < 0:
            check_times(written=run.written, requested_at=run.requested_at)
        if run.requested_at > END or run.written > END:
            raise ValueError("run: it was written or requested after the end of all clocks")
    check_simulated(run.bounds if run is not None else None, simulated.start, simulated.step_logs)
