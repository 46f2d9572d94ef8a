"""The decoding of a pod's spec in flyte-oss, row OSS-46: what Kubernetes' types don't hold is refused in Go's words."""

from __future__ import annotations

from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.struct_pb2 import Value

from flyteapps_contract.checks.flyte_oss.decoding.pods import pod_app
from flyteapps_contract.checks.support.oss import listed, resource, shown
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.session import Session

QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
VALUE = "json: error calling MarshalJSON for type *structpb.Struct: proto: google.protobuf.Value"

Case = tuple[str, dict[str, Any], str]


def _typed(what: str, field: str, type_: str) -> str:
    return f"json: cannot unmarshal {what} into Go struct field {field} of type {type_}"


def _container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"image": "img:1", **fields}]}


TYPES: tuple[Case, ...] = (
    ("an image that is a number", _container(image=5), _typed("number", "Container.containers.image", "string")),
    ("a name that is a number", _container(name=5), _typed("number", "Container.containers.name", "string")),
    ("an image that is a list", _container(image=[]), _typed("array", "Container.containers.image", "string")),
    ("args that are a text", _container(args="a"), _typed("string", "Container.containers.args", "[]string")),
    ("an arg that is a number", _container(args=["a", 1]), _typed("number", "Container.containers.args", "string")),
    (
        "a variable whose value is a number",
        _container(env=[{"name": "A", "value": 1}]),
        _typed("number", "EnvVar.containers.env.value", "string"),
    ),
    (
        "a port that is a text",
        _container(ports=[{"containerPort": "80"}]),
        _typed("string", "ContainerPort.containers.ports.containerPort", "int32"),
    ),
    (
        "half a port",
        _container(ports=[{"containerPort": 80.5}]),
        _typed("number 80.5", "ContainerPort.containers.ports.containerPort", "int32"),
    ),
    (
        "a port of more than 32 bits",
        _container(ports=[{"containerPort": 3e9}]),
        _typed("number 3000000000", "ContainerPort.containers.ports.containerPort", "int32"),
    ),
    ("containers that are a text", {"containers": "x"}, _typed("string", "PodSpec.containers", "[]v1.Container")),
    ("a container that is a text", {"containers": ["x"]}, _typed("string", "PodSpec.containers", "v1.Container")),
    ("containers in another case", {"Containers": 5}, _typed("number", "PodSpec.containers", "[]v1.Container")),
    ("hostNetwork as a text", {"hostNetwork": "true"}, _typed("string", "PodSpec.hostNetwork", "bool")),
    ("tolerations that are an object", {"tolerations": {}}, _typed("object", "PodSpec.tolerations", "[]v1.Toleration")),
    ("nodeSelector as a list", {"nodeSelector": []}, _typed("array", "PodSpec.nodeSelector", "map[string]string")),
    (
        "a path of a volume that is a number",
        {"volumes": [{"name": "v", "hostPath": {"path": 5}}]},
        _typed("number", "HostPathVolumeSource.volumes.VolumeSource.hostPath.path", "string"),
    ),
)
"""Values of another type, with the end of the message."""

QUANTITIES: tuple[Case, ...] = (
    ("a bad quantity of a container", _container(resources={"limits": {"cpu": "lots"}}), QUANTITY),
    (
        "a bad quantity of an init container",
        {"initContainers": [{"resources": {"requests": {"memory": "1 GiB"}}}]},
        QUANTITY,
    ),
    ("a bad quantity of a volume", {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": True}}]}, QUANTITY),
    ("a bad quantity of the overhead", {"overhead": {"cpu": ""}}, QUANTITY),
    ("a quantity with an unknown suffix", {"overhead": {"cpu": "5Kk"}}, "unable to parse quantity's suffix"),
)

TAKEN: dict[str, dict[str, Any]] = {
    "an unknown field": _container(nope=[{"a": 1}]) | {"neither": 5},
    "names in other cases": {"Containers": [{"IMAGE": "img:1", "ARGS": ["a"]}]},
    "nulls": _container(args=None, env=None) | {"tolerations": None},
    "quantities that are numbers": _container(resources={"requests": {"cpu": 0.5, "memory": 1_000_000}}),
}


def _refused(s: Session, what: str, app: model.App, says: str) -> None:
    opening = f"failed to build KService for app {resource(app.metadata.id)}: failed to unmarshal K8sPod spec: {says}"
    with expect_refusal("INTERNAL", f"Create of a pod with {what}", opening=opening):
        s.create(app)


def _refuses(s: Session, cases: tuple[Case, ...]) -> None:
    app = s.app()
    for what, pod_spec, says in cases:
        app.spec.pod.pod_spec.Clear()
        app.spec.pod.pod_spec.update(pod_spec)
        _refused(s, what, app, says)
    expect(listed(s, app.metadata.id) is None, "a pod that was refused should not be there")


@check("OSS-46")
def a_pod_spec_has_the_types_of_kubernetes(s: Session) -> None:
    """A value of another type than the field's in Kubernetes is INTERNAL, with the error of Go; nothing is created."""
    _refuses(s, TYPES)


@check("OSS-46")
def a_quantity_of_a_pod_is_parsed(s: Session) -> None:
    """A bad quantity anywhere in a pod_spec is INTERNAL, in the words of Kubernetes; nothing is created."""
    _refuses(s, QUANTITIES)


@check("OSS-46")
def what_has_no_form_in_json_is_refused(s: Session) -> None:
    """NaN, infinities, and a value without a kind are INTERNAL, also in a field that is unknown."""
    app = pod_app(s)
    for number, text in ((float("nan"), "NaN"), (float("inf"), "+Inf"), (float("-inf"), "-Inf")):
        app.spec.pod.pod_spec.fields["nope"].number_value = number
        _refused(s, f"the number {text}", app, f"{VALUE}.number_value: invalid {text} value")
    app.spec.pod.pod_spec.fields["nope"].CopyFrom(Value())
    _refused(s, "a value without a kind", app, f"{VALUE}: none of the oneof fields is set")
    expect(listed(s, app.metadata.id) is None, "a pod that was refused should not be there")


@check("OSS-46")
def a_bad_pod_spec_changes_nothing(s: Session) -> None:
    """Update with a pod_spec that can't be decoded is INTERNAL, and leaves the app as it is."""
    app = s.given(pod_app(s))
    bad = s.app(app.metadata.id.name)
    bad.spec.pod.pod_spec.update(_container(image=5))
    opening = f"failed to build KService for app {resource(app.metadata.id)}: failed to unmarshal K8sPod spec: json: "
    with expect_refusal("INTERNAL", "Update with a bad pod_spec", opening=opening):
        s.update(bad)
    expect_equal(shown(s, app.metadata.id).spec, app.spec, "the spec after an update that was refused")


@check("OSS-46")
def other_pod_specs_are_taken(s: Session) -> None:
    """Unknown fields, names in another case, nulls, and quantities that are numbers are taken, and stored as sent."""
    for what, pod_spec in TAKEN.items():
        app = s.app()
        app.spec.pod.pod_spec.update(pod_spec)
        s.create(app)
        expect_equal(shown(s, app.metadata.id).spec, app.spec, f"the spec of a pod with {what}")
