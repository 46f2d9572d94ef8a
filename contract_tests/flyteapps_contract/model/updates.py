"""The oracle of Update: what becomes of a stored app, and which condition the update appends.

Pure functions, written from the contract. They speak of an update that is taken; whether it is, the check knows.
"""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model import lifecycle

OPENING = "Either the change has already been applied, or"
"""The beginning of the message of a refused update; existing clients look for it."""


def updated(stored: model.App, sent: model.App) -> model.App:
    """Return the metadata and the spec that an update leaves; the status is not part of it."""
    after = model.App(metadata=sent.metadata, spec=sent.spec)
    after.metadata.id.CopyFrom(stored.metadata.id)
    after.metadata.revision = stored.metadata.revision + 1
    after.spec.creator.CopyFrom(stored.spec.creator)
    if sent.spec.ingress == model.IngressConfig():  # absent, or the default message
        after.spec.ingress.CopyFrom(stored.spec.ingress)
    return after


def appended(stored: model.App, desired: int) -> int | None:
    """Return the status of the condition that an update to that desired state appends; None where it appends none."""
    if desired == model.Spec.DESIRED_STATE_STOPPED:
        return lifecycle.PENDING if stored.status.assigned_cluster else lifecycle.STOPPED
    last = stored.status.conditions[-1].deployment_status if stored.status.conditions else 0
    if last in (lifecycle.UNASSIGNED, lifecycle.ASSIGNED):  # no cluster has acknowledged it yet
        return None
    return lifecycle.PENDING
