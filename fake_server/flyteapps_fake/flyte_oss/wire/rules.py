"""The wire rules of the backend's server as one value."""

from __future__ import annotations

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.rules.wire import GzipFault, WireRules
from flyteapps_fake.flyte_oss.wire.base64_text import base64_error
from flyteapps_fake.flyte_oss.wire.frames import one_message

_CODECS = ("json", "proto")
_GRPC = (
    "application/grpc",
    "application/grpc-web",
    *(f"application/{protocol}+{codec}" for protocol in ("grpc", "grpc-web") for codec in _CODECS),
)
MAX_PEEKED_BYTES = 4 * 1024
"""Bytes of a body that the layer which decompresses it has taken before it finds that it isn't gzip."""
_WORDS: dict[GzipFault, str] = {
    "end": "unexpected EOF",
    "checksum": "gzip: invalid checksum",
    "data": "flate: corrupt input",
    "tail": "gzip: invalid header",
}


def gzip_error(fault: GzipFault, size: int) -> RpcError | None:
    """Return the error of a unary body that is said to be gzip, by its fault; None where the backend reads it as empty.

    The layer around the backend's services decompresses it. A body without gzip's header is passed on without the
    bytes that the layer has taken from it.
    """
    if fault != "header":
        return RpcError(Code.UNKNOWN, f"read message: {_WORDS[fault]}")
    if size <= MAX_PEEKED_BYTES:
        return None
    return RpcError(Code.INVALID_ARGUMENT, "get decompressor: gzip: invalid header")


WIRE = WireRules(
    unary_types=frozenset((*_GRPC, *(f"application/{codec}" for codec in _CODECS))),
    stream_types=frozenset((*_GRPC, *(f"application/connect+{codec}" for codec in _CODECS))),
    base64=base64_error,
    gzip=gzip_error,
    one_message=one_message,
    empty_frames=True,
    versions=True,
    empty_is_absent=True,
    past_deadlines=True,
    compress_from_bytes=0,
    answers_options=True,
    ready_page=True,
)
