"""connectrpc's application over our own table of endpoints, for JSON and gRPC-Web.

It decodes no message: its codecs and its gzip only mark the bytes, which are decoded here, in the turn of a large
request, so that a caller's mistake is INVALID_ARGUMENT and neither a gzip bomb nor a large document blocks the loop.
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

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.delays import outcome
from flyteapps_fake.http.endpoints import Duplex, Endpoint, Stream, Unary
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.large_requests import LARGE_BYTES, LargeRequests
from flyteapps_fake.http.protocol.compression import gunzip, gunzip_body
from flyteapps_fake.http.protocol.deadlines import check_deadline, check_opening
from flyteapps_fake.http.protocol.json_form import from_json, to_json
from flyteapps_fake.http.protocol.wire import Encoded, encoded, fill
from flyteapps_fake.http.streaming.live_streams import LiveStream, message_batches

LIVE: ContextVar[LiveStream] = ContextVar("flyteapps_live_stream")
"""The stream that the running task answers."""
EXCHANGE: ContextVar[Exchange] = ContextVar("flyteapps_exchange")
"""The exchange that the running task answers."""


def to_connect(error: RpcError) -> ConnectError:
    """Return the plane's refusal as connectrpc's error."""
    return ConnectError(ConnectCode[error.code.name], error.message, error.details)


def _refused(error: RpcError) -> ConnectError:
    EXCHANGE.get().refusal = error
    return to_connect(error)


def is_framed(exchange: Exchange) -> bool:
    """Return whether the message of the request is in a frame."""
    kind = exchange.headers.get(b"content-type", b"").strip().lower()
    return exchange.scope["method"] == "POST" and kind.startswith((b"application/grpc", b"application/connect+"))


def decoded(endpoint: Endpoint, limits: RequestLimits, data: bytes, *, json: bool) -> Message:
    """Return the decoded request. Raises INVALID_ARGUMENT, RESOURCE_EXHAUSTED."""
    message = endpoint.operation.request()
    if json:
        from_json(message, bytes(data), limits, strict=endpoint.operation.strict)
    else:
        fill(message, bytes(data), limits)
    return message


class Raw:
    """A request as connectrpc passes it on: undecoded bytes."""

    data: bytes = b""
    json: bool = False


class Zipped(bytes):
    """Bytes that are still compressed."""


class JsonText(bytes):
    """An encoded JSON answer."""


class BinaryCodec:
    """connectrpc's codec of protobuf: answers are encoded already, requests are only marked."""

    def name(self) -> str:
        """Return the name in content types."""
        return "proto"

    def encode(self, message: Any) -> bytes:
        """Return the encoded answer."""
        return message.SerializeToString()

    def decode(self, data: bytes, message: Raw) -> Raw:
        """Store the bytes."""
        message.data = data
        return message


class JsonCodec:
    """connectrpc's codec of JSON: answers are encoded already, requests are only marked."""

    def name(self) -> str:
        """Return the name in content types."""
        return "json"

    def encode(self, message: JsonText) -> bytes:
        """Return the encoded answer."""
        return message

    def decode(self, data: bytes, message: Raw) -> Raw:
        """Store the bytes, marked as JSON."""
        message.data = data
        message.json = True
        return message


