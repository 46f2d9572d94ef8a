"""The answers that a request of flyte-oss may get, whatever it holds: pure functions of the request.

Where a cluster stands behind the backend, it may refuse what the backend's own code takes. Which of it, is not judged
here: a refusal has to have its words, and has to change nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.core import tasks_pb2

from flyteapps_contract.model.flyte_oss.names import resource

OK, INVALID, INTERNAL, UNAVAILABLE = "OK", "INVALID_ARGUMENT", "INTERNAL", "UNAVAILABLE"
NOT_FOUND, UNIMPLEMENTED = "NOT_FOUND", "UNIMPLEMENTED"
STOP = model.Spec.DESIRED_STATE_STOPPED
IMAGE = "example.org/app:1"
"""An image that every cluster takes for a reference."""
PAINLESS = {"container", "desired_state", "ingress", "cluster_pool", "profile", "creator", "links", "runtime_metadata"}
"""Fields of a spec that no cluster sees, and the container."""
QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
"""A quantity of Kubernetes. It takes some without digits, too; none of those is drawn."""
NAMED = (
    tasks_pb2.Resources.CPU,
    tasks_pb2.Resources.MEMORY,
    tasks_pb2.Resources.STORAGE,
    tasks_pb2.Resources.EPHEMERAL_STORAGE,
)
"""Resources of a container that the backend passes on."""
NAME = re.compile(r"[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?")
MAX_LABEL = 63
"""Characters of a label of Kubernetes."""


@dataclass(frozen=True, slots=True)
class Due:
    """The answers that may be: codes, each with words of its message. `guarantee`: what is broken by another one."""

    guarantee: str
    answers: tuple[tuple[str, str], ...]

    def allows(self, code: str, message: str) -> bool:
        """Return whether it is one of them."""
        return any(code == due and words in message for due, words in self.answers)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes."""
        return tuple(dict.fromkeys(code for code, _ in self.answers))


def due(method: str, request: Any, *, exists: bool, lenient: bool) -> Due:
    """Return the answers that a request may get. `exists`: whether its app does; `lenient`: no cluster refuses any."""
    match method:
        case "Create" | "Update":
            return _write(method, request.app, exists=exists, lenient=lenient)
        case "Get" | "Delete" if not request.HasField("app_id"):
            return Due("OSS-13" if method == "Get" else "OSS-1", ((INVALID, "app_id is required"),))
        case "Get":
            return Due("OSS-6", ((OK, ""),) if exists else ((NOT_FOUND, f"KService {resource(request.app_id)} not"),))
        case "Delete":
            return Due("OSS-20", ((OK, ""),))
        case "List":
            return _list(request, lenient=lenient)
        case _:
            return Due("OSS-19", ((UNIMPLEMENTED, ""),))


def _list(request: rpc.ListRequest, *, lenient: bool) -> Due:
    if request.WhichOneof("filter_by") in ("org", "cluster_id"):
        return Due("OSS-21", ((UNIMPLEMENTED, "not supported"),))
    if request.request.token:
        refused = (INTERNAL, "failed to list KServices for ")
        return Due("OSS-23", (refused, (OK, "")) if lenient else (refused,))
    return Due("OSS-22", ((OK, ""),))


def _write(method: str, app: model.App, *, exists: bool, lenient: bool) -> Due:
    if not app.metadata.HasField("id"):
        return Due("OSS-1", ((INVALID, "app identifier is required"),))
    if method == "Create" and not app.HasField("spec"):
        return Due("OSS-1", ((INVALID, "app spec is required"),))
    if method == "Create" and app.spec.WhichOneof("app_payload") is None:
        return Due("OSS-1", ((INVALID, "app spec must include a container or pod payload"),))
    name = resource(app.metadata.id)
    if method == "Update" and app.spec.desired_state == STOP:
        return Due("OSS-16", ((OK, ""),) if exists else ((NOT_FOUND, f"KService {name} not found"),))
    unbuildable = (INTERNAL, f"failed to build KService for app {name}: ")
    match app.spec.WhichOneof("app_payload"):
        case None:
            return Due("OSS-2", (unbuildable,))
        case "container" if _panics(app.spec):
            return Due("OSS-3", ((UNAVAILABLE, "unexpected EOF"), *((unbuildable,) if _has_secrets(app.spec) else ())))
        case "pod" if not app.spec.pod.HasField("pod_spec"):
            return Due("OSS-2", (unbuildable,))
        case "pod":
            refusals = (unbuildable,)
        case _:
            refusals = (unbuildable,) if _has_secrets(app.spec) else ()
    if not lenient and not is_painless(app):
        refusals += tuple((INTERNAL, f"failed to {verb} KService {name}: ") for verb in ("create", "update"))
    return Due("OSS-1", ((OK, ""), *refusals))


def is_painless(app: model.App) -> bool:
    """Return whether no cluster has a reason to refuse the app."""
    app_id, spec = app.metadata.id, app.spec
    parts = (app_id.name, app_id.project, app_id.domain)
    if not all(NAME.fullmatch(part) and len(part) <= MAX_LABEL for part in parts):
        return False
    if {field.name for field, _ in spec.ListFields()} - PAINLESS or spec.container.image != IMAGE:
        return False
    return {field.name for field, _ in spec.container.ListFields()} <= {"image", "command", "args"}


def _panics(spec: model.Spec) -> bool:
    """Return whether a resource of the container has a quantity that is none."""
    resources = spec.container.resources
    entries = (*resources.requests, *resources.limits)
    return any(each.name in NAMED and not QUANTITY.fullmatch(each.value) for each in entries)


def _has_secrets(spec: model.Spec) -> bool:
    return bool(spec.security_context.secrets)
