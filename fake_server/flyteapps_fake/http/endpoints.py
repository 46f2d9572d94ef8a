"""One table of what the server answers: path -> endpoint. Both ways through the front (fast, connectrpc's) read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.call import Protocol as Wire
from flyteapps_fake.core.operations import GET, OPERATIONS, Operation
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.http.protocol.wire import HeaderList, Scope
from flyteapps_fake.http.response_cache import Repeats
from flyteapps_fake.services.data_proxy import Signer
from flyteapps_fake.services.platform import Platform
from flyteapps_fake.services.support.method import Method


class HttpMetadata(Mapping[str, str]):
    """The headers of an ASGI scope as a call's metadata; they are decoded when one is read."""

    __slots__ = ("_headers", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._headers: dict[str, str] | None = None

    @property
    def origin(self) -> str:
        """The http(s)://host:port that the client sent its request to."""
        return f"{self._scope.get('scheme', 'http')}://{self.get('host', 'localhost')}"

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, str]:
        if self._headers is None:
            pairs: HeaderList = self._scope["headers"]
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        return self._headers


def protocol_of(content_type: bytes) -> Wire:
    """Return the protocol of a request with that content type."""
    if content_type.startswith(b"application/grpc"):
        return "grpc-web" if content_type.startswith(b"application/grpc-web") else "grpc"
    return "connect"


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
class Unary:
    """A unary method: `call` returns the encoded response. Raises RpcError.

    `repeats`: the cache of the method's responses, None for a method without one.
    """

    operation: Operation
    call: Callable[[Call[Any]], bytes]
    repeats: Repeats | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A server-streaming method: `open` opens its stream. Raises RpcError."""

    operation: Operation
    open: Callable[[Call[Any]], Source]


@dataclass(frozen=True, slots=True)
class Duplex:
    """A bidirectional method whose messages are answered one by one."""

    operation: Operation
    answer: Callable[[Message], Iterable[Message]]


Endpoint = Unary | Stream | Duplex


def plane_endpoints(plane: Plane) -> Iterator[Endpoint]:
    """The methods of the plane itself."""
    for operation in OPERATIONS.values():
        if operation.streaming:
            yield Stream(operation, plane.open)
        else:
            yield Unary(operation, plane.call, Repeats(plane) if plane.repeats and operation is GET else None)


def service_endpoints(plane: Plane, signer: Signer) -> Iterator[Endpoint]:
    """The methods of the services beside AppService."""
    for method in plane.companion(Platform).methods(signer):
        yield _beside(plane, method)


def _beside(plane: Plane, method: Method) -> Unary:
    def call(call: Call[Any]) -> bytes:
        origin = call.metadata.origin if isinstance(call.metadata, HttpMetadata) else ""
        return method.call(call.request, origin, plane.org)

    return Unary(Operation(method.service, method.name, method.request, method.response), call)


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
