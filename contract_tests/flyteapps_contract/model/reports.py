"""What a report of a cluster does to an app, and what the id of a deployment is. Written from the contract."""

from __future__ import annotations

import hashlib

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model.lifecycle import ACTIVE, S

KEPT = 100
"""Conditions of an app, at most."""
STORED: dict[int, tuple[int, int]] = {
    S.DEPLOYMENT_STATUS_STARTED: (ACTIVE, S.SUBSTATE_UNSPECIFIED),
    S.DEPLOYMENT_STATUS_SCALING_UP: (ACTIVE, S.SCALING_UP),
    S.DEPLOYMENT_STATUS_SCALING_DOWN: (ACTIVE, S.SCALING_DOWN),
}
"""What is stored for the statuses that are no longer used."""


def deployment_id(spec: model.Spec) -> str:
    """16 hex digits of the SHA-256 of the spec as a cluster sees it, serialized deterministically."""
    seen = model.Spec()
    seen.CopyFrom(spec)
    seen.ClearField("desired_state")
    for field in ("creator", "profile", "links", "runtime_metadata", "ingress"):
        seen.ClearField(field)
    return hashlib.sha256(seen.SerializeToString(deterministic=True)).hexdigest()[:16]
