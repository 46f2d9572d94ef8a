"""The checks of a request before it is decoded: its frame, encoding, headers and query. No IO."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Mapping
from urllib.parse import parse_qs

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.protocol.compression import gunzip
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, HeaderList, Scope, check_frame, has_trailers

PLAIN = (b"", b"identity")
"""The encodings without compression."""
ENCODING_HEADERS = {
    b"application/grpc": b"grpc-encoding",
    b"application/grpc+proto": b"grpc-encoding",
    b"application/grpc-web": b"grpc-encoding",
    b"application/grpc-web+proto": b"grpc-encoding",
    b"application/connect+proto": b"connect-content-encoding",
}
"""The content types of streams in binary, and the header that names the compression of their messages."""
COMPRESSED = 0x01
"""The one flag that a request's frame may have."""
BASE64 = re.compile(r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?\Z")


def unframe(body: bytes, encoding: bytes, cap: int) -> bytes:
    """Return the one message of a framed request body."""
    if body[:1] == b"\0" and len(body) == FRAME_HEAD + int.from_bytes(body[1:FRAME_HEAD], "big"):
        return body[FRAME_HEAD:]
    check_flags(body, encoding)
    return gunzip(body[FRAME_HEAD:], cap)


def check_flags(body: bytes, encoding: bytes) -> None:
    """Refuse a framed body that isn't one message, or one that is compressed in a way that its headers don't say."""
    check_frame(body)
    if body[0] > COMPRESSED:
        raise RpcError(Code.INVALID_ARGUMENT, f"the flags {body[0]} of the request's frame are none of a message")
    if body[0] and encoding != b"gzip":
        if encoding in PLAIN:
            raise RpcError(Code.INVALID_ARGUMENT, "a compressed message without a header that names its encoding")
        shown = encoding[:40].decode("latin-1")
        raise RpcError(Code.UNIMPLEMENTED, f"unknown compression {shown!r}: gzip and identity are supported")


def form_of(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    """Return the content type whose form a refusal has: the request's, "" for gRPC without HTTP/2 and its trailers."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    return content_type if scope["http_version"] == "2" or not has_trailers(content_type) else ""


def encoding_header(content_type: str) -> bytes:
    """Return the header that names the compression of messages in a framed body of that content type."""
    return b"connect-content-encoding" if content_type.startswith("application/connect+") else b"grpc-encoding"


def stream_encoding(headers: Mapping[bytes, bytes], scope: Scope) -> bytes | None:
    """Return how the message of a stream's request is compressed; None for a request that connectrpc answers."""
    content_type = headers.get(b"content-type", b"")
    name = ENCODING_HEADERS.get(content_type)
    if name is None or (has_trailers(content_type.decode()) and scope["http_version"] != "2"):
        return None
    encoding = headers.get(name, b"")
    return encoding if encoding in PLAIN or encoding == b"gzip" else None


def check_query(query: bytes) -> None:
    """Refuse the message of a Connect GET that is declared as base64 and isn't."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if given.get("base64") == ["1"] and not all(BASE64.match(each.rstrip("=")) for each in given.get("message", ())):
        raise RpcError(Code.INVALID_ARGUMENT, "the query's message is not base64")


def check_headers(headers: HeaderList) -> None:
    """Refuse headers that connectrpc would report as its own failure."""
    for name, value in headers:
        try:
            value.decode()
        except UnicodeDecodeError:
            raise RpcError(Code.INVALID_ARGUMENT, f"the header {name.decode('latin-1')} is not UTF-8") from None


def refusal_of(error: Exception) -> RpcError:
    """Return the refusal for an error; one that is no RpcError becomes INTERNAL, and its traceback is printed."""
    if isinstance(error, RpcError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return RpcError(Code.INTERNAL, f"a defect of the stand-in: {type(error).__name__}: {error}")


def unreadable(error: Exception) -> RpcError:
    """Return the refusal for an error before the request was decoded: it lies in the headers."""
    if isinstance(error, RpcError):
        return error
    return RpcError(Code.INVALID_ARGUMENT, f"the request's headers can't be read: {error}")


def looks_like_rpc(path: str, content_type: str) -> bool:
    """Return whether a request for no known method is a call of an RPC, rather than for a page."""
    service, _, method = path.strip("/").partition("/")
    if not method or "/" in method:
        return False
    return service.startswith("flyteidl2.") or content_type.startswith("application/")
