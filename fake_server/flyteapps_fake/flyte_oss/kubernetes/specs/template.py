"""The template of a service: what the backend makes of an app, and what the API server and Knative's defaults leave."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.core.tasks_pb2 import Container
from google.protobuf.struct_pb2 import Struct, Value

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.flyte_oss.kubernetes.specs.durations import nanoseconds
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json, pod_spec
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import MAX_INT32
from flyteapps_fake.simulation.load import target_of

DEFAULT_TIMEOUT_SECONDS = 300
MAX_TIMEOUT_SECONDS = 3600
"""The backend's own bound; Knative's is lower."""
ADDED_VARIABLES = (
    "INTERNAL_APP_ENDPOINT_PATTERN",
    "FLYTE_INTERNAL_EXECUTION_PROJECT",
    "FLYTE_INTERNAL_EXECUTION_DOMAIN",
)
"""The environment variables that the backend adds to the first container, behind its own."""


class Template(NamedTuple):
    """The parts that rules are about; None where the service has no such annotation.

    `minimum`, `maximum`: of replicas. `target`: of the scaling metric. `window`: the scaledown period, in nanoseconds.
    """

    minimum: int | None
    maximum: int | None
    target: int | None
    window: int | None
    timeout_seconds: int
    pod: Json


def template_of(app: App) -> Template:
    """Return the template of an app's service."""
    scaling = app.spec.autoscaling
    has_replicas = scaling.HasField("replicas")
    return Template(
        minimum=scaling.replicas.min if has_replicas else None,
        maximum=scaling.replicas.max if has_replicas else None,
        target=_target(app.spec),
        window=nanoseconds(scaling.scaledown_period) if scaling.HasField("scaledown_period") else None,
        timeout_seconds=_timeout_seconds(app.spec),
        pod=_pod(app.spec),
    )


def _target(spec: Spec) -> int | None:
    return target_of(spec) if spec.autoscaling.scaling_metric.WhichOneof("metric") else None


def _timeout_seconds(spec: Spec) -> int:
    """Return the whole seconds of the timeout; parts of a second are cut off, and 0 means the default."""
    if not spec.timeouts.HasField("request_timeout"):
        return DEFAULT_TIMEOUT_SECONDS
    ns = min(nanoseconds(spec.timeouts.request_timeout), MAX_TIMEOUT_SECONDS * SECOND)
    return (abs(ns) // SECOND) * (-1 if ns < 0 else 1) or DEFAULT_TIMEOUT_SECONDS


def _pod(spec: Spec) -> Json:
    sent = _container_pod(spec.container) if spec.HasField("container") else _plain(spec.pod.pod_spec)
    pod: Json = pod_spec(sent) or {}
    account = spec.security_context.run_as.k8s_service_account
    if account:
        pod["serviceAccountName"] = account
    containers = cast("list[Json]", pod.get("containers") or [])
    if containers:
        added = [{"name": name} for name in ADDED_VARIABLES]
        containers[0]["env"] = [*containers[0].get("env", ()), *added]
    return pod


def _container_pod(container: Container) -> Json:
    sent: dict[str, Any] = {
        "name": "app",
        "image": container.image,
        "env": [{"name": each.key} for each in container.env],
        "ports": [{"containerPort": _int32(each.container_port), "name": each.name} for each in container.ports],
    }
    return {"containers": [sent]}


def _int32(number: int) -> int:
    return number if number <= MAX_INT32 else number - 2**32


def _plain(struct: Struct) -> Json:
    return {key: _plain_value(value) for key, value in struct.fields.items()}


def _plain_value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _plain(value.struct_value)
        case "list_value":
            return [_plain_value(each) for each in value.list_value.values]
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None
