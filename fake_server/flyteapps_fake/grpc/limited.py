"""Handlers of grpcio whose calls count, from their heads on, among the open calls of a server.

To grpcio they are handlers of request streams: these get their context at once, where one of a single request would
get it with the request, which may never come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.grpc.open_calls import OpenCall, OpenCalls
from flyteapps_fake.grpc.refusals import abort

Unary = Callable[[bytes, grpc.ServicerContext], bytes]
Streaming = Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]

# whose types ask for serializers of messages: without any, requests and answers are bytes
UNARY_HANDLER: Any = grpc.stream_unary_rpc_method_handler
STREAM_HANDLER: Any = grpc.stream_stream_rpc_method_handler


def unary_handler(answer: Unary, calls: OpenCalls) -> grpc.RpcMethodHandler[Any, Any]:
    """Return the handler of an RPC that `answer` answers."""

    def limited(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        call = _added(context, calls, streaming=False)
        try:
            data = answer(_request(requests, call, calls), context)
            calls.sending(call, len(data))
            return data
        finally:
            calls.release(call)

    return UNARY_HANDLER(limited)


def stream_handler(messages: Streaming, calls: OpenCalls) -> grpc.RpcMethodHandler[Any, Any]:
    """Return the handler of an RPC whose stream has those messages."""

    def limited(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        call = _added(context, calls, streaming=True)
        try:
            for item in messages(_request(requests, call, calls), context):
                calls.sending(call, len(item))
                yield item
                calls.sent(call)
        finally:
            calls.release(call)

    return STREAM_HANDLER(limited)


def _added(context: grpc.ServicerContext, calls: OpenCalls, *, streaming: bool) -> OpenCall:
    try:
        return calls.add(context, streaming=streaming)
    except RpcError as error:
        abort(context, error)


def _request(requests: Iterator[bytes], call: OpenCall, calls: OpenCalls) -> bytes:
    """Return the request, once it is there. Raises grpc.RpcError for a call that was cancelled meanwhile."""
    try:
        data = next(requests, None)
    finally:
        calls.arrived(call)
    if data is None:
        abort(call.context, RpcError(Code.INVALID_ARGUMENT, "the request holds no whole message"))
    return data
