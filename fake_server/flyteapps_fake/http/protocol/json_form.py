"""Messages as JSON and back."""

from __future__ import annotations

import json
from typing import Any, cast

from google.protobuf.json_format import MessageToJson, ParseDict, ParseError, SerializeToJsonError
from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.validation import too_many
from flyteapps_fake.http.protocol.json_shape import count_json, misfit


def to_json(message: Message, indent: int | None = 2) -> bytes:
    """Return the message as JSON. Raises INVALID_ARGUMENT for a number that JSON lacks, such as NaN in a Struct."""
    try:
        return MessageToJson(message, indent=indent).encode()
    except (SerializeToJsonError, ValueError, UnicodeError) as error:
        raise RpcError(Code.INVALID_ARGUMENT, f"JSON can't carry this answer, binary can: {error}") from None


def from_json(message: Message, data: bytes, request_limits: RequestLimits, *, strict: bool = False) -> None:
    """Fill the message from JSON, dropping unknown fields (ID-3). Raises INVALID_ARGUMENT for another shape.

    `strict`: and for unknown fields.
    """
    own = request_limits.decode_json if not strict else None
    try:
        text = data.decode("utf-8-sig") if own is None else data.decode(errors="surrogateescape")
        if count_json(text, request_limits.values) > request_limits.values:
            raise too_many(request_limits.values)
        if own is not None:
            own(text, message)
            return
        parsed = json.loads(text)
        if wrong := misfit(parsed, cast("Any", message).DESCRIPTOR):
            raise ParseError(wrong)
        try:
            ParseDict(parsed, message, ignore_unknown_fields=not strict)
        except SystemError:  # protobuf's, for the name of an enum's value that holds a lone surrogate
            raise ParseError("a name of an enum's value is no valid Unicode") from None
    except (ParseError, ValueError, OverflowError, RecursionError) as error:  # Overflow: Infinity as an enum
        raise RpcError(Code.INVALID_ARGUMENT, request_limits.undecodable(type(message), data, error)) from None
