"""The backend's check of a spec before a deploy: a payload that a cluster could run, or an error.

The backend is two services, one behind the other. An invalid quantity makes the inner one panic, which cuts the
connection between them; the outer one then returns the error of that connection.
"""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.flyte_oss.building.pod_spec import PodSpecError, check_pod_spec
from flyteapps_fake.flyte_oss.building.quantities import quantity_error
from flyteapps_fake.flyte_oss.building.secrets import secrets_error
from flyteapps_fake.simulation.admission import quantities

_NAMED = ("CPU", "MEMORY", "STORAGE", "EPHEMERAL_STORAGE")
"""Resources of a container that the backend passes on to the cluster; it leaves out others."""


class PanicError(RpcError):
    """The answer where the inner service panics. `cause`: what made it panic, which the answer doesn't say."""

    def __init__(self, cause: str) -> None:
        super().__init__(Code.UNAVAILABLE, "unexpected EOF")
        self.cause = cause


def check_payload(resource: str, spec: Spec) -> None:
    """Reject a spec that the backend can't build a service from. Raises RpcError."""
    match spec.WhichOneof("app_payload"):
        case "container":
            if invalid := _invalid_quantity(spec):
                raise PanicError(invalid)
        case "pod":
            if not spec.pod.HasField("pod_spec"):
                raise _unbuildable(resource, "K8sPod app payload has no pod spec")
            try:
                check_pod_spec(spec.pod.pod_spec)
            except PodSpecError as error:
                raise _unbuildable(resource, f"failed to unmarshal K8sPod spec: {error}") from None
        case _:
            raise _unbuildable(resource, "app spec has no payload (container or pod required)")
    if wrong := secrets_error(spec.security_context.secrets):
        raise _unbuildable(resource, f"failed to marshal secrets: {wrong}")


def _invalid_quantity(spec: Spec) -> str:
    """Return the first invalid quantity of a container that the backend passes on, with its error, "" for none."""
    if not spec.HasField("container"):
        return ""
    for path, name, value in quantities(spec):
        if name in _NAMED and quantity_error(value):
            return f"{path} ({name}) is {quoted(value)}, which is no quantity"
    return ""


def _unbuildable(resource: str, why: str) -> RpcError:
    return RpcError(Code.INTERNAL, f"failed to build KService for app {resource}: {why}")
