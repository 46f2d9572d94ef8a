"""The rules of a plane's servers for requests that aren't well formed, and for the compression of answers. No IO."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from flyteapps_fake.core.errors import RpcError

Framing = Literal["grpc", "grpc-web", "connect"]
"""The protocol of a body that consists of frames."""
GzipFault = Literal["header", "end", "checksum", "data", "tail"]
"""The fault of gzip data: no gzip at all, cut short, a wrong checksum, corrupt, or followed by something else."""

COMPRESS_FROM_BYTES = 16 * 1024
"""Bytes of an answer from which it is compressed: on the loopback, gzip of small ones costs more than it saves."""


class OneMessage(NamedTuple):
    """The first message of a framed body. `following`: the error of what follows it, if the message can be decoded."""

    data: bytes
    compressed: bool
    following: RpcError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRules:
    """The rules of one plane's servers. The defaults are those of the standard dialect.

    `unary_types`, `stream_types`: the content types of methods with one response and of streams, without parameters;
    empty for those of connectrpc, with any parameters.
    `base64`: returns the error of a Connect GET's message that is said to be base64, None for a valid one.
    `gzip`: returns the error of a unary Connect body, by its fault and its size; None to read it as empty.
    `one_message`: returns the first message of a framed body, given whether its headers name gzip. Raises RpcError.
    `empty_frames`: whether an empty message in a frame is an empty one in JSON, too.
    `versions`: whether each version of Connect but 1 is refused, and every encoding of frames that is unknown.
    `empty_is_absent`: whether an empty header or parameter counts as none.
    `past_deadlines`: whether a negative timeout is a deadline that has passed, instead of malformed; whether a stream
    whose deadline has passed before it is opened ends as others do; and whether each protocol has its own header alone.
    `compress_from_bytes`: the size of an answer from which it is compressed for clients that accept that; 0 for all
    messages, and the ends of streams.
    `answers_options`: whether OPTIONS on each method is 204. `ready_page`: whether /readyz is there.
    """

    unary_types: Collection[str] = ()
    stream_types: Collection[str] = ()
    base64: Callable[[str], RpcError | None] | None = None
    gzip: Callable[[GzipFault, int], RpcError | None] | None = None
    one_message: Callable[[bytes, Framing, bool], OneMessage] | None = None
    empty_frames: bool = False
    versions: bool = False
    empty_is_absent: bool = False
    past_deadlines: bool = False
    compress_from_bytes: int = COMPRESS_FROM_BYTES
    answers_options: bool = False
    ready_page: bool = False

    def types(self, *, streaming: bool) -> Collection[str]:
        """Return the content types of a kind of methods."""
        return self.stream_types if streaming else self.unary_types
