"""The plane as handlers of grpcio's threaded server. A stream holds one of its threads, and sleeps there."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import Message

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.served import control_operations
from flyteapps_fake.control.waiting import pauses, sleep
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import BY_METHOD, OPERATIONS, Operation
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.grpc.limited import stream_handler, unary_handler
from flyteapps_fake.grpc.open_calls import OpenCalls
from flyteapps_fake.grpc.refusals import abort
from flyteapps_fake.http.protocol.wire import decode

if TYPE_CHECKING:
    from flyteapps_fake.core.request_limits import RequestLimits

T = TypeVar("T")


def identity(data: T) -> T:
    """Return the argument: the decoder of requests that are messages."""
    return data


def reader(operation: Operation, request_limits: RequestLimits) -> Callable[[bytes], Message]:
    """Return the decoder of an RPC's requests. The handler calls it: what grpcio can't deserialize is INTERNAL."""
    return lambda data: decode(operation.request, data, request_limits)


def call_of(operation: Operation, request: Message, context: Any) -> Call[Message]:
    """Return the call that a handler is given with that context, sync or async; binary metadata is base64 in it."""
    pairs: Iterable[tuple[str, str | bytes]] = context.invocation_metadata() or ()
    metadata = {key: value if isinstance(value, str) else b64encode(value).decode() for key, value in pairs}
    seconds: float | None = context.time_remaining()
    return Call(operation, request, metadata, time.monotonic() + seconds if seconds else None, protocol="grpc")


class SyncServicer:
    """Handlers over one plane; `end` ends their streams.

    It is also a servicer of AppService and of AppLogsService, as grpcio's generated
    classes are: each RPC is a method that takes a message and a context, and
    answers with messages.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._ending: str | None = None
        self._wakes: set[threading.Event] = set()

    def __getattr__(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        operation = BY_METHOD.get(name)
        if operation is None:
            raise AttributeError(name)
        parse = operation.response.FromString
        if operation.streaming:
            stream = self._stream(operation, identity)
            return lambda request, context: map(parse, stream(request, context))
        unary = self._unary(operation, identity, self._plane.call)
        return lambda request, context: parse(unary(request, context))

    def end(self, message: str) -> None:
        """End every stream, also those that come, with UNAVAILABLE."""
        self._ending = message
        for wake in list(self._wakes):
            wake.set()

    def handlers(self, calls: OpenCalls) -> list[grpc.GenericRpcHandler]:
        """Return the argument of `grpc.Server.add_generic_rpc_handlers`; their calls count among `calls`."""
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}

        def add(operation: Operation, handler: grpc.RpcMethodHandler[Any, Any]) -> None:
            services.setdefault(operation.service, {})[operation.method] = handler

        limits = self._plane.request_limits
        for operation in OPERATIONS.values():
            read = reader(operation, limits)
            if operation.streaming:
                add(operation, stream_handler(self._stream(operation, read), calls))
            else:
                add(operation, unary_handler(self._unary(operation, read, self._plane.call), calls))
        for operation, answer, _ in control_operations(self._plane):
            add(operation, unary_handler(self._unary(operation, reader(operation, limits), answer), calls))
        return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]

    def _outcome(self, postponed: Postponed, deadline: float | None) -> Any:
        """Sleep until the call may go on, and return what it returns. Raises RpcError, also where the server ends."""
        for seconds in pauses(postponed, deadline):
            if self._ending is not None:
                raise RpcError(Code.UNAVAILABLE, self._ending)
            sleep(postponed, seconds)
        return postponed.resume()

    def _unary(
        self, operation: Operation, read: Callable[[Any], Message], made: Callable[[Call[Any]], bytes]
    ) -> Callable[[Any, grpc.ServicerContext], bytes]:
        def answer(request: Any, context: grpc.ServicerContext) -> bytes:
            try:
                call = call_of(operation, read(request), context)
                try:
                    return made(call)
                except Postponed as postponed:
                    return self._outcome(postponed, call.deadline)
            except RpcError as error:
                abort(context, error)

        return answer

    def _stream(
        self, operation: Operation, read: Callable[[Any], Message]
    ) -> Callable[[Any, grpc.ServicerContext], Iterator[bytes]]:
        def answer(request: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
            try:
                yield from self._messages(call_of(operation, read(request), context), context)
            except EOFError:
                return
            except RpcError as error:
                abort(context, error)

        return answer

    def _messages(self, call: Call[Message], context: grpc.ServicerContext) -> Iterator[bytes]:
        wake = threading.Event()
        self._wakes.add(wake)
        subscription = None
        try:
            try:
                subscription = self._plane.open(call)
            except Postponed as postponed:
                subscription = self._outcome(postponed, call.deadline)
            subscription.wake = wake.set
            context.add_callback(wake.set)
            while context.is_active():
                wake.clear()
                if self._ending is not None:
                    raise RpcError(Code.UNAVAILABLE, self._ending)
                item = subscription.take()
                if item is not None:
                    yield item
                elif context.is_active():
                    subscription.sent()
                    wake.wait()
        finally:
            self._wakes.discard(wake)
            if subscription is not None:
                subscription.close()
