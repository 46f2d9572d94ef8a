"""What the backend makes of a spec before it deploys it: a payload that a cluster could run, or a refusal."""

from __future__ import annotations

import re

from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.core.tasks_pb2 import Resources

from flyteapps_fake.plane.errors import Code, CutOff, RpcError

_NAMED = (Resources.CPU, Resources.MEMORY, Resources.STORAGE, Resources.EPHEMERAL_STORAGE)
"""Resources that a cluster is told of; others are left out."""
_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")


def check_payload(resource: str, spec: Spec) -> None:
    """Refuses what can't be built; a quantity that is none ends the connection, as a panic does."""
    match spec.WhichOneof("app_payload"):
        case "container":
            resources = spec.container.resources
            for entry in (*resources.requests, *resources.limits):
                if entry.name in _NAMED and not _QUANTITY.fullmatch(entry.value):
                    raise CutOff("unexpected EOF")
        case "pod":
            if not spec.pod.HasField("pod_spec"):
                raise _unbuildable(resource, "K8sPod app payload has no pod spec")
        case _:
            raise _unbuildable(resource, "app spec has no payload (container or pod required)")


def _unbuildable(resource: str, why: str) -> RpcError:
    return RpcError(Code.INTERNAL, f"failed to build KService for app {resource}: {why}")
