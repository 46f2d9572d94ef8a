"""The request limits of the backend's server: almost none; its error texts are those of the Go libraries."""

from __future__ import annotations

from google.protobuf.message import Message

from flyteapps_fake.core.request_limits import Answer, RequestLimits
from flyteapps_fake.flyte_oss.go_json.decoder import decode_json
from flyteapps_fake.flyte_oss.wire.rules import WIRE

MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""The backend has no limit. This one, and that of the values of a request, are the stand-in's own: without them one
client could fill the memory of its machine."""


def _undecodable(message: type[Message], data: bytes, error: Exception | None) -> str:
    name = ".".join(message.DESCRIPTOR.full_name.split(".")[-2:])
    if error is not None and not data:
        return "unmarshal message: zero-length payload is not a valid JSON object"
    why = error if error is not None else "cannot parse invalid wire-format data"
    return f"unmarshal message: unmarshal into *{name}: proto: {why}"


LIMITS = RequestLimits(
    request_bytes=MAX_REQUEST_BYTES,
    undecodable=_undecodable,
    decode_json=decode_json,
    no_method=Answer(404, b"text/plain; charset=utf-8", b"404 page not found\n"),
    wire=WIRE,
)
