"""What is read of a request before anyone answers it: its frame, its encoding, its headers, its query. No IO."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Mapping
from urllib.parse import parse_qs

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.protocol.compression import gunzip
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, HeaderList, Scope, check_frame, has_trailers
from flyteapps_fake.http.streaming.stream_writer import ENCODINGS

PLAIN = (b"", b"identity")
"""Encodings of what isn't compressed."""
COMPRESSED = 0x01
"""The one flag that a request's frame may have."""
BASE64 = re.compile(r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?\Z")


def unframe(body: bytes, encoding: bytes, cap: int) -> bytes:
    """The one message of a framed request body."""
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
    """The content type whose form a refusal has: the request's, "" for gRPC without HTTP/2, which has no trailers."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    return content_type if scope["http_version"] == "2" or not has_trailers(content_type) else ""


def stream_encoding(headers: Mapping[bytes, bytes], scope: Scope) -> bytes | None:
    """How the one message of a stream's request is compressed; None where connectrpc has to see to the request."""
    content_type = headers.get(b"content-type", b"")
    name = ENCODINGS.get(content_type)
    if name is None or (has_trailers(content_type.decode()) and scope["http_version"] != "2"):
        return None
    encoding = headers.get(name, b"")
    return encoding if encoding in PLAIN or encoding == b"gzip" else None


def check_query(query: bytes) -> None:
    """Refuses a message of a Connect GET that is said to be base64 and isn't."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if given.get("base64") == ["1"] and not all(BASE64.match(each.rstrip("=")) for each in given.get("message", ())):
        raise RpcError(Code.INVALID_ARGUMENT, "the query's message is not base64")


def check_headers(headers: HeaderList) -> None:
    """Refuses what connectrpc would call its own failure."""
    for name, value in headers:
        try:
            value.decode()
        except UnicodeDecodeError:
            raise RpcError(Code.INVALID_ARGUMENT, f"the header {name.decode('latin-1')} is not UTF-8") from None


def refusal_of(error: Exception) -> RpcError:
    """The refusal that a call ends with; what the plane didn't mean is INTERNAL, and its traceback is printed."""
    if isinstance(error, RpcError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return RpcError(Code.INTERNAL, f"a defect of the stand-in: {type(error).__name__}: {error}")


def unreadable(error: Exception) -> RpcError:
    """A call that failed before its request was there: something about its headers."""
    if isinstance(error, RpcError):
        return error
    return RpcError(Code.INVALID_ARGUMENT, f"the request's headers can't be read: {error}")


def looks_like_rpc(path: str, content_type: str) -> bool:
    """Whether it is a call of a method that nobody offers, rather than a page."""
    service, _, method = path.strip("/").partition("/")
    if not method or "/" in method:
        return False
    return service.startswith("flyteidl2.") or content_type.startswith("application/")
