"""The conversion of connectrpc's errors into the client's own: the one place that reads them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from connectrpc.errors import ConnectError
from google.protobuf.any_pb2 import Any as AnyMessage

from flyteapps import errors
from flyteapps.errors import Code, Error, Violation
from flyteapps.flows.methods import WRITES
from flyteapps.flows.operations import Open, Unary
from flyteapps.settings import REQUEST_ID, label

CLASSES: dict[Code, type[Error]] = {
    Code.CANCELLED: errors.Unavailable,
    Code.UNKNOWN: errors.PlaneError,
    Code.INVALID_ARGUMENT: errors.InvalidArgument,
    Code.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    Code.NOT_FOUND: errors.AppNotFound,
    Code.ALREADY_EXISTS: errors.AppExists,
    Code.PERMISSION_DENIED: errors.PermissionDenied,
    Code.RESOURCE_EXHAUSTED: errors.Overloaded,
    Code.FAILED_PRECONDITION: errors.FailedPrecondition,
    Code.ABORTED: errors.Conflict,
    Code.OUT_OF_RANGE: errors.InvalidArgument,
    Code.UNIMPLEMENTED: errors.Unimplemented,
    Code.INTERNAL: errors.PlaneError,
    Code.UNAVAILABLE: errors.Unavailable,
    Code.DATA_LOSS: errors.PlaneError,
    Code.UNAUTHENTICATED: errors.Unauthenticated,
}
"""The error class of each code."""

UNCERTAIN = frozenset(
    {Code.UNAVAILABLE, Code.INTERNAL, Code.DEADLINE_EXCEEDED, Code.UNKNOWN, Code.CANCELLED, Code.DATA_LOSS,
     Code.RESOURCE_EXHAUSTED}
)  # fmt: skip
"""Codes after which the plane may have carried out the call."""

WRAPPED_DEADLINE = "deadline_exceeded: "
"""The opening of the INTERNAL with which a plane ends a stream whose deadline has passed within it."""

_MODULES = {
    "buf.validate.Violations": "buf.validate.validate_pb2",
    "google.rpc.BadRequest": "google.rpc.error_details_pb2",
    "google.rpc.RetryInfo": "google.rpc.error_details_pb2",
}
"""The modules of the detail types that this file reads."""


def code_of(error: ConnectError) -> Code:
    """Return the code of a connectrpc error; its CANCELED is gRPC's CANCELLED."""
    name = error.code.name
    return Code.CANCELLED if name == "CANCELED" else Code[name]


def error_of(error: ConnectError, operation: Unary | Open, endpoint: str) -> Error:
    """Return the client's error for a transport's error in an operation."""
    from flyteapps.transports.explanations.cluster_refusals import refused
    from flyteapps.transports.explanations.trouble import explain

    code = code_of(error)
    refusal = refused(error.message, operation.method.name) if code is Code.INTERNAL else None
    trouble = refusal or explain(error, code, endpoint)
    kind = trouble.kind if trouble and trouble.kind else CLASSES[code]
    if code is Code.INTERNAL and isinstance(operation, Open) and error.message.startswith(WRAPPED_DEADLINE):
        kind = errors.DeadlineExceeded
    reached = trouble is None or trouble.reached
    details = [_unpacked(detail) for detail in error.details]
    made = kind(
        trouble.message if trouble else error.message or f"the plane answered {code.name} without a message",
        code=code,
        violations=list(_violations(details)),
        details=details,
        request_id=operation.headers.get(REQUEST_ID, ""),
        endpoint=endpoint,
        app=app_of(operation.request),
        maybe_applied=reached and operation.method.name in WRITES and code in UNCERTAIN,
    )
    made.retry_after = _retry_after(error, details)
    made.collided = refusal is not None and refusal.collided
    return made


def app_of(request: Any) -> str:
    """Return the app of a request, "" for several."""
    fields = request.DESCRIPTOR.fields_by_name
    if "app_id" in fields and request.HasField("app_id"):
        return label(request.app_id)
    if "app" in fields:
        return label(request.app.metadata.id)
    return ""


def _unpacked(detail: AnyMessage) -> Any:
    """Return a detail as a message of its own type, or as it is if the type is unknown."""
    from google.protobuf import symbol_database

    try:
        if (module := _MODULES.get(detail.TypeName())) is not None:
            importlib.import_module(module)  # registers the type
        kind = symbol_database.Default().GetSymbol(detail.TypeName())  # pyright: ignore[reportUnknownMemberType]
        message = kind()
        return message if detail.Unpack(message) else detail
    except Exception:  # unknown or undecodable: the caller gets it unchanged
        return detail


def _retry_after(error: ConnectError, details: Iterable[Any]) -> float | None:
    """Return the seconds until a retry, from a header or from a google.rpc.RetryInfo among the details."""
    for detail in details:
        if detail.DESCRIPTOR.full_name == "google.rpc.RetryInfo":
            return max(0.0, detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9)
    return getattr(error, "retry_after", None)


def _violations(details: Iterable[Any]) -> Iterable[Violation]:
    for detail in details:
        if detail.DESCRIPTOR.full_name == "buf.validate.Violations":
            for violation in detail.violations:
                yield Violation(_path(violation.field), violation.message or violation.rule_id, violation.rule_id)
        elif detail.DESCRIPTOR.full_name == "google.rpc.BadRequest":
            for violation in detail.field_violations:
                yield Violation(violation.field, violation.description)


def _path(field: Any) -> str:
    """Return a buf.validate.FieldPath as text: `app.spec.inputs[0].name`, `labels["x"]`."""
    parts: list[str] = []
    for element in field.elements:
        subscript = element.WhichOneof("subscript")
        key = getattr(element, subscript) if subscript else None
        quoted = f'["{key}"]' if isinstance(key, str) else f"[{key}]" if subscript else ""
        parts.append(f"{element.field_name}{quoted}")
    return ".".join(parts)
