"""The request limits of a plane's servers, and how they refuse requests that they can't decode. No IO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.message import Message

from flyteapps_fake.core.rules.wire import WireRules
from flyteapps_fake.core.validation import MAX_REQUEST, MAX_VALUES


class Answer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    content_type: bytes
    body: bytes


def _undecodable(message: type[Message], data: bytes, error: Exception | None) -> str:
    why = f": {error}" if error is not None else ""
    return f"the request can't be decoded as {message.DESCRIPTOR.full_name}{why}"


_STANDARD = WireRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """The request limits and the decoding errors of one plane's servers.

    `request_bytes`: that a request may have, decompressed; `values`: fields, list elements and map entries of one.
    `undecodable`: what is said of bytes that are no such message, given them, the message's type and, of JSON, what is
    wrong with them.
    `decode_json`: fills a message from JSON, in which bytes that are no UTF-8 are surrogates, or raises ValueError;
    None for Python's own decoder.
    `no_method`: the response to an unknown method, None for UNIMPLEMENTED in the caller's protocol.
    `wire`: the rules of the protocols themselves.
    """

    request_bytes: int = MAX_REQUEST
    values: int = MAX_VALUES
    undecodable: Callable[[type[Message], bytes, Exception | None], str] = _undecodable
    decode_json: Callable[[str, Message], None] | None = None
    no_method: Answer | None = None
    wire: WireRules = _STANDARD
