"""The backend's check of a spec before a deploy: a payload that a cluster could run, or an error.

The backend is two services, one behind the other. An invalid quantity makes the inner one panic, which cuts the
connection between them; the outer one then returns the error of that connection.
"""

from __future__ import annotations

import re

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.simulation.admission import UNSIGNED, quantities

_NAMED = ("CPU", "MEMORY", "STORAGE", "EPHEMERAL_STORAGE")
"""Resources of a container that the backend passes on to the cluster; it leaves out others."""
_QUANTITY = re.compile(f"[+-]?{UNSIGNED}")


def check_payload(resource: str, spec: Spec) -> None:
    """Reject a spec that the backend can't build a service from. Raises RpcError."""
    match spec.WhichOneof("app_payload"):
        case "container":
            if any(name in _NAMED and not _QUANTITY.fullmatch(value) for _, name, value in quantities(spec)):
                raise RpcError(Code.UNAVAILABLE, "unexpected EOF")
        case "pod":
            if not spec.pod.HasField("pod_spec"):
                raise _unbuildable(resource, "K8sPod app payload has no pod spec")
            containers = spec.pod.pod_spec.fields.get("containers")
            if containers is not None and containers.WhichOneof("kind") not in ("list_value", "null_value"):
                raise _unbuildable(resource, "failed to unmarshal K8sPod spec: containers is no list")
            for where, name, value in quantities(spec):
                if not _QUANTITY.fullmatch(value):
                    text = f"failed to unmarshal K8sPod spec: {where}: {name}: {value[:80]!r} is no quantity"
                    raise _unbuildable(resource, text)
        case _:
            raise _unbuildable(resource, "app spec has no payload (container or pod required)")


def _unbuildable(resource: str, why: str) -> RpcError:
    return RpcError(Code.INTERNAL, f"failed to build KService for app {resource}: {why}")
