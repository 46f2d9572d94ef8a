"""Knative behind flyte-oss, which refuses specs that the backend takes: rows OSS-60 to OSS-64.

A plane may have a cluster with Knative, or none: it refuses all of these specs, and names that Knative refuses, too; or
it takes all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.json_format import ParseDict

from flyteapps_contract.checks.support.oss import given_watched, shown, silent
from flyteapps_contract.checks.support.oss_clusters import API, DNS_1035, KNATIVE, SUBDOMAIN, Case, judge, refuse_update
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.session import STOP, Session, copy

Fields = dict[str, Any]
Specs = Sequence[tuple[Fields, str]]
"""Fields of a spec, and the words in which they are refused."""
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers[0]"
ANNOTATION = "spec.template.metadata.annotations.autoscaling.knative.dev"
RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)
RESERVED_VARIABLES = ("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION")
OFF: Fields = {
    "affinity": {"nodeAffinity": {}},
    "hostNetwork": True,
    "nodeSelector": {"a": "b"},
    "securityContext": {"runAsUser": 1000},
    "tolerations": [{"key": "a", "operator": "Exists"}],
}
"""Fields of a pod whose features Knative has off by default; a cluster may have them on."""


@check("OSS-60")
def knative_reads_the_image_and_the_port(s: Session) -> None:
    """An image that is no reference, two ports, and ports and names that Knative keeps are refused in its words."""
    _judge(
        s,
        [
            ({"container": {"image": ""}}, f"missing field(s): {CONTAINER}.image"),
            *(
                (
                    {"container": {"image": image}},
                    f"Failed to parse image reference: {CONTAINER}.image\n"
                    f'image: "{image}", error: could not parse reference: {image}',
                )
                for image in ("i:1", "a b:1", "Img:1")
            ),
            (
                {"container": {"ports": [{"containerPort": 8080}, {"containerPort": 8081}]}},
                f"more than one container port is set: {POD}.containers[*].ports",
            ),
            (_port(8080, "port7"), f"Port name port7 is not allowed: {CONTAINER}.ports"),
            *(
                (_port(port), f"invalid value: {port} is a reserved port: {CONTAINER}.ports.containerPort")
                for port in RESERVED_PORTS
            ),
            (_port(70000), f"expected 0 <= 70000 <= 65535: {CONTAINER}.ports.containerPort"),
            (
                {"container": {"image": "", "ports": [{"containerPort": 70000, "name": "port7"}]}},
                f"Port name port7 is not allowed: {CONTAINER}.ports\nName must be empty, or one of: 'h2c', 'http1'\n"
                f"expected 0 <= 70000 <= 65535: {CONTAINER}.ports.containerPort\nmissing field(s): {CONTAINER}.image",
            ),
        ],
    )
    s.create(_app(s, _port(8081, "h2c")))


@check("OSS-61")
def knative_keeps_variables(s: Session) -> None:
    """Variables that Knative sets are refused in its words; one that comes twice, by the API server."""
    twice = [{"key": "A", "value": "1"}, {"key": "A", "value": "2"}]
    added = [{"key": "FLYTE_INTERNAL_EXECUTION_PROJECT", "value": "p"}]
    _judge(
        s,
        [
            (
                {"container": {"env": [{"key": name, "value": "1"}]}},
                f'"{name}" is a reserved environment variable: {CONTAINER}.env[',
            )
            for name in RESERVED_VARIABLES
        ],
        invalid=[
            ({"container": {"env": twice}}, 'Duplicate value: {"name":"A"}'),
            ({"container": {"env": added}}, 'Duplicate value: {"name":"FLYTE_INTERNAL_EXECUTION_PROJECT"}'),
        ],
    )


@check("OSS-62")
def knative_bounds_scaling_and_timeouts(s: Session) -> None:
    """Bounds, targets, scaledown periods and timeouts beyond Knative's are refused in its words; its own are taken."""
    _judge(
        s,
        [
            (
                {"autoscaling": {"replicas": {"min": 5, "max": 1}}},
                f"max-scale=1 is less than min-scale=5: {ANNOTATION}/max-scale, {ANNOTATION}/min-scale",
            ),
            (
                {"autoscaling": {"scalingMetric": {"concurrency": {}}}},
                f"target 0 should be at least 0.01: {ANNOTATION}/target",
            ),
            (_period("5s"), f"expected 6s <= 5s <= 1h0m0s: {ANNOTATION}/window"),
            (_period("3601s"), f"expected 6s <= 1h0m1s <= 1h0m0s: {ANNOTATION}/window"),
            (_period("7.500s"), f"must be specified with at most second precision: {ANNOTATION}/window"),
            (_timeout("-5s"), f": {POD}.timeoutSeconds"),
        ],
        options=[(_timeout("700s"), f"expected 0 <= 700 <= 600: {POD}.timeoutSeconds")],
    )
    app = _app(s, {"autoscaling": {"replicas": {"min": 1}, "scaledownPeriod": "6s"}, **_timeout("600s")})
    expect_equal(s.create(app).spec, app.spec, "the spec of an app with the least period and the greatest timeout")


