"""The effect of a cluster's report on an app, and the id of a deployment. Written from the contract."""

from __future__ import annotations

import hashlib

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.lifecycle import ACTIVE, ASSIGNED, STOPPED, UNASSIGNED, S

KEPT = 100
"""Conditions of an app, at most."""
STORED: dict[int, tuple[int, int]] = {
    S.DEPLOYMENT_STATUS_STARTED: (ACTIVE, S.SUBSTATE_UNSPECIFIED),
    S.DEPLOYMENT_STATUS_SCALING_UP: (ACTIVE, S.SCALING_UP),
    S.DEPLOYMENT_STATUS_SCALING_DOWN: (ACTIVE, S.SCALING_DOWN),
}
"""The stored statuses for those that are no longer used."""


def time_of(stamp: Timestamp) -> tuple[int, int]:
    """Something to compare times by."""
    return (stamp.seconds, stamp.nanos)


def deployment_id(spec: model.Spec) -> str:
    """16 hex digits of the SHA-256 of the spec as a cluster sees it, serialized deterministically."""
    seen = model.Spec()
    seen.CopyFrom(spec)
    seen.ClearField("desired_state")
    for field in ("creator", "profile", "links", "runtime_metadata", "ingress"):
        seen.ClearField(field)
    return hashlib.sha256(seen.SerializeToString(deterministic=True)).hexdigest()[:16]


def refusals(before: model.App, sent: model.App) -> dict[str, tuple[str, ...]]:
    """Return the codes with which a report may be refused, by their guarantees; none where it is accepted."""
    said = sent.status.conditions[-1] if sent.status.conditions else None
    found: dict[str, tuple[str, ...]] = {}
    if sent.metadata.revision not in (0, before.metadata.revision):
        found["ABORTED"] = ("US-1",)
    if said is not None and said.revision not in (0, before.status.conditions[-1].revision):
        found["ABORTED"] = ("US-1",)
    if not sent.status.assigned_cluster or sent.status.assigned_cluster != before.status.assigned_cluster:
        found["FAILED_PRECONDITION"] = ("US-2", "LE-3")
    if said is not None:
        status, substate = stored(said)
        if not lifecycle.qualifies(substate, status):
            found["INVALID_ARGUMENT"] = ("US-2",)
        stopping = before.spec.desired_state == model.Spec.DESIRED_STATE_STOPPED
        last = before.status.conditions[-1]
        new = model.Condition(deployment_status=status, substate=substate)  # type: ignore[arg-type]  # plain ints
        if said.message != last.message or (status, substate) != (last.deployment_status, last.substate):
            by_cluster = (last.deployment_status, status) != (ASSIGNED, UNASSIGNED)
            if not by_cluster or not lifecycle.may_follow(last, new, renewed=False, stopping=stopping):
                found["FAILED_PRECONDITION"] = ("US-2",)
    return found


def stored(said: model.Condition) -> tuple[int, int]:
    """Return the status and the substate that are stored for what a report says."""
    status, implied = STORED.get(said.deployment_status, (said.deployment_status, said.substate))
    return status, said.substate or implied


def reported(before: model.App, sent: model.App, after: model.App) -> model.App:
    """Return the app that a report leads to; the times that the plane set are taken from `after`."""
    app = model.App()
    app.CopyFrom(before)
    status, said = app.status, sent.status
    status.current_replicas = said.current_replicas
    for field in ("k8s_metadata", "materialized_inputs"):
        if said.HasField(field):
            getattr(status, field).CopyFrom(getattr(said, field))
    word = said.conditions[-1] if said.conditions else None
    last = status.conditions[-1]
    new = stored(word) if word is not None else (last.deployment_status, last.substate)
    message = word.message if word is not None else last.message
    own = deployment_id(app.spec)
    appended = (*new, message, own) != (last.deployment_status, last.substate, last.message, last.deployment_id)
    appended = appended and word is not None
    acknowledged = status.HasField("lease_expiration") and word is not None and new[0] not in (0, UNASSIGNED, ASSIGNED)
    counter = last.revision
    if appended:
        started = time_of(status.last_started_at) > time_of(status.last_updated_at)
        made = status.conditions.add(deployment_status=new[0], substate=new[1], message=message)  # type: ignore[arg-type]
        made.deployment_id, made.revision = own, counter + 1
        made.last_transition_time.CopyFrom(after.status.conditions[-1].last_transition_time)
        del status.conditions[:-KEPT]
        if new[0] == ACTIVE and not started:
            status.last_started_at.CopyFrom(after.status.last_started_at)
    elif acknowledged or app != before:
        last.revision = counter + 1
    if acknowledged:
        status.ClearField("lease_expiration")
        status.last_assigned_cluster = said.assigned_cluster
    if new[0] == STOPPED and word is not None:
        status.assigned_cluster = ""
    return app
