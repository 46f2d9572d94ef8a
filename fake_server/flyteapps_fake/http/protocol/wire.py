"""Bytes on the wire: caps, frames, and how a refusal looks in each protocol. No routing, no sockets.

Everything here refuses by RpcError, so that the front answers every protocol alike.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from google.protobuf.message import DecodeError, Message

from flyteapps_fake.core.errors import Code, RpcError, percent_encoded
from flyteapps_fake.core.request_limits import Intake
from flyteapps_fake.core.validation import check_values

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]

OK_TRAILERS: HeaderList = [(b"grpc-status", b"0")]
NO_SNIFF = (b"x-content-type-options", b"nosniff")
"""Keeps browsers from taking an answer for something else than its content type says."""

FRAME_HEAD = 5
"""Bytes that gRPC, gRPC-Web and Connect's streams put before a message."""

MAX_DISCARD = 64 * 1024 * 1024
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
    """A message that is encoded already; connectrpc's binary codec takes it for a message."""

    message_type: type[Message]

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        return self


def encoded(data: bytes, message_type: type[Message]) -> Encoded:
    item = Encoded(data)
    item.message_type = message_type
    return item


def frame(message: bytes, flags: int = 0) -> bytes:
    """A message with the 5 bytes that gRPC, gRPC-Web and Connect's streams put before it."""
    return bytes((flags,)) + len(message).to_bytes(4, "big") + message


def check_frame(body: bytes) -> None:
    """Refuses a body that isn't one length-prefixed message."""
    if len(body) < 5:
        raise RpcError(Code.INVALID_ARGUMENT, "the request holds no whole message: its frame's head has 5 bytes")
    size = int.from_bytes(body[1:5], "big")
    if len(body) != size + 5:
        raise RpcError(Code.INVALID_ARGUMENT, f"the request's frame says {size} bytes, {len(body) - 5} came")


def decode(message_type: type[Message], data: bytes, intake: Intake) -> Message:
    """The message of `data`; bytes that are none are the caller's mistake."""
    message = message_type()
    fill(message, data, intake)
    return message


def fill(message: Message, data: bytes, intake: Intake) -> None:
    """Puts what `data` says into an empty message."""
    check_values(type(message), data, intake.values)
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise RpcError(Code.INVALID_ARGUMENT, intake.undecodable(type(message), data, None)) from None


async def discard(receive: Receive, cap: int = MAX_DISCARD) -> None:
    """Read the rest of a body, keep nothing of it, and give up where there is too much."""
    while cap > 0:
        event = await receive()
        if event["type"] != "http.request" or not event.get("more_body", False):
            return
        cap -= len(event.get("body", b""))


class Whole:
    """A receive that knows whether the body has been read to its end: `read`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.read = False

    async def __call__(self) -> Event:
        event = await self._receive()
        self.read = event["type"] != "http.request" or not event.get("more_body", False)
        return event


def connect_error(error: RpcError) -> bytes:
    """A refusal as Connect's JSON."""
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
    """A refusal as gRPC's trailers: MAX_TRAILER_BYTES at most, as RpcError sees to."""
    trailers = [
        (b"grpc-status", str(int(error.code)).encode()),
        (b"grpc-message", percent_encoded(error.message).encode()),
    ]
    if error.details:
        status = b64encode(status_details(error)).decode().rstrip("=")
        trailers.append((b"grpc-status-details-bin", status.encode()))
    return trailers


def status_details(error: RpcError) -> bytes:
    """A refusal as an encoded google.rpc.Status, for grpc-status-details-bin."""
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.rpc.status_pb2 import Status

    def pack(details: Iterable[Message]) -> Iterable[AnyMessage]:
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            yield packed

    return Status(code=int(error.code), message=error.message, details=list(pack(error.details))).SerializeToString()


def with_headers(send: Send, headers: HeaderList) -> Send:
    """A send whose answer carries those headers, too."""

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
    """A whole HTTP answer without trailers; of a HEAD, without its body. A content type of "" is none."""
    headers = [(b"content-length", str(len(body)).encode()), NO_SNIFF, *further]
    if content_type:
        headers.insert(0, (b"content-type", content_type))
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


def opening(content_type: str) -> Event:
    """How the answer of a stream begins, in the protocol that the request's `content_type` speaks."""
    headers = [(b"content-type", content_type.encode())]
    return {"type": "http.response.start", "status": 200, "headers": headers, "trailers": has_trailers(content_type)}


async def finish(send: Send, content_type: str, error: RpcError | None) -> None:
    """End a stream that has begun, well or with `error`."""
    trailers = grpc_trailers(error) if error is not None else OK_TRAILERS
    if has_trailers(content_type):
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})
        return
    if content_type.startswith("application/grpc-web"):
        end = frame(b"".join(k + b": " + v + b"\r\n" for k, v in trailers), 0x80)
    else:
        end = frame(b'{"error":' + connect_error(error) + b"}" if error is not None else b"{}", 0x02)
    await send({"type": "http.response.body", "body": end, "more_body": False})


def has_trailers(content_type: str) -> bool:
    """Whether it is gRPC's own, which ends by trailers and needs HTTP/2; gRPC-Web's isn't."""
    return content_type.startswith("application/grpc") and not content_type.startswith("application/grpc-web")


async def refuse(
    send: Send, content_type: str, error: RpcError, status: int | None = None, *, head: bool = False
) -> None:
    """Answer `error` in the protocol that the request's `content_type` speaks."""
    streaming = content_type.startswith("application/connect+") and status is None
    if not head and (streaming or content_type.startswith("application/grpc")):
        await send(opening(content_type))
        await finish(send, content_type, error)
    else:
        await respond(send, status or HTTP_STATUS[error.code], connect_error(error), b"application/json", head=head)
