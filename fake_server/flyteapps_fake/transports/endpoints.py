"""One table of what the server answers: path -> call. Both ways through the front (fast, and connectrpc's) read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from flyteapps_fake.plane.operations import OPERATIONS, Operation

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane


@dataclass(frozen=True, slots=True)
class Unary:
    """A unary method: `call` takes the request and the origin (http://host:port) that the caller used."""

    service: str
    method: str
    request: type[Message]
    response: type[Message]
    no_side_effects: bool
    call: Callable[[Message, str], bytes]

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"


def _of_plane(plane: FakeControlPlane, operation: Operation) -> Unary:
    plane_call = plane.call

    def call(request: Message, origin: str) -> bytes:
        return plane_call(operation, request)

    return Unary(
        operation.service,
        operation.method,
        operation.request,
        operation.response,
        operation.no_side_effects,
        call,
    )


def unary_endpoints(plane: FakeControlPlane) -> dict[str, Unary]:
    """The unary methods of the plane itself, by path."""
    return {path: _of_plane(plane, op) for path, op in OPERATIONS.items() if not op.streaming}


def stream_operations() -> Mapping[str, Operation]:
    """The server-streaming methods of the plane, by path."""
    return {path: op for path, op in OPERATIONS.items() if op.streaming}


def app_of(request: Message | None) -> str:
    """The name of the app that a request is about, "" where it names none: for the access log."""
    if request is None:
        return ""
    fields = request.DESCRIPTOR.fields_by_name
    if "app_id" in fields and request.HasField("app_id"):
        return request.app_id.name  # type: ignore[attr-defined]
    if "replica_id" in fields and request.HasField("replica_id"):
        return request.replica_id.app_id.name  # type: ignore[attr-defined]
    if "app" in fields:
        return request.app.metadata.id.name  # type: ignore[attr-defined]
    return ""
