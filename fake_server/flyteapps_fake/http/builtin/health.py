"""gRPC's health service, Check and Watch: a server that answers is healthy, and says so for each of its services."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.http.endpoints import Stream, Unary

SERVICE = "grpc.health.v1.Health"


class _Status:
    """The one message of a Watch: what is served now is served until the server goes, which ends the stream."""

    wake: Callable[[], None] | None = None
    on_sent = None

    def __init__(self, message: bytes) -> None:
        self._message: bytes | None = message

    def take(self) -> bytes | None:
        message, self._message = self._message, None
        return message

    def sent(self) -> None:
        pass

    def close(self) -> None:
        pass


def health_endpoints(services: Collection[str]) -> Iterator[Unary | Stream]:
    """Check and Watch for those services, for Health itself and for "", the whole server."""
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
