"""connectrpc's application over our own table of endpoints: JSON, gRPC-Web and every stream go through it.

Its codecs and its gzip are ours, so that a caller's mistake is INVALID_ARGUMENT and a gzip bomb stays small.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError, SerializeToJsonError
from google.protobuf.message import DecodeError, Message

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.operations import Operation
from flyteapps_fake.transports.endpoints import Unary
from flyteapps_fake.transports.json_shape import misfit
from flyteapps_fake.transports.streams import LiveStream, pump
from flyteapps_fake.transports.wire import Encoded, encoded, gunzip, undecodable

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

LIVE: ContextVar[LiveStream] = ContextVar("flyteapps_live_stream")
"""The stream that the running task answers."""


class Exchange:
    """What the front learns about a call that connectrpc answered: for the access log."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.request: Message | None = None
        self.code = ""


EXCHANGE: ContextVar[Exchange] = ContextVar("flyteapps_exchange")


def to_connect(error: RpcError) -> ConnectError:
    return ConnectError(ConnectCode[error.code.name], error.message, error.details)


def _refused(error: RpcError) -> ConnectError:
    EXCHANGE.get().code = error.code.name
    return to_connect(error)


class BinaryCodec:
    def name(self) -> str:
        return "proto"

    def encode(self, message: Any) -> bytes:
        return message.SerializeToString()

    def decode(self, data: bytes | bytearray, message: Message) -> Message:
        try:
            message.ParseFromString(bytes(data))
        except DecodeError:
            raise _refused(undecodable(type(message))) from None
        return message


def to_json(message: Message, indent: int | None = 2) -> bytes:
    """The message as JSON. OUT_OF_RANGE where a number in it has no form there, as NaN in a Struct has none."""
    try:
        return MessageToJson(message, indent=indent).encode()
    except (SerializeToJsonError, ValueError, UnicodeError) as error:
        raise RpcError(Code.OUT_OF_RANGE, f"JSON can't carry this answer, binary can: {error}") from None


class JsonCodec:
    """Drops unknown fields, as ID-3 says."""

    def name(self) -> str:
        return "json"

    def encode(self, message: Any) -> bytes:
        if isinstance(message, Encoded):
            message = message.message_type.FromString(message)
        try:
            return to_json(message, indent=None)
        except RpcError as error:
            raise _refused(error) from None

    def decode(self, data: bytes | bytearray, message: Message) -> Message:
        try:
            parsed = json.loads(bytes(data))
            if wrong := misfit(parsed, cast("Any", message).DESCRIPTOR):
                raise ParseError(wrong)
            return ParseDict(parsed, message, ignore_unknown_fields=True)
        except (ParseError, ValueError, RecursionError) as error:
            refusal = undecodable(type(message))
            raise _refused(RpcError(refusal.code, f"{refusal.message}: {error}")) from None


class BoundedGzip:
    def name(self) -> str:
        return "gzip"

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        raise NotImplementedError("answers are not compressed")

    def decompress(self, data: bytes | bytearray | memoryview) -> bytes:
        try:
            return gunzip(bytes(data))
        except RpcError as error:
            raise _refused(error) from None


def _method(service: str, method: str, request: type[Message], response: type[Message], safe: bool) -> Any:
    return MethodInfo(
        name=method,
        service_name=service,
        input=request,
        output=response,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS if safe else IdempotencyLevel.UNKNOWN,
    )


def _unary(endpoint: Unary) -> Callable[[Message, Any], Awaitable[Any]]:
    async def answer(request: Message, ctx: Any) -> Any:
        exchange = EXCHANGE.get()
        exchange.request = request
        try:
            return encoded(endpoint.call(request, exchange.origin), endpoint.response)
        except RpcError as error:
            raise _refused(error) from None

    return answer


def _stream(plane: FakeControlPlane, operation: Operation) -> Callable[[Message, Any], AsyncIterator[Any]]:
    async def answer(request: Message, ctx: Any) -> AsyncIterator[Any]:
        exchange = EXCHANGE.get()
        exchange.request = request
        live = LIVE.get()
        timeout = ctx.timeout_ms()
        until = None if timeout is None else asyncio.get_running_loop().time() + timeout / 1000
        messages = cast("Any", pump(plane, operation, request, live, until))
        try:
            async for message in messages:
                yield message
        except RpcError as error:
            raise _refused(error) from None
        finally:
            await messages.aclose()
        if live.gone:
            exchange.code = "CANCELED"

    return answer


class Application(ConnectASGIApplication[None]):
    """The endpoints of the table, in every protocol that connectrpc speaks."""

    def __init__(
        self,
        plane: FakeControlPlane,
        unary: Mapping[str, Unary],
        streams: Mapping[str, Operation],
    ) -> None:
        table: dict[str, Any] = {}
        for path, one in unary.items():
            info = _method(one.service, one.method, one.request, one.response, one.no_side_effects)
            table[path] = Endpoint.unary(method=info, function=_unary(one))
        for path, op in streams.items():
            info = _method(op.service, op.method, op.request, op.response, False)
            table[path] = Endpoint.server_stream(method=info, function=_stream(plane, op))
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - its generics are left open
            service=None,
            endpoints=lambda _: table,
            compressions=[cast("Any", BoundedGzip())],
            codecs=[cast("Any", BinaryCodec()), cast("Any", JsonCodec())],
        )

    @property
    def path(self) -> str:
        return "/"