class Gzip:
    """connectrpc's gzip: requests are only marked, and answers are compressed elsewhere."""

    def name(self) -> str:
        """Return the name in headers."""
        return "gzip"

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        """Raise, since connectrpc is told that no client accepts gzip."""
        raise NotImplementedError("answers are not compressed")

    def decompress(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return the bytes, marked as compressed."""
        return Zipped(data)


class _Calls:
    """The calls of endpoints, from the bytes of a request to those of an answer."""

    def __init__(self, request_limits: RequestLimits, large: LargeRequests) -> None:
        self._request_limits = request_limits
        self._large = large

    def unary(self, endpoint: Unary) -> Callable[[Raw, Any], Awaitable[Any]]:
        """Return connectrpc's function of a unary method."""

        async def answer(raw: Raw, ctx: Any) -> Any:
            try:
                return await self._answer(endpoint, raw, EXCHANGE.get())
            except RpcError as error:
                error.__traceback__ = None  # its frames would hold request and answer until the refusal has been read
                raise _refused(error) from None

        return answer

    async def _answer(self, endpoint: Unary, raw: Raw, exchange: Exchange) -> Any:
        """Return the encoded answer of a unary call. Raises RpcError."""
        large = len(raw.data) > LARGE_BYTES
        exchange.request = request = await self._request(endpoint, raw)
        check_deadline(exchange.until)
        call = exchange.call(endpoint.operation, request)
        try:
            in_thread = endpoint.in_thread
            answer = await asyncio.to_thread(endpoint.call, call) if in_thread else endpoint.call(call)
        except Postponed as postponed:
            answer = await outcome(postponed, call.deadline, LIVE.get())
        if large:
            exchange.forget_request()
        return await self._shown(endpoint, answer, raw.json)

    def stream(self, endpoint: Stream) -> Callable[[Raw, Any], AsyncIterator[Any]]:
        """Return connectrpc's function of a server-streaming method."""

        async def answer(raw: Raw, ctx: Any) -> AsyncIterator[Any]:
            exchange = EXCHANGE.get()
            live = LIVE.get()
            try:
                exchange.request = request = await self._request(endpoint, raw)
                check_opening(exchange.until, self._request_limits.wire)
                messages = message_batches(endpoint, exchange.call(endpoint.operation, request), live)
                try:
                    async for batch in messages:
                        for message in batch:
                            yield await self._shown(endpoint, message, raw.json)
                finally:
                    await messages.aclose()
            except RpcError as error:
                raise _refused(error) from None

        return answer

    async def _request(self, endpoint: Endpoint, raw: Raw) -> Message:
        """Return the decoded request; a large one waits for its turn and, as JSON, is decoded in a worker thread."""
        if len(raw.data) <= LARGE_BYTES and not isinstance(raw.data, Zipped):
            return self._decode(endpoint, raw)
        await self._large.acquire(len(raw.data))
        try:
            return await asyncio.to_thread(self._decode, endpoint, raw) if raw.json else self._decode(endpoint, raw)
        finally:
            self._large.release()

    def _decode(self, endpoint: Endpoint, raw: Raw) -> Message:
        data, raw.data = raw.data, b""  # connectrpc keeps `raw` until its answer has been read
        cap, rules = self._request_limits.request_bytes, self._request_limits.wire
        framed = is_framed(EXCHANGE.get())
        if data and isinstance(data, Zipped):
            is_body = not framed and EXCHANGE.get().scope["method"] == "POST"
            data = gunzip_body(data, cap, rules) if is_body else gunzip(data, cap)
        if len(data) > self._request_limits.request_bytes:
            raise too_large(self._request_limits.request_bytes)
        if raw.json and not data and framed and rules.empty_frames:
            return endpoint.operation.request()
        return decoded(endpoint, self._request_limits, data, json=raw.json)

    async def _shown(self, endpoint: Endpoint, answer: bytes, json: bool) -> Encoded | JsonText:
        """Return the encoded answer in the form of the request; a large one becomes JSON in a worker thread."""
        if not json:
            return encoded(answer, endpoint.operation.response)
        return await self._large.run(len(answer), lambda: _json_of(endpoint, answer))


def _json_of(endpoint: Endpoint, answer: bytes) -> JsonText:
    return JsonText(to_json(endpoint.operation.response.FromString(answer), indent=None))


def _bound(endpoint: Unary | Stream, calls: _Calls) -> Any:
    """Return connectrpc's form of an endpoint."""
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
    """The endpoints that have one request, in every protocol that connectrpc speaks."""

    def __init__(self, endpoints: Mapping[str, Endpoint], request_limits: RequestLimits, large: LargeRequests) -> None:
        calls = _Calls(request_limits, large)
        table = {path: _bound(each, calls) for path, each in endpoints.items() if not isinstance(each, Duplex)}
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - its generics are left open
            service=None,
            endpoints=lambda _: table,
            compressions=[cast("Any", Gzip())],
            codecs=[cast("Any", BinaryCodec()), cast("Any", JsonCodec())],
        )

    @property
    def path(self) -> str:
        """The path under which it is mounted."""
        return "/"
