"""Random and mutated requests from a seed, to all that a server offers, in every protocol, whole or broken."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToJson, SerializeToJsonError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from flyteapps_fake.http.endpoints import Endpoint, Unary

from .messages_of import NAMES, WORDS

UNARY = ("application/proto", "application/json", "application/json; charset=utf-8", "application/JSON")
FRAMED = (
    *("application/grpc", "application/grpc+proto", "application/grpc+json"),
    *("application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"),
    *("application/connect+proto", "application/connect+json", "Application/Connect+JSON"),
)
ODD = ("", "text/plain", "application/xml", "json", "proto", "application/grpc-web-text", "application/grpc+", "a/b;c")
ENCODINGS = (None, None, None, "gzip", "identity", "", "klingon", "GZIP", "br")
ENCODED_BY = ("content-encoding", "grpc-encoding", "connect-content-encoding")
USUAL = {**WORDS, "name": NAMES, "rpc": ("*", "Create", "Get", "Watch", "Token", "Upload")}
"""Values that texts often have, by the field's name."""
FLAGS = (0, 0, 0, 0, 0, 0, 1, 2, 0x51, 0x80, 0x81, 0xFD, 0xFF)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `framed`: its content type is one of frames."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def content_type(self) -> str:
        return dict(self.headers).get("content-type", "")


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few of them changed, inserted, left out, doubled or cut off."""
    result = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(result))
        match rng.randrange(5):
            case 0 if at < len(result):
                result[at] = rng.randrange(256)
            case 1:
                result[at:at] = rng.randbytes(rng.randint(1, 4))
            case 2:
                del result[at : at + rng.randint(1, 8)]
            case 3:
                del result[at:]
            case _:
                result += result[at:]
    return bytes(result)


class Requests:
    """Draws requests to those endpoints."""

    def __init__(
        self, endpoints: Mapping[str, Endpoint], rng: random.Random, *, filled: float = 0.1, limited: bool = False
    ) -> None:
        """Prepare. `filled`: the share of unusual fields that are set. `limited`: every call has a short deadline."""
        self._endpoints = [endpoints[path] for path in sorted(endpoints)]
        self._rng = rng
        self._filled = filled
        self._limited = limited

    def draw(self) -> Request:
        rng = self._rng
        endpoint = rng.choice(self._endpoints)
        message = self._message(cast("Any", endpoint.operation.request).DESCRIPTOR, 4)
        natural = UNARY if isinstance(endpoint, Unary) else FRAMED
        kind = rng.choice(rng.choice((natural, natural, natural, FRAMED, UNARY, ODD)))
        data = self._bytes(message, kind)
        headers = [("content-type", kind)]
        if isinstance(endpoint, Unary) and endpoint.operation.no_side_effects and rng.random() < 0.1:
            return self._get(endpoint, data, kind)
        zipped = rng.random() < 0.2
        encoding = "gzip" if zipped and rng.random() < 0.8 else rng.choice(ENCODINGS)
        if encoding is not None:
            fitting = "connect-content-encoding" if "connect+" in kind else "grpc-encoding"
            fitting = fitting if kind in FRAMED else "content-encoding"
            headers.append((fitting if rng.random() < 0.9 else rng.choice(ENCODED_BY), encoding))
        if zipped:
            data = gzip.compress(data, 1)
        if kind in FRAMED and rng.random() < 0.95:
            data = self._framed(data, zipped)
        if rng.random() < 0.3:
            data = mutated(rng, data)
        if rng.random() < 0.05 and not self._limited:
            headers.append(
                (rng.choice(("grpc-timeout", "connect-timeout-ms")), rng.choice(("1S", "1000", "x", "0n", "")))
            )
        elif self._limited or not isinstance(endpoint, Unary):
            web = kind.lower().startswith("application/grpc")
            ms = 20 if self._limited else 2
            headers.append(("grpc-timeout", f"{ms}m") if web else ("connect-timeout-ms", str(ms)))
        path = (
            endpoint.operation.path
            if rng.random() < 0.98
            else endpoint.operation.path + rng.choice(("x", "/", "/y", "%20"))
        )
        method = "POST" if rng.random() < 0.97 else rng.choice(("PUT", "DELETE", "OPTIONS", "HEAD"))
        return Request(method, path, "", tuple(headers), data)

    def _get(self, endpoint: Endpoint, data: bytes, kind: str) -> Request:
        rng = self._rng
        codec = "json" if "json" in kind.lower() else rng.choice(("proto", "proto", "json", "x"))
        query = [("connect", "v1"), ("encoding", codec)]
        if rng.random() < 0.3:
            data = gzip.compress(data, 1)
            query.append(("compression", rng.choice(("gzip", "gzip", "identity", "br"))))
        if rng.random() < 0.8:
            query.append(("base64", "1"))
            text = base64.urlsafe_b64encode(mutated(rng, data) if rng.random() < 0.3 else data).decode().rstrip("=")
        else:
            text = quote(data)
        if rng.random() < 0.95:
            query.append(("message", text))
        rng.shuffle(query)
        return Request("GET", endpoint.operation.path, "&".join(f"{name}={value}" for name, value in query), (), b"")

    def _framed(self, data: bytes, zipped: bool) -> bytes:
        rng = self._rng
        flags = int(zipped) if rng.random() < 0.8 else rng.choice(FLAGS)
        if rng.random() < 0.1:
            data = b""
        size = len(data) if rng.random() < 0.97 else rng.choice((0, 1, len(data) + 1, 2**32 - 1))
        framed = bytes((flags,)) + size.to_bytes(4, "big") + data
        return framed * (1 if rng.random() < 0.97 else rng.choice((0, 2, 3)))

    def _bytes(self, message: Message, kind: str) -> bytes:
        if "json" not in kind.lower():
            return message.SerializeToString()
        try:
            text = MessageToJson(message, indent=None)
        except (SerializeToJsonError, ValueError):
            return b"{}"
        if self._rng.random() < 0.1:
            text = self._other_shape(text)
        return text.encode(errors="replace")

    def _other_shape(self, text: str) -> str:
        rng = self._rng
        found: Any = json.loads(text)
        if isinstance(found, dict) and found:
            name = rng.choice(sorted(found))
            found[name] = rng.choice((None, 1, 1e400, "x", [], {}, [[]], {"a": []}, True, "\ud800"))
        return json.dumps(found)

    def _message(self, shape: Descriptor, depth: int) -> Message:
        message = GetMessageClass(shape)()
        for field in shape.fields:
            usual = field.name in ("app", "app_id", "id", "metadata", "spec", "container", "image", "name", *WORDS)
            if self._rng.random() < (0.75 if usual else self._filled):
                self._fill(message, field, depth)
        return message

    def _fill(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        shape = field.message_type
        if shape is not None and depth == 0:
            return
        target: Any = getattr(message, field.name)
        count = self._rng.randint(0, 2)
        if shape is not None and shape.GetOptions().map_entry:
            key, value = shape.fields_by_name["key"], shape.fields_by_name["value"]
            for _ in range(count):
                if value.message_type is None:
                    target[self._scalar(key)] = self._scalar(value)
                else:
                    target[self._scalar(key)].CopyFrom(self._message(value.message_type, depth - 1))
        elif field.is_repeated:
            for _ in range(count):
                target.append(self._scalar(field) if shape is None else self._message(shape, depth - 1))
        elif shape is not None:
            target.CopyFrom(self._message(shape, depth - 1))
            target.SetInParent()
        else:
            setattr(message, field.name, self._scalar(field))

    def _scalar(self, field: FieldDescriptor) -> Any:
        rng = self._rng
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return rng.randbytes(rng.randrange(8))
            case FieldDescriptor.CPPTYPE_STRING:
                usual = USUAL.get(field.name, ())
                if usual and rng.random() < 0.9:
                    return rng.choice(usual)
                return "".join(
                    chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) for _ in range(rng.randrange(9))
                )
            case FieldDescriptor.CPPTYPE_BOOL:
                return rng.random() < 0.5
            case FieldDescriptor.CPPTYPE_ENUM:
                return rng.choice([*(value.number for value in field.enum_type.values), rng.randrange(100)])  # type: ignore[union-attr]
            case FieldDescriptor.CPPTYPE_FLOAT | FieldDescriptor.CPPTYPE_DOUBLE:
                return rng.choice((0.0, 1.5, -2.0, float("nan"), float("inf")))
            case FieldDescriptor.CPPTYPE_INT32:
                return rng.choice((0, 1, 2, -1, 2**31 - 1, -(2**31)))
            case FieldDescriptor.CPPTYPE_INT64:
                return rng.choice((0, 1, 2, -1, 2**63 - 1, -(2**63)))
            case FieldDescriptor.CPPTYPE_UINT32:
                return rng.choice((0, 1, 2, 2**32 - 1))
            case _:
                return rng.choice((0, 1, 2, 2**64 - 1))
