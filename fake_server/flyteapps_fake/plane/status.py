"""What a cluster reports of an app that it holds: the move is checked against the table, then committed."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app.app_definition_pb2 import Condition

from flyteapps_fake.plane.apps import AppRecord
from flyteapps_fake.plane.clock import timestamp
from flyteapps_fake.plane.commits import State, append_condition
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.lifecycle import ACTIVE, FAILED, STOPPED, Cause, qualifies, status_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A cluster's word on one app."""

    cluster: str
    status: int
    substate: int
    message: str
    replicas: int
    namespace: str


def report(state: State, record: AppRecord, said: Report) -> None:
    """Commits the report; one that changes nothing has no effect and no event."""
    if said.cluster != record.cluster:
        raise RpcError(Code.FAILED_PRECONDITION, f"app {record.key} is not held by cluster {said.cluster!r}")
    if not qualifies(said.status, said.substate):
        raise RpcError(Code.INVALID_ARGUMENT, f"substate {said.substate} does not go with {status_name(said.status)}")
    app = record.parse()
    before = app.SerializeToString(deterministic=True)
    status = app.status
    if status.HasField("lease_expiration"):
        status.ClearField("lease_expiration")
        status.last_assigned_cluster = said.cluster
    status.current_replicas = said.replicas
    status.k8s_metadata.namespace = said.namespace
    last = status.conditions[-1]
    appended = (last.deployment_status, last.substate, last.message) != (said.status, said.substate, said.message)
    if not appended and app.SerializeToString(deterministic=True) == before:
        return
    now = state.clock.tick()
    if appended:
        condition = Condition(deployment_status=said.status, substate=said.substate, message=said.message)  # pyright: ignore[reportArgumentType]  # checked above
        recovered = last.deployment_status == FAILED
        first = said.status == ACTIVE and last.deployment_status != ACTIVE and not recovered
        append_condition(app, condition, Cause.REPORT, now)
        if first:
            status.last_started_at.CopyFrom(timestamp(now))
        if said.status == STOPPED:
            status.assigned_cluster = ""
    else:
        last.revision += 1
    state.commit(record, app)
