"""The kinds of methods that a server offers, and those of the plane and of the services beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message

from flyteapps_fake.control.served import control_operations
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import GET, OPERATIONS, Operation
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.http.metadata import HttpMetadata
from flyteapps_fake.http.response_cache import ResponseCache
from flyteapps_fake.services.data_proxy import Signer
from flyteapps_fake.services.platform import Platform
from flyteapps_fake.services.support.method import Method


class Source(Protocol):
    """The source of a stream's messages, such as the plane's OpenStream."""

    wake: Callable[[], None] | None

    @property
    def on_sent(self) -> object:
        """The listener for `sent`; None where there is none."""
        ...

    def take(self) -> bytes | None:
        """Return the next encoded message, None where there is none now. Raises EOFError at the end, RpcError."""
        ...

    def sent(self) -> None:
        """Report that all taken messages have been sent."""
        ...

    def late(self) -> RpcError | None:
        """Return the error with which its deadline ends the stream, None where it ends without one."""
        ...

    def close(self) -> None:
        """Free the stream."""
        ...


class Unary(NamedTuple):
    """A unary method: `call` returns the encoded response. Raises RpcError, Postponed.

    `cache`: the cache of the method's responses, None for a method without one. `in_thread`: whether calls are made in
    a worker thread, since they may take long without the plane's lock.
    """

    operation: Operation
    call: Callable[[Call[Any]], bytes]
    cache: ResponseCache | None = None
    in_thread: bool = False


class Stream(NamedTuple):
    """A server-streaming method: `open` opens its stream. Raises RpcError, Postponed."""

    operation: Operation
    open: Callable[[Call[Any]], Source]


class Duplex(NamedTuple):
    """A bidirectional method whose requests are answered one by one."""

    operation: Operation
    answer: Callable[[Message], Iterable[Message]]


Endpoint = Unary | Stream | Duplex


def plane_endpoints(plane: Plane) -> Iterator[Endpoint]:
    """Yield the methods of the plane itself."""
    for operation in OPERATIONS.values():
        if operation.streaming:
            yield Stream(operation, plane.open)
        else:
            yield Unary(
                operation, plane.call, ResponseCache(plane) if plane.caches_reads and operation is GET else None
            )


def service_endpoints(plane: Plane, signer: Signer) -> Iterator[Endpoint]:
    """Return the methods of the services beside AppService."""
    return method_endpoints(plane, plane.companion(Platform).methods(signer))


def method_endpoints(plane: Plane, methods: Iterable[Method]) -> Iterator[Endpoint]:
    """Return the endpoints of a service's methods."""
    return (_service(plane, method) for method in methods)


def _service(plane: Plane, method: Method) -> Unary:
    def answer(call: Call[Any]) -> bytes:
        origin = call.metadata.origin if isinstance(call.metadata, HttpMetadata) else ""
        return method.call(call.request, origin, plane.org)

    operation = Operation(method.service, method.name, method.request, method.response, access=method.access)

    def call(call: Call[Any]) -> bytes:
        return plane.intercept(call, answer)

    return Unary(operation, call)


def control_endpoints(plane: Plane) -> Iterator[Endpoint]:
    """Yield the methods of the control API."""
    return (Unary(each.operation, each.answer, in_thread=each.long) for each in control_operations(plane))
