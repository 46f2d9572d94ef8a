"""Requests that are built to be expensive: many elements in few bytes, deep, compressed, in binary and in JSON."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from flyteapps_fake.core.operations import OPERATIONS, Operation
from flyteapps_fake.core.protobuf import varint

MAX_BYTES = 4 * 1024 * 1024
SMALLEST_BYTES = 1024
Path = tuple[FieldDescriptor, ...]


@dataclass(frozen=True, slots=True)
class Expensive:
    """One request; `size`: bytes of its decompressed body; `what`: what is in it, for a failure's message."""

    operation: Operation
    content_type: str
    headers: tuple[tuple[str, str], ...]
    query: str
    body: bytes
    size: int
    what: str

    @property
    def method(self) -> str:
        return "GET" if self.query else "POST"


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def paths_to_many(shape: Descriptor, depth: int = 5) -> list[Path]:
    """Return the paths to the repeated fields and maps of a message."""
    found: list[Path] = []
    for each in shape.fields:
        if each.is_repeated:
            found.append((each,))
        elif each.message_type is not None and depth:
            found += [(each, *rest) for rest in paths_to_many(each.message_type, depth - 1)]
    return found


def _binary(path: Path, content: bytes) -> bytes:
    for each in reversed(path):
        content = field(each.number, content)
    return content


def _json(path: Path, content: str) -> str:
    for each in reversed(path):
        content = f'{{"{each.json_name}":{content}}}'
    return content


def _elements(rng: random.Random, path: Path, size: int) -> bytes:
    """Empty or tiny elements of the field at the end of the way."""
    last = path[-1]
    tag = varint(last.number << 3 | 2)
    element = tag + rng.choice((b"\0", b"\0", b"\x02\x0a\0", b"\x04\x0a\0\x12\0", b"\x02\x08\x01"))
    return _binary(path[:-1], element * max(1, size // len(element)))


def _unknown(rng: random.Random, path: Path, size: int) -> bytes:
    piece = rng.choice((b"\xf8\xd5\x07\x01", b"\xfa\xd5\x07\x00", b"\xf8\xd5\x07\x01\x0a\x00"))
    return _binary(path[:-1], piece * max(1, size // len(piece)))


def _long(rng: random.Random, path: Path, size: int) -> bytes:
    return _binary(path, rng.choice((b"x", b",", b"\x80", b"\0")) * size)


def _deep(rng: random.Random, path: Path, size: int) -> bytes:
    data = b""
    for _ in range(min(size // 8, 5_000)):
        data = field(rng.choice((1, 2, 6)), data)
    return _binary(path[:-1], data)


def _json_elements(rng: random.Random, path: Path, size: int) -> bytes:
    element = rng.choice(("{}", "null", '""', "[]", "0", '{"name":""}', "{}" * 3))
    return _json(path, f"[{','.join([element] * max(1, size // (len(element) + 1)))}]").encode()


def _json_map(rng: random.Random, path: Path, size: int) -> bytes:
    value = rng.choice(('""', "{}", "0", "null"))
    count = max(1, size // 12)
    return _json(path, "{" + ",".join(f'"{number:x}":{value}' for number in range(count)) + "}").encode()


def _json_text(rng: random.Random, path: Path, size: int) -> bytes:
    return _json(path, json.dumps(rng.choice(("x", ',{["', "\\", "\u20ac")) * (size // 6))).encode()


def _json_deep(rng: random.Random, path: Path, size: int) -> bytes:
    opening = rng.choice(("[", '{"a":', '{"listValue":{"values":['))
    return _json(path, opening * (size // len(opening))).encode()


Maker = Callable[[random.Random, Path, int], bytes]
BINARY: tuple[Maker, ...] = (_elements, _elements, _unknown, _long, _deep)
JSON: tuple[Maker, ...] = (_json_elements, _json_elements, _json_map, _json_text, _json_deep)
_PATHS: dict[str, list[Path]] = {
    path: paths_to_many(shape) or [(shape.fields[0],)]
    for path, shape in ((path, cast("Any", operation.request).DESCRIPTOR) for path, operation in OPERATIONS.items())
}


def draw(rng: random.Random, operation: Operation, largest: int = MAX_BYTES) -> Expensive:
    """Return a request to that RPC."""
    in_json = rng.random() < 0.5
    maker = rng.choice(JSON if in_json else BINARY)
    size = min(largest - 64, int(SMALLEST_BYTES * 2 ** rng.uniform(0, 12)))
    data = maker(rng, rng.choice(_PATHS[operation.path]), size)[:MAX_BYTES]
    codec = "json" if in_json else "proto"
    what = f"{operation.method}: {maker.__name__}, {len(data):,} bytes, {data[:60]!r}"
    packed = rng.random() < 0.6
    members = rng.choice((1, 1, 2, 5_000)) if packed else 0
    body = _zipped(data, members) if packed else data
    if operation.no_side_effects and not operation.streaming and rng.random() < 0.3:
        message = base64.urlsafe_b64encode(body).decode().rstrip("=")
        if len(message) < 30_000:
            query = f"connect=v1&encoding={codec}&base64=1{'&compression=gzip' if packed else ''}&message={message}"
            return Expensive(operation, "", (), query, b"", len(data), f"{what} by GET")
    framed = operation.streaming or rng.random() < 0.4
    if not framed:
        headers = (("content-encoding", "gzip"),) if packed else ()
        return Expensive(operation, f"application/{codec}", headers, "", body, len(data), what)
    kind = rng.choice(("grpc-web", "connect") if operation.streaming else ("grpc-web",))
    name = "connect-content-encoding" if kind == "connect" else "grpc-encoding"
    headers = ((name, "gzip"),) if packed else ()
    timeout = (("connect-timeout-ms", "5"),) if kind == "connect" else (("grpc-timeout", "5m"),)
    body = bytes((packed,)) + len(body).to_bytes(4, "big") + body
    return Expensive(operation, f"application/{kind}+{codec}", (*headers, *timeout), "", body, len(data), what)


def _zipped(data: bytes, members: int) -> bytes:
    if members <= 2:
        cut = len(data) // members
        return b"".join(gzip.compress(part, 1) for part in (data[:cut], data[cut:]) if part) or gzip.compress(b"")
    return gzip.compress(data, 1) + gzip.compress(b"") * members


def allowed_seconds(size: int) -> float:
    """Return CPU seconds that a request of so many decompressed bytes may cost."""
    return 0.05 + 0.02 * size / 1024


def bytes_of(request: Any) -> int:
    return len(request.body) + len(request.query)
