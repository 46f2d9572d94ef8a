"""Bytes on the wire: limits, frames, and the form of a refusal in each protocol. No routing, no sockets.

Every function here refuses by RpcError, so that the front answers every protocol alike.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from google.protobuf.message import DecodeError, Message

from flyteapps_fake.core.errors import Code, RpcError, percent_encoded
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.validation import check_values

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]

OK_TRAILERS: HeaderList = [(b"grpc-status", b"0")]
NO_SNIFF = (b"x-content-type-options", b"nosniff")
WITHOUT_LENGTH = (204, 304)
"""The statuses without a body, and without its length: RFC 9110, 8.6."""
"""The header that keeps browsers from guessing another content type."""

FRAME_HEAD = 5
"""Bytes before a message in gRPC, gRPC-Web and Connect's streams."""

MAX_DISCARD_BYTES = 64 * 1024 * 1024
"""Bytes of a refused request that are read before the answer."""

HTTP_STATUS: dict[Code, int] = {
    Code.CANCELED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""The HTTP status of a refused unary Connect call."""


class Encoded(bytes):
    """An encoded message, which passes connectrpc's binary codec as a message."""

    message_type: type[Message]

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Return itself."""
        return self


def encoded(data: bytes, message_type: type[Message]) -> Encoded:
    """Return the encoded message with its type."""
    item = Encoded(data)
    item.message_type = message_type
    return item


def frame(message: bytes, flags: int = 0) -> bytes:
    """Return a message in its frame: with the 5 bytes of gRPC, gRPC-Web and Connect's streams before it."""
    return bytes((flags,)) + len(message).to_bytes(4, "big") + message


def check_frame(body: bytes) -> None:
    """Refuse a body that isn't one length-prefixed message."""
    if len(body) < 5:
        raise RpcError(Code.INVALID_ARGUMENT, "the request holds no whole message: its frame's head has 5 bytes")
    size = int.from_bytes(body[1:5], "big")
    if len(body) != size + 5:
        raise RpcError(Code.INVALID_ARGUMENT, f"the request's frame says {size} bytes, {len(body) - 5} came")


def decode(message_type: type[Message], data: bytes, request_limits: RequestLimits) -> Message:
    """Return the message that `data` encodes. Raises INVALID_ARGUMENT, RESOURCE_EXHAUSTED."""
    message = message_type()
    fill(message, data, request_limits)
    return message


def fill(message: Message, data: bytes, request_limits: RequestLimits) -> None:
    """Fill an empty message from `data`. Raises INVALID_ARGUMENT, RESOURCE_EXHAUSTED."""
    check_values(type(message), data, request_limits.values)
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise RpcError(Code.INVALID_ARGUMENT, request_limits.undecodable(type(message), data, None)) from None


async def discard(receive: Receive, cap: int = MAX_DISCARD_BYTES) -> None:
    """Read the rest of a body and drop it; return before its end where it has more than `cap` bytes."""
    while cap > 0:
        event = await receive()
        if event["type"] != "http.request" or not event.get("more_body", False):
            return
        cap -= len(event.get("body", b""))


class Whole:
    """A receive that notes in `read` whether the body has been read to its end, and in `size` its bytes so far."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.read = False
        self.size = 0

    async def __call__(self) -> Event:
        """Return the next event."""
        event = await self._receive()
        self.read = event["type"] != "http.request" or not event.get("more_body", False)
        self.size += len(event.get("body", b""))
        return event


def connect_error(error: RpcError) -> bytes:
    """Return a refusal as Connect's JSON."""
    answer: dict[str, Any] = {"code": error.code.name.lower(), "message": error.message}
    if error.details:
        answer["details"] = [
            {
                "type": detail.DESCRIPTOR.full_name,
                "value": b64encode(detail.SerializeToString()).decode().rstrip("="),
            }
            for detail in error.details
        ]
    return json.dumps(answer, separators=(",", ":")).encode()


def grpc_trailers(error: RpcError) -> HeaderList:
    """Return a refusal as gRPC's trailers: MAX_TRAILER_BYTES at most, which RpcError ensures."""
    trailers = [
        (b"grpc-status", str(int(error.code)).encode()),
        (b"grpc-message", percent_encoded(error.message).encode()),
    ]
    if error.details:
        status = b64encode(status_details(error)).decode().rstrip("=")
        trailers.append((b"grpc-status-details-bin", status.encode()))
    return trailers


def status_details(error: RpcError) -> bytes:
    """Return a refusal as an encoded google.rpc.Status, for grpc-status-details-bin."""
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.rpc.status_pb2 import Status

    def pack(details: Iterable[Message]) -> Iterable[AnyMessage]:
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            yield packed

    return Status(code=int(error.code), message=error.message, details=list(pack(error.details))).SerializeToString()


def with_headers(send: Send, headers: HeaderList) -> Send:
    """Return a send that adds those headers to the answer."""

    async def adding(event: Event) -> None:
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event.get("headers", ()), *headers]}
        await send(event)

    return adding


async def respond(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    further: Iterable[tuple[bytes, bytes]] = (),
    *,
    head: bool = False,
) -> None:
    """Send a whole HTTP answer without trailers; to a HEAD, without its body. A content type of b"" is left out."""
    headers = [NO_SNIFF, *further]
    if status not in WITHOUT_LENGTH:
        headers.insert(0, (b"content-length", str(len(body)).encode()))
    if content_type:
        headers.insert(0, (b"content-type", content_type))
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


def opening(content_type: str) -> Event:
    """Return the first event of a stream's answer, in the protocol of the request's `content_type`."""
    headers = [(b"content-type", content_type.encode()), NO_SNIFF]
    return {"type": "http.response.start", "status": 200, "headers": headers, "trailers": has_trailers(content_type)}


async def finish(
    send: Send, content_type: str, error: RpcError | None, framed: Callable[[bytes, int], bytes] = frame
) -> None:
    """End a stream that has begun, with `error` if there is one; `framed` returns a frame of the end with its flags."""
    trailers = grpc_trailers(error) if error is not None else OK_TRAILERS
    if has_trailers(content_type):
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})
        return
    if content_type.startswith("application/grpc-web"):
        end = framed(b"".join(k + b": " + v + b"\r\n" for k, v in trailers), 0x80)
    else:
        end = framed(b'{"error":' + connect_error(error) + b"}" if error is not None else b"{}", 0x02)
    await send({"type": "http.response.body", "body": end, "more_body": False})


def has_trailers(content_type: str) -> bool:
    """Return whether the content type is gRPC's own, which needs HTTP/2 for its trailers, and not gRPC-Web's."""
    return content_type.startswith("application/grpc") and not content_type.startswith("application/grpc-web")


async def refuse(
    send: Send, content_type: str, error: RpcError, status: int | None = None, *, head: bool = False
) -> None:
    """Answer with `error` in the protocol of the request's `content_type`."""
    streaming = content_type.startswith("application/connect+") and status is None
    if not head and (streaming or content_type.startswith("application/grpc")):
        await send(opening(content_type))
        await finish(send, content_type, error)
    else:
        await respond(
            send,
            status or HTTP_STATUS[error.code],
            connect_error(error),
            b"application/json",
            error.http_headers,
            head=head,
        )
