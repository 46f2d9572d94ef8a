"""gRPC's health service, Check and Watch: every service of a server that answers is SERVING."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.core.streams import deadline_passed
from flyteapps_fake.http.endpoints import Stream, Unary

SERVICE = "grpc.health.v1.Health"


class _Status:
    """A stream of one message: the status doesn't change until the server ends, and the stream with it."""

    wake: Callable[[], None] | None = None
    on_sent = None

    def __init__(self, message: bytes) -> None:
        self._message: bytes | None = message

    def take(self) -> bytes | None:
        """Return the message, once."""
        message, self._message = self._message, None
        return message

    def sent(self) -> None:
        """Do nothing."""

    def late(self) -> RpcError:
        """Return the error of a stream whose deadline passes."""
        return deadline_passed()

    def close(self) -> None:
        """Do nothing."""


def health_endpoints(services: Collection[str]) -> Iterator[Unary | Stream]:
    """Yield Check and Watch for those services, for Health itself and for "", the whole server."""
    known = {"", SERVICE, *services}

    def status(request: HealthCheckRequest) -> HealthCheckResponse:
        name = request.service
        kinds = HealthCheckResponse.ServingStatus
        return HealthCheckResponse(status=kinds.SERVING if name in known else kinds.SERVICE_UNKNOWN)

    def check(call: Call[HealthCheckRequest]) -> bytes:
        found = status(call.request)
        if found.status == HealthCheckResponse.SERVICE_UNKNOWN:
            name = call.request.service
            raise RpcError(Code.NOT_FOUND, f"no service {name!r} here; leave it empty to ask for the whole server")
        return found.SerializeToString()

    def watch(call: Call[HealthCheckRequest]) -> _Status:
        return _Status(status(call.request).SerializeToString())

    yield Unary(Operation(SERVICE, "Check", HealthCheckRequest, HealthCheckResponse, no_side_effects=True), check)
    yield Stream(Operation(SERVICE, "Watch", HealthCheckRequest, HealthCheckResponse, streaming=True), watch)
