"""The Connect protocol on HTTP exchanges: messages as binary or JSON, plain or gzip, errors, enveloped streams."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from flyteapps_contract.clients.scripted.http import Exchange, Request
from flyteapps_contract.outcomes import Refused

M = TypeVar("M", bound=Message)

COMPRESSED, END = 1, 2
PREFIX = 5
"""Bytes before each message of a stream: its flags, and its length in four."""

STATUS = {
    "CANCELED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}
"""The HTTP status of each error code; 500 for those that are missing."""


def method_of(request: Request) -> str:
    """Return the RPC's path: service and method."""
    return urlsplit(request.target).path.strip("/")


def unary_request(request: Request, kind: type[M]) -> M:
    """Return the message of a unary call. Raises Refused."""
    if request.method == "GET":
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.target).query).items()}
        text = query.get("message", "")
        body = base64.urlsafe_b64decode(text + "===") if query.get("base64") == "1" else text.encode()
        return _decoded(body, query.get("compression", ""), query.get("encoding", "") == "json", kind)
    encoding = request.headers.get("content-encoding", "")
    return _decoded(request.body, encoding, _is_json(request), kind)


def stream_request(request: Request, kind: type[M]) -> M:
    """Return the one message that opens a server stream. Raises Refused."""
    if len(request.body) < PREFIX:
        raise Refused("INVALID_ARGUMENT", "the request holds no message")
    flags, body = request.body[0], request.body[PREFIX:]
    encoding = request.headers.get("connect-content-encoding", "") if flags & COMPRESSED else ""
    return _decoded(body, encoding, _is_json(request), kind)


async def answer(exchange: Exchange, message: Message) -> None:
    """Send the response of a unary call, in the caller's own codec."""
    as_json = _is_json(exchange.request) or "encoding=json" in exchange.request.target
    await exchange.answer(200, {"content-type": f"application/{_codec(as_json)}"}, _encoded(message, as_json))


async def refuse(exchange: Exchange, error: Refused) -> None:
    """Send the error of a unary call."""
    body = json.dumps(_error(error)).encode()
    await exchange.answer(STATUS.get(error.code, 500), {"content-type": "application/json"}, body)


async def open_stream(exchange: Exchange) -> None:
    """Begin the answer of a server stream."""
    await exchange.open({"content-type": f"application/connect+{_codec(_is_json(exchange.request))}"})


async def send(exchange: Exchange, message: Message) -> None:
    """Send one message of a stream."""
    body = _encoded(message, _is_json(exchange.request))
    await exchange.send(bytes([0]) + len(body).to_bytes(PREFIX - 1, "big") + body)


async def end_stream(exchange: Exchange, error: Refused | None) -> None:
    """Send the end of a stream, as the protocol wants it."""
    body = json.dumps({"error": _error(error)} if error else {}).encode()
    await exchange.send(bytes([END]) + len(body).to_bytes(PREFIX - 1, "big") + body)
    await exchange.finish()


def _decoded(body: bytes, encoding: str, as_json: bool, kind: type[M]) -> M:
    message = kind()
    try:
        plain = gzip.decompress(body) if encoding == "gzip" else body
        if as_json:
            json_format.Parse(plain, message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(plain)
    except (DecodeError, json_format.ParseError, OSError, EOFError) as error:
        raise Refused("INVALID_ARGUMENT", f"the request can't be decoded: {error}") from error
    return message


def _encoded(message: Message, as_json: bool) -> bytes:
    return json_format.MessageToJson(message).encode() if as_json else message.SerializeToString()


def _is_json(request: Request) -> bool:
    return "json" in request.headers.get("content-type", "")


def _codec(as_json: bool) -> str:
    return "json" if as_json else "proto"


def _error(error: Refused) -> dict[str, str]:
    return {"code": error.code.lower(), "message": error.message}
