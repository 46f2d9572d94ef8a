"""The request limits of the backend's server: almost none; its error texts are those of the Go libraries."""

from __future__ import annotations

import json

from google.protobuf.message import Message

from flyteapps_fake.core.request_limits import Answer, RequestLimits
from flyteapps_fake.flyte_oss.wire.rules import WIRE

MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""The backend has no limit. This one, and that of the values of a request, are the stand-in's own: without them one
client could fill the memory of its machine."""


def _undecodable(message: type[Message], data: bytes, error: Exception | None) -> str:
    name = ".".join(message.DESCRIPTOR.full_name.split(".")[-2:])
    if error is None:
        why = "cannot parse invalid wire-format data"
    elif isinstance(error, json.JSONDecodeError) and error.pos >= len(data.decode(errors="replace").rstrip()):
        why = "unexpected EOF"
    else:
        why = str(error)
    return f"unmarshal message: unmarshal into *{name}: proto: {why}"


LIMITS = RequestLimits(
    request_bytes=MAX_REQUEST_BYTES,
    undecodable=_undecodable,
    no_method=Answer(404, b"text/plain; charset=utf-8", b"404 page not found\n"),
    wire=WIRE,
)
