"""Bytes of one's own on the wire, and what comes back: for checks that no generated client can make.

They go over `Link.wire`. A call that is not answered at all is Broken.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import unquote

from pyqwest import FullResponse, ReadError, RemoteProtocolError, WriteError

from flyteapps_contract.outcomes import Broken, Refused
from flyteapps_contract.session import SERVICE, Session
from flyteapps_contract.targets.target import CALL_SECONDS

PROTO = "application/proto"
JSON = "application/json"
CONNECT_STREAM = "application/connect+proto"
CONNECT_JSON_STREAM = "application/connect+json"
GRPC_WEB = "application/grpc-web+proto"
GRPC = "application/grpc"

COMPRESSED, END_OF_CONNECT, TRAILERS = 0x01, 0x02, 0x80
"""Flags of a frame."""

GRPC_CODES = {
    "0": "OK",
    "2": "UNKNOWN",
    "3": "INVALID_ARGUMENT",
    "4": "DEADLINE_EXCEEDED",
    "5": "NOT_FOUND",
    "8": "RESOURCE_EXHAUSTED",
    "12": "UNIMPLEMENTED",
    "13": "INTERNAL",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `code` is the RPC's, "" where the body tells none, "OK" where it went well.

    `message`: of an RPC's error, "" where none can be read.
    """

    status: int
    code: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    message: str = ""


def post(
    s: Session, method: str, content: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return what a POST to that method of AppService is answered."""
    path = method if "/" in method else f"{SERVICE}/{method}"
    sent = {"content-type": content_type, **(headers or {})}
    with _answered(f"POST {path} as {content_type}"):
        wire = s.plane.link.wire
        response = wire.sync_client().post(f"{wire.url}/{path}", sent, content, timeout=CALL_SECONDS)
    return _read(response)


def get(s: Session, method: str, params: Mapping[str, str]) -> Answer:
    """Return what a GET of that method of AppService is answered."""
    with _answered(f"GET {method}"):
        wire = s.plane.link.wire
        url = f"{wire.url}/{SERVICE}/{method}"
        response = wire.sync_client().get(url, timeout=CALL_SECONDS, params=dict(params))
    return _read(response)


def undecoded(s: Session, method: str, content: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
    """Return what a POST over HTTP/2 is answered, gRPC's trailers included; a compressed body as it was sent."""
    sent = {"content-type": content_type, "te": "trailers", **headers}
    with _answered(f"POST {method} as {content_type} over HTTP/2"):
        wire = replace(s.plane.link.wire, http2=True)
        client = wire.sync_client(decodes=False)
        response = client.post(f"{wire.url}/{SERVICE}/{method}", sent, content, timeout=CALL_SECONDS)
    return _read(response)


def request(s: Session, verb: str, path: str) -> Answer:
    """Return what a request of that HTTP method without a body is answered."""
    with _answered(f"{verb} {path}"):
        wire = s.plane.link.wire
        response = wire.sync_client().execute(verb, f"{wire.url}/{path}", timeout=CALL_SECONDS)
    return _read(response)


def frame(message: bytes, flags: int = 0) -> bytes:
    """Return a message as Connect's streams, gRPC and gRPC-Web send it."""
    return bytes((flags,)) + len(message).to_bytes(4, "big") + message


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """Return the flags and the content of each frame."""
    found: list[tuple[int, bytes]] = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        found.append((body[0], body[5 : 5 + size]))
        body = body[5 + size :]
    return found


def grpc_call(s: Session, method: str, content: bytes, *, gzip: bool = False) -> bytes:
    """Return the bytes that a gRPC call is answered with. Raises Refused."""
    import grpc

    from flyteapps_contract.targets.grpc_channel import refused

    path = f"/{method}" if "/" in method else f"/{SERVICE}/{method}"
    with s.plane.link.wire.channel() as channel:
        call = cast("Any", channel).unary_unary(path)  # grpcio is untyped
        try:
            compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
            return call(content, timeout=CALL_SECONDS, compression=compression)
        except grpc.RpcError as error:
            raise refused(error) from error


def grpc_code(s: Session, method: str, content: bytes, *, gzip: bool = False) -> str:
    """Return the code that a gRPC call ends with, "OK" where it went well."""
    try:
        grpc_call(s, method, content, gzip=gzip)
    except Refused as error:
        return error.code
    return "OK"


@contextmanager
def _answered(what: str) -> Generator[None]:
    try:
        yield
    except (OSError, TimeoutError, ReadError, WriteError, RemoteProtocolError) as error:
        raise Broken(f"{what}: no answer: {error!r}") from error


def _read(response: FullResponse) -> Answer:
    kind = response.headers.get("content-type", "")
    body, code, message = response.content, "OK" if response.status == 200 else "", ""
    if kind.startswith("application/grpc"):
        ends: Mapping[str, str] = {**response.headers, **(response.trailers or {})}
        status, message = ends.get("grpc-status", ""), ends.get("grpc-message", "")
        for flags, content in frames(body) if kind.startswith(f"{GRPC}-web") else ():
            if flags & TRAILERS:
                status = _trailer(content, "grpc-status") or status
                message = _trailer(content, "grpc-message") or message
        code, message = GRPC_CODES.get(status, f"grpc-status {status}"), unquote(message)
    elif kind.startswith("application/connect+"):
        for flags, content in frames(body):
            if flags & END_OF_CONNECT:
                code, message = _error(content, "error")
    elif response.status != 200:
        code, message = _error(body)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, code, body, headers, message)


def _trailer(content: bytes, name: str) -> str:
    for line in content.decode("latin-1").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def _error(body: bytes, *inside: str) -> tuple[str, str]:
    """Return code and message of the error in Connect's JSON: "OK" where none is `inside`, "" without JSON."""
    try:
        error: Any = json.loads(body)
        for name in inside:
            if name not in error:
                return "OK", ""
            error = error[name]
        return str(error["code"]).upper(), str(error.get("message", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", ""
