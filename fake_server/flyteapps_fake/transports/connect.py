"""connectrpc's application over our own table of endpoints: JSON, gRPC-Web and every stream go through it.

Its codecs and its gzip are ours, so that a caller's mistake is INVALID_ARGUMENT and a gzip bomb stays small.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, cast

from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from connectrpc.server import ConnectASGIApplication
from connectrpc.server import Endpoint as ConnectEndpoint
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError, SerializeToJsonError
from google.protobuf.message import Message

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.intake import Intake
from flyteapps_fake.transports.compression import gunzip
from flyteapps_fake.transports.deadlines import check_deadline
from flyteapps_fake.transports.endpoints import Duplex, Endpoint, Stream, Unary
from flyteapps_fake.transports.json_shape import misfit
from flyteapps_fake.transports.streams import LiveStream, pump
from flyteapps_fake.transports.wire import Encoded, Scope, encoded, fill

LIVE: ContextVar[LiveStream] = ContextVar("flyteapps_live_stream")
"""The stream that the running task answers."""


class Exchange:
    """One call that connectrpc answers: the scope that it came with, when it has to be over, what became of it.

    `until`: seconds of the loop's time, None for no deadline. `decoded`: the
    request, where it was too large to be decoded on the loop. `refusal`: why it is refused.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.until: float | None = None
        self.request: Message | None = None
        self.decoded: Message | None = None
        self.refusal: RpcError | None = None
        self.code = ""


EXCHANGE: ContextVar[Exchange] = ContextVar("flyteapps_exchange")


def to_connect(error: RpcError) -> ConnectError:
    return ConnectError(ConnectCode[error.code.name], error.message, error.details)


def _refused(error: RpcError) -> ConnectError:
    exchange = EXCHANGE.get()
    exchange.code = error.code.name
    exchange.refusal = error
    return to_connect(error)


class BinaryCodec:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def name(self) -> str:
        return "proto"

    def encode(self, message: Any) -> bytes:
        return message.SerializeToString()

    def decode(self, data: bytes | bytearray, message: Message) -> Message:
        try:
            fill(message, bytes(data), self._intake)
        except RpcError as error:
            raise _refused(error) from None
        return message


def to_json(message: Message, indent: int | None = 2) -> bytes:
    """The message as JSON. OUT_OF_RANGE where a number in it has no form there, as NaN in a Struct has none."""
    try:
        return MessageToJson(message, indent=indent).encode()
    except (SerializeToJsonError, ValueError, UnicodeError) as error:
        raise RpcError(Code.OUT_OF_RANGE, f"JSON can't carry this answer, binary can: {error}") from None


def from_json(data: bytes, message: Message, intake: Intake) -> Message:
    """Fills the message from JSON, drops unknown fields (ID-3). INVALID_ARGUMENT for what doesn't fit."""
    try:
        parsed = json.loads(data)
        if wrong := misfit(parsed, cast("Any", message).DESCRIPTOR):
            raise ParseError(wrong)
        return ParseDict(parsed, message, ignore_unknown_fields=True)
    except (ParseError, ValueError, RecursionError) as error:
        raise RpcError(Code.INVALID_ARGUMENT, intake.undecodable(type(message), data, error)) from None


class JsonCodec:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

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
        decoded = EXCHANGE.get().decoded
        if decoded is not None:
            return decoded
        try:
            return from_json(bytes(data), message, self._intake)
        except RpcError as error:
            raise _refused(error) from None


class BoundedGzip:
    def __init__(self, most_bytes: int) -> None:
        self._cap = most_bytes

    def name(self) -> str:
        return "gzip"

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        raise NotImplementedError("answers are not compressed")

    def decompress(self, data: bytes | bytearray | memoryview) -> bytes:
        try:
            return gunzip(bytes(data), self._cap)
        except RpcError as error:
            raise _refused(error) from None


def _unary(endpoint: Unary) -> Callable[[Message, Any], Awaitable[Any]]:
    async def answer(request: Message, ctx: Any) -> Any:
        exchange = EXCHANGE.get()
        exchange.request = request
        try:
            check_deadline(exchange.until)
            return encoded(endpoint.call(request, exchange.scope), endpoint.response)
        except RpcError as error:
            raise _refused(error) from None

    return answer


def _stream(endpoint: Stream) -> Callable[[Message, Any], AsyncIterator[Any]]:
    async def answer(request: Message, ctx: Any) -> AsyncIterator[Any]:
        exchange = EXCHANGE.get()
        exchange.request = request
        live = LIVE.get()
        messages = cast("Any", pump(endpoint, request, live, exchange.until))
        try:
            check_deadline(exchange.until)
            async for batch in messages:
                for message in batch:
                    yield encoded(message, endpoint.response)
        except RpcError as error:
            raise _refused(error) from None
        finally:
            await messages.aclose()
        if live.gone:
            exchange.code = "CANCELED"

    return answer


def _duplex(endpoint: Duplex) -> Callable[[AsyncIterator[Any], Any], AsyncIterator[Any]]:
    async def answer(requests: AsyncIterator[Any], ctx: Any) -> AsyncIterator[Any]:
        async for request in requests:
            EXCHANGE.get().request = request
            for response in endpoint.answer(request):
                yield response

    return answer


def _bound(endpoint: Endpoint) -> Any:
    """An endpoint of ours as connectrpc has it."""
    safe = isinstance(endpoint, Unary) and endpoint.no_side_effects
    info = cast("Any", MethodInfo)(
        name=endpoint.method,
        service_name=endpoint.service,
        input=endpoint.request,
        output=endpoint.response,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS if safe else IdempotencyLevel.UNKNOWN,
    )
    match endpoint:
        case Unary():
            return ConnectEndpoint.unary(method=info, function=_unary(endpoint))
        case Stream():
            return ConnectEndpoint.server_stream(method=info, function=_stream(endpoint))
        case Duplex():
            return ConnectEndpoint.bidi_stream(method=info, function=_duplex(endpoint))


class Application(ConnectASGIApplication[None]):
    """The endpoints of the table, in every protocol that connectrpc speaks."""

    def __init__(self, endpoints: Mapping[str, Endpoint], intake: Intake) -> None:
        table = {path: _bound(endpoint) for path, endpoint in endpoints.items()}
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - its generics are left open
            service=None,
            endpoints=lambda _: table,
            read_max_bytes=intake.request_bytes,
            compressions=[cast("Any", BoundedGzip(intake.request_bytes))],
            codecs=[cast("Any", BinaryCodec(intake)), cast("Any", JsonCodec(intake))],
        )

    @property
    def path(self) -> str:
        return "/"
