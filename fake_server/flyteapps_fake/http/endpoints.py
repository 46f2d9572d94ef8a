"""One table of what the server answers: path -> endpoint. Both ways through the front (fast, connectrpc's) read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flyteidl2.app.app_payload_pb2 import GetRequest
from google.protobuf.message import Message

from flyteapps_fake.core.operations import OPERATIONS, Operation
from flyteapps_fake.http.protocol.wire import Scope
from flyteapps_fake.http.response_cache import Repeats
from flyteapps_fake.services.data_proxy import Signer
from flyteapps_fake.services.support.method import Method

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane


class Source(Protocol):
    """What a stream's messages come from, as the plane's OpenStream is one."""

    wake: Callable[[], None] | None

    @property
    def on_sent(self) -> object:
        """None where nobody cares whether what was taken has been sent."""

    def take(self) -> bytes | None:
        """The next encoded message, None where none is there now. Raises EOFError at the end, RpcError."""

    def sent(self) -> None:
        """All that was taken has been sent."""

    def close(self) -> None:
        """Nobody reads any more."""


@dataclass(frozen=True, slots=True)
class _Method:
    service: str
    method: str
    request: type[Message]
    response: type[Message]

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"


@dataclass(frozen=True, slots=True)
class Unary(_Method):
    """A unary method: `call` takes the request and the ASGI scope that it came with.

    `repeats`: answers requests that come again, where that is worth while.
    """

    no_side_effects: bool
    call: Callable[[Message, Scope], bytes]
    repeats: Repeats | None = None


@dataclass(frozen=True, slots=True)
class Stream(_Method):
    """A server-streaming method: `open` takes the request. Raises RpcError."""

    open: Callable[[Message], Source]


@dataclass(frozen=True, slots=True)
class Duplex(_Method):
    """A bidirectional method whose messages are answered one by one."""

    answer: Callable[[Message], Iterable[Message]]


Endpoint = Unary | Stream | Duplex


def plane_endpoints(plane: FakeControlPlane) -> Iterator[Endpoint]:
    """The methods of the plane itself."""
    for operation in OPERATIONS.values():
        yield _stream(plane, operation) if operation.streaming else _unary(plane, operation)


def service_endpoints(plane: FakeControlPlane, signer: Signer) -> Iterator[Endpoint]:
    """The methods of the services beside AppService."""
    for method in plane.platform.methods(signer):
        yield _beside(plane, method)


def _beside(plane: FakeControlPlane, method: Method) -> Unary:
    def call(request: Message, scope: Scope) -> bytes:
        return method.call(request, _origin(scope), plane.org)

    return Unary(method.service, method.name, method.request, method.response, False, call)


def _origin(scope: Scope) -> str:
    """http(s)://host:port as the caller wrote it."""
    host = dict(scope["headers"]).get(b"host", b"localhost")
    return f"{scope.get('scheme', 'http')}://{host.decode('latin-1')}"


def _unary(plane: FakeControlPlane, operation: Operation) -> Unary:
    plane_call = plane.call

    def call(request: Message, scope: Scope) -> bytes:
        return plane_call(operation, request)

    return Unary(
        operation.service,
        operation.method,
        operation.request,
        operation.response,
        operation.no_side_effects,
        call,
        Repeats(plane) if plane.repeats and operation.request is GetRequest else None,
    )


def _stream(plane: FakeControlPlane, operation: Operation) -> Stream:
    def open_stream(request: Message) -> Source:
        return plane.open(operation, request)

    return Stream(operation.service, operation.method, operation.request, operation.response, open_stream)


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
