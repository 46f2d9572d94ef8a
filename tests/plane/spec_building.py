"""Specs for tests of the cluster's rules, and the words that its refusals have in common."""

from __future__ import annotations

from typing import Any

from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.json_format import ParseDict

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError

Spec = dict[str, Any]
POD = "spec.template.spec"
FIRST = f"{POD}.containers[0]"
SCALING = "spec.template.metadata.annotations.autoscaling.knative.dev"
SETS = "must not set the field(s)"
NEITHER, BOTH = "expected exactly one, got neither", "expected exactly one, got both"
EMPTY = {"name": "v", "emptyDir": {}}
"""A volume."""


def container(**fields: Any) -> Spec:
    """Return the spec of an app of one container."""
    return {"container": {"image": "img:1", **fields}}


def scaled(**scaling: Any) -> Spec:
    """Return the spec of an app with that autoscaling."""
    return {**container(), "autoscaling": scaling}


def with_port(number: int, name: str = "") -> Spec:
    """Return the spec of an app with that port."""
    return container(ports=[{"containerPort": number, "name": name}])


def with_timeout(seconds: str) -> Spec:
    """Return the spec of an app with that timeout of requests."""
    return {**container(), "timeouts": {"requestTimeout": seconds}}


def with_account(name: str) -> Spec:
    """Return the spec of an app that runs as that service account."""
    return {**container(), "securityContext": {"runAs": {"k8sServiceAccount": name}}}


def pod(*others: Any, **fields: Any) -> Spec:
    """Return the spec of a pod app: its first container is valid, and has those of `others` behind it."""
    return {"pod": {"podSpec": {"containers": [{"image": "img:1"}, *others], **fields}}}


def first(**fields: Any) -> Spec:
    """Return the spec of a pod app of one container with those fields."""
    return {"pod": {"podSpec": {"containers": [{"image": "img:1", **fields}]}}}


def mounting(*volumes: Any, **mount: Any) -> Spec:
    """Return the spec of a pod app that mounts the volume v as said."""
    mounts = [{"name": "v", "mountPath": "/data", **mount}]
    return {"pod": {"podSpec": {"containers": [{"image": "img:1", "volumeMounts": mounts}], "volumes": [*volumes]}}}


def refused(message: str, *paths: str, details: str = "") -> str:
    """Return the text of one error."""
    return str(FieldError(message, paths, details))


def app_of(spec: Spec) -> App:
    """Return an app of that spec."""
    return ParseDict({"spec": spec}, App())
