"""The plane as handlers of grpcio's asyncio server. grpcio cancels a handler whose client left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import OPERATIONS, Operation
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.grpc.servicer import STATUS, call_of, identity, reader
from flyteapps_fake.http.protocol.wire import status_details

Context = Any  # grpc.aio.ServicerContext, whose type parameters grpcio's stubs leave open


class AioServicer:
    """Handlers over one plane for one event loop; `end` ends their streams."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._ending: str | None = None
        self._wakes: set[asyncio.Event] = set()

    def end(self, message: str) -> None:
        """End every stream, also those that come, with UNAVAILABLE; called on the loop."""
        self._ending = message
        for wake in self._wakes:
            wake.set()

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """What `grpc.aio.Server.add_generic_rpc_handlers` takes."""
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for operation in OPERATIONS.values():
            make: Any = (
                grpc.unary_stream_rpc_method_handler if operation.streaming else grpc.unary_unary_rpc_method_handler
            )
            behavior = self._stream(operation) if operation.streaming else self._unary(operation)
            services.setdefault(operation.service, {})[operation.method] = make(behavior, response_serializer=identity)
        return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]

    def _unary(self, operation: Operation) -> Callable[[bytes, Context], Awaitable[bytes]]:
        read = reader(operation, self._plane.intake)

        async def answer(request: bytes, context: Context) -> bytes:
            try:
                return self._plane.call(call_of(operation, read(request), context))
            except RpcError as error:
                await _abort(context, error)
                raise

        return answer

    def _stream(self, operation: Operation) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
        read = reader(operation, self._plane.intake)

        async def answer(request: bytes, context: Context) -> AsyncIterator[bytes]:
            wake = asyncio.Event()
            loop = asyncio.get_running_loop()

            def look() -> None:
                loop.call_soon_threadsafe(wake.set)

            self._wakes.add(wake)
            subscription = None
            try:
                subscription = self._plane.open(call_of(operation, read(request), context))
                subscription.wake = look
                while True:
                    wake.clear()
                    if self._ending is not None:
                        raise RpcError(Code.UNAVAILABLE, self._ending)
                    item = subscription.take()
                    if item is not None:
                        yield item
                        continue
                    await asyncio.sleep(0)
                    if context.cancelled():
                        return
                    subscription.sent()
                    await wake.wait()
            except EOFError:
                return
            except RpcError as error:
                await _abort(context, error)
            finally:
                self._wakes.discard(wake)
                if subscription is not None:
                    subscription.close()

        return answer


async def _abort(context: Context, error: RpcError) -> None:
    trailers = (("grpc-status-details-bin", status_details(error)),) if error.details else ()
    await context.abort(STATUS[error.code], error.message, trailers)
