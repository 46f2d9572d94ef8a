"""A link to a gRPC servicer inside grpcio-testing's server: no port, and no bytes on a wire.

The servicer is an object with a method for each RPC, as grpcio's generated servicer classes have. Needs grpcio-testing.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any

import grpc
import grpc_testing
from flyteidl2.app import app_logs_service_pb2, app_service_pb2
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Refused
from flyteapps_contract.targets.grpc_channel import details_of
from flyteapps_contract.targets.readers import Readers
from flyteapps_contract.targets.target import Link, QueueStream

CALL = "x-contract-call"
"""The metadata that tells a call from the others."""
SERVICES = {
    each.full_name: each
    for file in (app_service_pb2, app_logs_service_pb2)
    for each in file.DESCRIPTOR.services_by_name.values()
}


class _Context:
    """A servicer's context that keeps the trailers, which the test server drops where a call is aborted."""

    def __init__(self, context: Any, trailers: dict[str, Any]) -> None:
        self._context = context
        self._trailers = trailers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def set_trailing_metadata(self, trailers: Any) -> None:
        """Keep them under the number that the call came with."""
        self._trailers[dict(self._context.invocation_metadata())[CALL]] = trailers
        self._context.set_trailing_metadata(trailers)


class _Recording:
    """The servicer behind contexts that keep the trailers."""

    def __init__(self, servicer: object, trailers: dict[str, Any]) -> None:
        self._servicer = servicer
        self._trailers = trailers

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._servicer, name, None)

        def answer(request: Message, context: Any) -> Any:
            if method is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the servicer has no {name}")
                return None
            return method(request, _Context(context, self._trailers))

        return answer


logging.getLogger("grpc_testing").setLevel(logging.CRITICAL)  # it logs each refusal as a crash, with a traceback


class ServicerLink(Link):
    """Calls of a servicer of AppService, and of AppLogsService where it is one."""

    def __init__(self, servicer: object) -> None:
        self._trailers: dict[str, Any] = {}
        self._numbers = itertools.count()
        self._server: Any = grpc_testing.server_from_dictionary(  # pyright: ignore[reportUnknownMemberType]  # untyped
            dict.fromkeys(SERVICES.values(), _Recording(servicer, self._trailers)), grpc_testing.strict_real_time()
        )
        self._readers = Readers()

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call. Raises Refused."""
        number = str(next(self._numbers))
        rpc = self._server.invoke_unary_unary(_method(service, method), ((CALL, number),), _own(request), seconds)
        answer, _, code, message = rpc.termination()
        trailers = self._trailers.pop(number, ())
        if code is not grpc.StatusCode.OK:
            raise _refused(code, message, trailers)
        return answer

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream."""
        number = str(next(self._numbers))
        rpc = self._server.invoke_unary_stream(_method(service, method), ((CALL, number),), _own(request), None)

        def read(queue_stream: QueueStream) -> None:
            try:
                while True:
                    queue_stream.put(rpc.take_response())
                    queue_stream.wait_while_paused()
            except ValueError:  # no more responses
                queue_stream.end(_end(rpc, self._trailers.pop(number, ())))

        return self._readers.start(read, rpc.cancel)

    def close(self) -> None:
        """Cancel what is open."""
        self._readers.close()


def _own(request: Message) -> Message:
    copy = type(request)()
    copy.CopyFrom(request)
    return copy


def _method(service: str, method: str) -> Any:
    try:
        return SERVICES[service].methods_by_name[method]
    except KeyError:
        raise Refused("UNIMPLEMENTED", f"{service} has no method {method}") from None


def _end(rpc: Any, trailers: Any) -> Refused | None:
    try:
        _, code, message = rpc.termination()
    except ValueError:  # cancelled by us
        return None
    return None if code is grpc.StatusCode.OK else _refused(code, message, trailers)


def _refused(code: Any, message: str, trailers: Any) -> Refused:
    return Refused(code.name, message or "", details_of(trailers))
