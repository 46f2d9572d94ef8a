"""connectrpc's application over our own table of endpoints: JSON and gRPC-Web go through it.

It knows no message: its codecs and its gzip only mark the bytes, which are read here, in the turn of a large request,
so that a caller's mistake is INVALID_ARGUMENT and neither a gzip bomb nor a large document holds up the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, cast

from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from connectrpc.server import ConnectASGIApplication
from connectrpc.server import Endpoint as ConnectEndpoint
from google.protobuf.message import Message

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.request_limits import Intake
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.endpoints import Duplex, Endpoint, HttpMetadata, Stream, Unary, protocol_of
from flyteapps_fake.http.large_requests import LARGE_BYTES, Lane
from flyteapps_fake.http.protocol.compression import gunzip
from flyteapps_fake.http.protocol.deadlines import check_deadline
from flyteapps_fake.http.protocol.json_form import from_json, to_json
from flyteapps_fake.http.protocol.wire import Encoded, Scope, encoded, fill
from flyteapps_fake.http.streaming.live_streams import LiveStream, pump

LIVE: ContextVar[LiveStream] = ContextVar("flyteapps_live_stream")
"""The stream that the running task answers."""


class Exchange:
    """One call that connectrpc answers: the scope that it came with, when it has to be over, what became of it.

    `until`: seconds of the loop's time, None for no deadline. `refusal`: why it is refused. `answered`: whether an
    answer has begun.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.until: float | None = None
        self.request: Message | None = None
        self.refusal: RpcError | None = None
        self.code = ""
        self.answered = False

    def call(self, endpoint: Unary | Stream, request: Message) -> Call[Any]:
        """Return the call of that request."""
        content_type = dict(self.scope["headers"]).get(b"content-type", b"")
        protocol = protocol_of(content_type)
        return Call(endpoint.operation, request, HttpMetadata(self.scope), self.until, protocol=protocol)


EXCHANGE: ContextVar[Exchange] = ContextVar("flyteapps_exchange")


def to_connect(error: RpcError) -> ConnectError:
    return ConnectError(ConnectCode[error.code.name], error.message, error.details)


def _refused(error: RpcError) -> ConnectError:
    exchange = EXCHANGE.get()
    exchange.code = error.code.name
    exchange.refusal = error
    return to_connect(error)


class Raw:
    """A request as connectrpc passes it on: its bytes, which are decoded when its turn comes."""

    data: bytes = b""
    json: bool = False


class Zipped(bytes):
    """What is to be decompressed, when its turn comes."""


class JsonText(bytes):
    """An answer that is JSON already."""


class BinaryCodec:
    def name(self) -> str:
        return "proto"

    def encode(self, message: Any) -> bytes:
        return message.SerializeToString()

    def decode(self, data: bytes, message: Raw) -> Raw:
        message.data = data
        return message


class JsonCodec:
    def name(self) -> str:
        return "json"

    def encode(self, message: JsonText) -> bytes:
        return message

    def decode(self, data: bytes, message: Raw) -> Raw:
        message.data = data
        message.json = True
        return message


class Gzip:
    def name(self) -> str:
        return "gzip"

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        raise NotImplementedError("answers are not compressed")

    def decompress(self, data: bytes | bytearray | memoryview) -> bytes:
        return Zipped(data)


class _Calls:
    """The endpoints' calls, from the bytes of a request to those of an answer."""

    def __init__(self, intake: Intake, lane: Lane) -> None:
        self._intake = intake
        self._lane = lane

    def unary(self, endpoint: Unary) -> Callable[[Raw, Any], Awaitable[Any]]:
        async def answer(raw: Raw, ctx: Any) -> Any:
            exchange = EXCHANGE.get()
            try:
                exchange.request = request = await self._request(endpoint, raw)
                check_deadline(exchange.until)
                return await self._shown(endpoint, endpoint.call(exchange.call(endpoint, request)), raw.json)
            except RpcError as error:
                raise _refused(error) from None

        return answer

    def stream(self, endpoint: Stream) -> Callable[[Raw, Any], AsyncIterator[Any]]:
        async def answer(raw: Raw, ctx: Any) -> AsyncIterator[Any]:
            exchange = EXCHANGE.get()
            live = LIVE.get()
            try:
                exchange.request = request = await self._request(endpoint, raw)
                check_deadline(exchange.until)
                messages = pump(endpoint, exchange.call(endpoint, request), live)
                try:
                    async for batch in messages:
                        for message in batch:
                            yield await self._shown(endpoint, message, raw.json)
                finally:
                    await messages.aclose()
            except RpcError as error:
                raise _refused(error) from None
            if live.gone:
                exchange.code = "CANCELED"

        return answer

    async def _request(self, endpoint: Endpoint, raw: Raw) -> Message:
        """The decoded request; a large one takes its turn, and if it is JSON, it is decoded beside the loop."""
        if len(raw.data) <= LARGE_BYTES and not isinstance(raw.data, Zipped):
            return self._decode(endpoint, raw)
        await self._lane.enter(len(raw.data))
        try:
            return await asyncio.to_thread(self._decode, endpoint, raw) if raw.json else self._decode(endpoint, raw)
        finally:
            self._lane.leave()

    def _decode(self, endpoint: Endpoint, raw: Raw) -> Message:
        data = raw.data
        if data and isinstance(data, Zipped):
            data = gunzip(data, self._intake.request_bytes)
        if len(data) > self._intake.request_bytes:
            raise too_large(self._intake.request_bytes)
        message = endpoint.operation.request()
        (from_json if raw.json else fill)(message, bytes(data), self._intake)
        return message

    async def _shown(self, endpoint: Endpoint, answer: bytes, json: bool) -> Encoded | JsonText:
        """The encoded answer in the form of the request; a large one becomes JSON beside the loop."""
        if not json:
            return encoded(answer, endpoint.operation.response)
        return await self._lane.beside(len(answer), lambda: _json_of(endpoint, answer))


def _json_of(endpoint: Endpoint, answer: bytes) -> JsonText:
    return JsonText(to_json(endpoint.operation.response.FromString(answer), indent=None))


def _bound(endpoint: Unary | Stream, calls: _Calls) -> Any:
    """An endpoint of ours as connectrpc has it."""
    safe = isinstance(endpoint, Unary) and endpoint.operation.no_side_effects
    info = cast("Any", MethodInfo)(
        name=endpoint.operation.method,
        service_name=endpoint.operation.service,
        input=Raw,
        output=endpoint.operation.response,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS if safe else IdempotencyLevel.UNKNOWN,
    )
    if isinstance(endpoint, Unary):
        return ConnectEndpoint.unary(method=info, function=calls.unary(endpoint))
    return ConnectEndpoint.server_stream(method=info, function=calls.stream(endpoint))


class Application(ConnectASGIApplication[None]):
    """The endpoints of the table that have one request, in every protocol that connectrpc speaks."""

    def __init__(self, endpoints: Mapping[str, Endpoint], intake: Intake, lane: Lane) -> None:
        calls = _Calls(intake, lane)
        table = {path: _bound(each, calls) for path, each in endpoints.items() if not isinstance(each, Duplex)}
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - its generics are left open
            service=None,
            endpoints=lambda _: table,
            compressions=[cast("Any", Gzip())],
            codecs=[cast("Any", BinaryCodec()), cast("Any", JsonCodec())],
        )

    @property
    def path(self) -> str:
        return "/"
