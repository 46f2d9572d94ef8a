"""Reports of a cluster on an app that it holds: the move is checked against the table, then committed.

The same for the UpdateStatus RPC and for the simulated cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Condition, MaterializedInputs, Status
from flyteidl2.app.app_payload_pb2 import UpdateStatusRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import (
    ACTIVE,
    Cause,
    qualifies,
    short_name,
    substate_name,
    traits_of,
)
from flyteapps_fake.core.time.clock import set_timestamp
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State

MAX_MESSAGE_BYTES, MAX_REST_BYTES = 4_096, 65_536
"""Bytes that a report may add: an UpdateEvent carries two apps with up to 100 conditions each, in 4 MiB."""

_DEPRECATED: dict[int, tuple[int, int]] = {
    Status.DEPLOYMENT_STATUS_STARTED: (ACTIVE, Status.SUBSTATE_UNSPECIFIED),
    Status.DEPLOYMENT_STATUS_SCALING_UP: (ACTIVE, Status.SCALING_UP),
    Status.DEPLOYMENT_STATUS_SCALING_DOWN: (ACTIVE, Status.SCALING_DOWN),
}
"""The statuses that are stored for deprecated ones."""


class Report(NamedTuple):
    """A cluster's report on one app; a status of None leaves the app's condition.

    `revision` and `counter`: what the cluster believes the app's revision and its last condition's are, 0 for any.
    None, or an empty `vpc_url`, leaves what is stored. `at`: when it was reported, by default now.
    """

    cluster: str
    status: int | None
    substate: int = Status.SUBSTATE_UNSPECIFIED
    message: str = ""
    replicas: int = 0
    namespace: str | None = None
    materialized: MaterializedInputs | None = None
    vpc_url: str = ""
    revision: int = 0
    counter: int = 0
    at: int | None = None


def update_status(state: State, request: UpdateStatusRequest) -> AppKey:
    """Commit the report of an UpdateStatus; the caller's cluster is the one in the request's status."""
    app = request.app
    key = AppKey.of(app.metadata.id)
    reported = _report_in(app)
    report(state, state.require(key), reported)
    return key


def report(state: State, record: AppRecord, reported: Report) -> AppRecord:
    """Commit the report, and return the app afterwards; a report that changes nothing has no effect and no event."""
    if reported.status is not None and not qualifies(reported.status, reported.substate):
        raise RpcError(
            Code.INVALID_ARGUMENT,
            f"app.status.conditions: the substate {substate_name(reported.substate)} "
            f"does not go with the status {short_name(reported.status)}",
        )
    _check_size(reported)
    _check_holder(state, record, reported)
    draft = Draft(record)
    changed = _may_change(record, reported) and _take(draft.status, reported)
    if reported.vpc_url:
        state.hosts.check(record.key, draft.status.ingress)
    appended = reported.status is not None and (
        (record.status, record.substate) != (reported.status, reported.substate)
        or (draft.last.message, draft.last.deployment_id) != (reported.message, record.deployment)
    )
    acknowledged = bool(record.lease) and reported.status is not None and traits_of(reported.status).held
    if not (appended or changed or acknowledged):
        return record
    now = state.clock.now()
    if appended:
        now = state.clock.tick()
        condition = Condition(deployment_status=reported.status, substate=reported.substate, message=reported.message)  # pyright: ignore[reportArgumentType]  # append checks it
        draft.append(condition, Cause.REPORT, now)
        if traits_of(reported.status).serves and not _started(draft.status):
            set_timestamp(draft.status.last_started_at, now)
    else:
        state.clock.tick()
        draft.touch()
    if acknowledged:
        draft.status.ClearField("lease_expiration")
        draft.status.last_assigned_cluster = reported.cluster
        state.pools.acknowledged(reported.cluster)
    if traits_of(reported.status).released:
        draft.status.assigned_cluster = ""
    committed = state.commit(draft)
    if reported.vpc_url:
        state.hosts.move(record.key, draft.status.ingress)
    return committed


def _report_in(app: App) -> Report:
    """Return the report in an UpdateStatus; the rest of the request is ignored."""
    status = app.status
    conditions: Sequence[Condition] = status.conditions
    last = conditions[-1] if conditions else None
    value = last.deployment_status if last is not None else None
    substate = last.substate if last is not None else 0
    if value in _DEPRECATED:
        value, implied = _DEPRECATED[value]
        if implied and substate not in (Status.SUBSTATE_UNSPECIFIED, implied):
            raise RpcError(
                Code.INVALID_ARGUMENT,
                f"app.status.conditions: the substate {substate_name(substate)} contradicts a status "
                f"that means {substate_name(implied)}",
            )
        substate = substate or implied
    return Report(
        cluster=status.assigned_cluster,
        status=value,
        substate=substate,
        message=last.message if last is not None else "",
        replicas=status.current_replicas,
        namespace=status.k8s_metadata.namespace if status.HasField("k8s_metadata") else None,
        materialized=status.materialized_inputs if status.HasField("materialized_inputs") else None,
        vpc_url=status.ingress.vpc_url,
        revision=app.metadata.revision,
        counter=last.revision if last is not None else 0,
    )


def _check_size(reported: Report) -> None:
    """Refuse a report that an app could not carry a hundred times beside its spec."""
    _check_at_most("the condition's message", len(reported.message.encode()), MAX_MESSAGE_BYTES)
    rest = reported.materialized.ByteSize() if reported.materialized is not None else 0
    rest += len(reported.namespace.encode()) if reported.namespace else 0
    rest += len(reported.vpc_url.encode()) if reported.vpc_url else 0
    _check_at_most("k8s_metadata, materialized_inputs and vpc_url", rest, MAX_REST_BYTES)


def _check_at_most(what: str, size: int, most: int) -> None:
    if size > most:
        raise RpcError(Code.RESOURCE_EXHAUSTED, f"app.status: {what} may have {most:,} bytes, not {size:,}")


def _check_holder(state: State, record: AppRecord, reported: Report) -> None:
    key = record.key
    if not reported.cluster:
        raise RpcError(
            Code.FAILED_PRECONDITION, "app.status.assigned_cluster is empty: it says which cluster reports, so set it"
        )
    if reported.cluster != record.cluster:
        holder = f"cluster {record.cluster} does" if record.cluster else "no cluster does"
        raise RpcError(
            Code.FAILED_PRECONDITION,
            f"cluster {quoted(reported.cluster)} does not hold app {key}: {holder}; lease it first",
        )
    if record.lease and (state.clock.now() if reported.at is None else reported.at) >= record.lease:
        raise RpcError(Code.FAILED_PRECONDITION, f"the lease of cluster {reported.cluster} on app {key} has run out")
    if reported.revision not in (0, record.revision):
        raise RpcError(
            Code.ABORTED,
            f"app {key} has moved on: the report is on revision {reported.revision}, "
            f"the stored one is {record.revision}",
        )
    if reported.counter not in (0, record.counter):
        raise RpcError(
            Code.ABORTED,
            f"the status of app {key} has moved on: the report is on the condition's revision {reported.counter}, "
            f"the stored one is {record.counter}",
        )


def _may_change(record: AppRecord, reported: Report) -> bool:
    """Return whether the status has to be parsed to apply the report."""
    same = reported.namespace is None and reported.materialized is None and not reported.vpc_url
    return not same or reported.replicas != record.replicas


def _take(status: Status, reported: Report) -> bool:
    """Copy the fields that the cluster owns into the status; return whether anything changed."""
    changed = status.current_replicas != reported.replicas
    status.current_replicas = reported.replicas
    if reported.namespace is not None and reported.namespace != status.k8s_metadata.namespace:
        status.k8s_metadata.namespace = reported.namespace
        changed = True
    if reported.materialized is not None and reported.materialized != status.materialized_inputs:
        status.materialized_inputs.CopyFrom(reported.materialized)
        changed = True
    if reported.vpc_url and reported.vpc_url != status.ingress.vpc_url:
        status.ingress.vpc_url = reported.vpc_url
        changed = True
    return changed


def _started(status: Status) -> bool:
    """Return whether the app was ACTIVE since the last Create or Update."""
    started, updated = status.last_started_at, status.last_updated_at
    return (started.seconds, started.nanos) > (updated.seconds, updated.nanos)