@check("OSS-63")
def knative_has_features_of_pods_off(s: Session) -> None:
    """Pods that need a feature which is off by default, without a container or a port for several, are refused."""
    one = {"name": "main", "image": "img:1"}
    volume = {"name": "v", "hostPath": {"path": "/data"}}
    mounted = {**one, "volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    _judge(
        s,
        [
            (_pod([]), f"missing field(s): {POD}.containers"),
            (_pod([one, {"name": "side", "image": "img:2"}]), f"missing field(s): {POD}.containers[*].ports"),
            (
                {"securityContext": {"runAs": {"k8sServiceAccount": "No_Account"}}},
                f"invalid value: No_Account: {POD}.serviceAccountName",
            ),
        ],
        options=[
            *(
                (_pod([one], **{field: value}), f"must not set the field(s): {POD}.{field}")
                for field, value in OFF.items()
            ),
            (
                # gRPC-Web strips the blank at the end
                _pod([one], initContainers=[one]),
                "pod spec support for init-containers is off, but found 1 init containers:",
            ),
            (
                _pod([mounted], volumes=[volume]),
                "HostPath volume support is disabled, but found HostPath volume v: \n"
                f"must not set the field(s): {POD}.volumes[0].hostPath",
            ),
        ],
    )


@check("OSS-64", needs=("cluster",))
def a_refused_spec_changes_nothing(s: Session) -> None:
    """After an update that Knative refused, the app is as it was, without an event, and can be stopped by that spec."""
    app, watcher = given_watched(s)
    before = shown(s, app.metadata.id)
    refused = copy(app)
    refused.ClearField("status")
    ParseDict(_period("5s"), refused.spec)
    taken = "no Knative is there: a scaledown_period of 5 s is taken"
    refuse_update(s, refused, "admission webhook ", "a scaledown_period of 5 s", taken)
    silent(s, watcher)
    expect_equal(shown(s, app.metadata.id).spec, before.spec, "the spec after an update that was refused")
    refused.spec.desired_state = STOP
    s.update(refused)
    before.spec.desired_state = STOP
    expect_equal(shown(s, app.metadata.id).spec, before.spec, "the spec after a stop by a spec that Knative refuses")


def _judge(
    s: Session,
    refused: Specs,
    *,
    invalid: Specs = (),
    options: Specs = (),
) -> None:
    """Broken unless Knative refuses the specs, and the API server those of `invalid`, or both take what they get.

    `options`: specs that Knative refuses where an option of the cluster is as by default, each by itself.
    """
    cases = [Case(API, s.app(s.name("_a")), SUBDOMAIN), Case(KNATIVE, s.app(s.name(".a")), DNS_1035)]
    cases += [Case(API, _app(s, fields), says) for fields, says in invalid]
    cases += [Case(KNATIVE, _app(s, fields), says) for fields, says in refused]
    cases += [Case(f"{KNATIVE} by default", _app(s, fields), says) for fields, says in options]
    judge(s, cases, optional=f"{KNATIVE} by default")


def _app(s: Session, fields: Fields) -> model.App:
    """Return an app of one container, save for those fields of its spec."""
    app = s.app()
    ParseDict(fields, app.spec)
    return app


def _port(number: int, name: str = "") -> Fields:
    return {"container": {"ports": [{"containerPort": number, "name": name}]}}


def _period(seconds: str) -> Fields:
    return {"autoscaling": {"scaledownPeriod": seconds}}


def _timeout(seconds: str) -> Fields:
    return {"timeouts": {"requestTimeout": seconds}}


def _pod(containers: list[Fields], **fields: Any) -> Fields:
    return {"pod": {"podSpec": {"containers": containers, **fields}}}
