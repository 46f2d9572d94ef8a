"""Framed bodies as connect-go reads them, of which one message is expected."""

from __future__ import annotations

import json
from typing import NamedTuple

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.rules.wire import Framing, OneMessage

_HEAD_BYTES = 5
_COMPRESSED = 0x01
_END_FLAGS: dict[Framing, int] = {"grpc": 0, "grpc-web": 0x80, "connect": 0x02}
"""The flag of the frame that ends a stream; gRPC itself has none."""


class _Received(NamedTuple):
    """A message, and where the next frame begins."""

    message: OneMessage
    next_at: int


def one_message(body: bytes, framing: Framing, gzip: bool) -> OneMessage:
    """Return the first message of a body. Raises RpcError. `gzip`: whether its headers name that compression."""
    first = _receive(body, 0, framing, gzip)
    if first is None:
        raise RpcError(Code.UNIMPLEMENTED, "unary request has zero messages")
    try:
        second = _receive(body, first.next_at, framing, gzip)
    except RpcError as error:
        return first.message._replace(following=error)
    if second is None:
        return first.message
    return first.message._replace(following=RpcError(Code.UNIMPLEMENTED, "unary request has multiple messages"))


def _receive(body: bytes, at: int, framing: Framing, gzip: bool) -> _Received | None:
    """Return the message whose frame begins there, None at the end of the stream. Raises RpcError."""
    if at == len(body):
        return None
    head, start = body[at : at + _HEAD_BYTES], at + _HEAD_BYTES
    if len(head) < _HEAD_BYTES:
        raise RpcError(Code.INVALID_ARGUMENT, "protocol error: incomplete envelope: unexpected EOF")
    flags, size = head[0], int.from_bytes(head[1:], "big")
    data = body[start : start + size]
    if len(data) < size:
        raise RpcError(
            Code.INVALID_ARGUMENT,
            f"protocol error: promised {size} bytes in enveloped message, got {len(data)} bytes",
        )
    if flags & _COMPRESSED and not gzip:
        raise RpcError(Code.INTERNAL, "protocol error: sent compressed message without compression support")
    if flags in (0, _COMPRESSED):
        return _Received(OneMessage(data, flags == _COMPRESSED), start + size)
    extra = len(body) - start - size
    if extra:
        raise RpcError(Code.INTERNAL, f"corrupt response: {extra} extra bytes after end of stream")
    if not flags & _END_FLAGS[framing]:
        raise RpcError(Code.INTERNAL, f"protocol error: invalid envelope flags {flags}")
    _check_end(data, framing)
    return None


def _check_end(data: bytes, framing: Framing) -> None:
    """Raise INTERNAL for the last frame of a stream with other content than its protocol's."""
    if framing == "grpc-web":
        if not all(b":" in line for line in data.splitlines()):
            raise RpcError(Code.INTERNAL, "gRPC-Web protocol error: trailers invalid: malformed MIME header line")
        return
    try:
        json.loads(data)
    except ValueError as error:
        raise RpcError(Code.INTERNAL, f"unmarshal end stream message: {error}") from None
