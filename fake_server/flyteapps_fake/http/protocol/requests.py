"""The checks of a request before it is decoded: its frame, encoding, headers and query. No IO."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlencode

from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.rules.wire import Framing, WireRules
from flyteapps_fake.http.protocol.compression import gunzip
from flyteapps_fake.http.protocol.wire import FRAME_HEAD, HeaderList, Scope, check_frame, decode, frame, has_trailers

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


VERSION, VERSION_HEADER = b"1", b"connect-protocol-version"
MAX_CHECKED_BYTES = 64 * 1024
"""Bytes of a message that is decoded for its own error before the error of what follows it is raised."""
OPTIONAL_HEADERS = frozenset((VERSION_HEADER, b"content-encoding", *ENCODING_HEADERS.values()))
"""The headers that connectrpc reads and that some rules take for absent where they are empty."""
JSON_CHARSET = re.compile(r"\s*charset\s*=\s*(\"?)utf-8\1\s*;?\s*\Z", re.IGNORECASE)
"""The one parameter of a content type that means what the type alone means."""


def unframe(body: bytes, encoding: bytes, cap: int) -> bytes:
    """Return the one message of a framed request body."""
    if body[:1] == b"\0" and len(body) == FRAME_HEAD + int.from_bytes(body[1:FRAME_HEAD], "big"):
        return body[FRAME_HEAD:]
    check_flags(body, encoding)
    return gunzip(body[FRAME_HEAD:], cap)


def message_of(
    body: bytes, encoding: bytes, limits: RequestLimits, content_type: bytes, message_type: type[Message]
) -> bytes:
    """Return the one message of a framed request body in binary, by the rules of a plane's servers."""
    if limits.wire.one_message is None:
        return unframe(body, encoding, limits.request_bytes)
    if body[:1] == b"\0" and len(body) == FRAME_HEAD + int.from_bytes(body[1:FRAME_HEAD], "big"):
        return body[FRAME_HEAD:]
    data, compressed, following = limits.wire.one_message(
        body, framing_of(content_type.decode("latin-1")), encoding == b"gzip"
    )
    message = gunzip(data, limits.request_bytes) if compressed else data
    if following is not None:
        decode(message_type, message, limits)
        raise following
    return message


def one_frame(
    body: bytes, encoding: bytes, limits: RequestLimits, content_type: str, decoded: Callable[[bytes], object]
) -> bytes:
    """Return a framed request body that has one message, in a frame of its own. Raises RpcError for any other."""
    if limits.wire.versions and encoding not in PLAIN and encoding != b"gzip":
        shown = encoding[:40].decode("latin-1")
        raise RpcError(Code.UNIMPLEMENTED, f'unknown compression "{shown}": supported encodings are gzip')
    if limits.wire.one_message is None:
        check_flags(body, encoding)
        return body
    data, compressed, following = limits.wire.one_message(body, framing_of(content_type), encoding == b"gzip")
    if following is not None:
        if data and not compressed and len(data) <= MAX_CHECKED_BYTES:  # others would need the turn of large requests
            decoded(data)
        raise following
    return frame(data, COMPRESSED if compressed and data else 0)


def framing_of(content_type: str) -> Framing:
    """Return the protocol of the frames in a body of that content type."""
    if content_type.startswith("application/connect+"):
        return "connect"
    return "grpc-web" if content_type.startswith("application/grpc-web") else "grpc"


def is_acceptable(content_type: str, rules: WireRules, *, streaming: bool) -> bool:
    """Return whether the rules have that content type, which may name UTF-8 as the charset of JSON."""
    types = rules.types(streaming=streaming)
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if not types:
        return kind.startswith("application/")
    return kind in types and (
        not parameters.strip() or (kind.endswith("json") and JSON_CHARSET.match(parameters) is not None)
    )


def accept_post(rules: WireRules, *, streaming: bool) -> HeaderList:
    """Return the header of a 415 that names the content types of a method, none where connectrpc names them."""
    types = rules.types(streaming=streaming)
    if not types:
        return []
    utf8 = [f"{kind}; charset=utf-8" for kind in types if kind.endswith("json")]
    return [(b"accept-post", ", ".join(sorted([*types, *utf8])).encode())]


def check_version(headers: Mapping[bytes, bytes], rules: WireRules) -> None:
    """Refuse a call of another version of Connect than 1, where the rules have it."""
    version = headers.get(VERSION_HEADER, VERSION)
    if rules.versions and version not in (b"", VERSION):
        shown = version[:40].decode("latin-1")
        raise RpcError(Code.INVALID_ARGUMENT, f'Connect-Protocol-Version must be "1": got "{shown}"')


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


def check_query(query: bytes, rules: WireRules) -> bytes:
    """Return the query of a Connect GET for connectrpc. Raises RpcError where its message is no base64 as declared.

    By some rules also for another version, and an empty compression is none.
    """
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if rules.base64 is None:
        messages = given.get("message", ())
        if given.get("base64") == ["1"] and not all(BASE64.match(each.rstrip("=")) for each in messages):
            raise RpcError(Code.INVALID_ARGUMENT, "the query's message is not base64")
        return query
    first = {name: values[0] for name, values in given.items()}
    if rules.empty_is_absent and not first.get("compression", "x"):
        del first["compression"]
    version = first.get("connect", "")
    if rules.versions and version not in ("", "v1") and first.get("compression") in (None, "identity", "gzip"):
        raise RpcError(Code.INVALID_ARGUMENT, f'connect must be "v1": got "{version[:40]}"')
    if first.get("base64") == "1" and (error := rules.base64(first.get("message", ""))) is not None:
        raise error
    return urlencode(first).encode()


def encoding_of_query(query: bytes) -> str:
    """Return the codec that a Connect GET names, "" for none."""
    return parse_qs(query.decode("latin-1")).get("encoding", [""])[0]


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
