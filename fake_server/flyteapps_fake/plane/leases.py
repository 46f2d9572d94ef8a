"""Leases: an app is handed to a cluster, which has to acknowledge it in time."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Condition

from flyteapps_fake.plane.apps import AppRecord
from flyteapps_fake.plane.clock import SECOND, timestamp
from flyteapps_fake.plane.commits import State, append_condition
from flyteapps_fake.plane.lifecycle import ASSIGNED, UNASSIGNED, Cause, shall_run

LEASE_DURATION = 60 * SECOND


def leasable(record: AppRecord) -> bool:
    """Whether it shall run and no cluster has it."""
    return shall_run(record.desired_state) and not record.cluster


def lease(state: State, record: AppRecord, cluster: str) -> None:
    """Assigns the app to the cluster; a restarted one keeps PENDING."""
    app = record.parse()
    now = state.clock.tick()
    app.status.assigned_cluster = cluster
    app.status.lease_expiration.CopyFrom(timestamp(now + LEASE_DURATION))
    if record.status == UNASSIGNED:
        condition = Condition(deployment_status=ASSIGNED, message=f"Leased by cluster {cluster}")
        append_condition(app, condition, Cause.LEASE, now)
    state.commit(record, app)
