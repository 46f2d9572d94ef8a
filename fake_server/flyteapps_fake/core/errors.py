"""The error of a refused call: one exception, with the RPC code that every transport maps to its own.

No transport's own error type appears in the plane.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from urllib.parse import quote

from google.protobuf.message import Message


class Code(enum.IntEnum):
    """The RPC status codes, with gRPC's numbers (the Connect names are these in lower case)."""

    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


MAX_MESSAGE_CHARACTERS = 2_000
"""Characters of a message."""
MAX_TRAILER_BYTES = 7_168
"""Bytes of a refusal as gRPC's trailers: clients take 8,192, of which 1 KiB is left for what others add."""
MAX_MESSAGE_BYTES = 1_200
"""Bytes of the message of a refusal with details, as gRPC writes it; it stands among the details again."""
MAX_PLAIN_MESSAGE_BYTES = 6_000
"""Bytes of the message of one without."""
STATUS_BYTES = 200
"""Bytes of the names of trailers, and of what wraps details."""
MAX_DETAILS_BYTES = (MAX_TRAILER_BYTES - MAX_MESSAGE_BYTES - STATUS_BYTES) * 3 // 4 - MAX_MESSAGE_BYTES - STATUS_BYTES
"""Bytes of details before base64. What is more is left out; the message has its beginning in words."""
ANY_BYTES = 32
"""Bytes that wrap one detail, besides its type's name."""
MORE = "... ({} more characters)"
SAFE = " !#$&'()*+,-./:;<=>?@[]^_`{|}~\""
"""Characters that gRPC's message has as they are, besides letters and digits."""


class RpcError(Exception):
    """A call that the plane refused; nothing was changed by it.

    `code` is the status, `message` what the caller reads, `details` messages that
    go along as error details (such as `buf.validate.Violations`). Both are cut to
    what gRPC's trailers can carry, so that every transport sends the same.
    `http_headers`: of an answer in HTTP, besides those of its protocol.
    """

    http_headers: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, code: Code, message: str, details: Iterable[Message] = ()) -> None:
        self.details = bounded(details)
        message = shortened(message, MAX_MESSAGE_BYTES if self.details else MAX_PLAIN_MESSAGE_BYTES)
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def percent_encoded(text: str) -> str:
    """Return a message as gRPC writes it."""
    return quote(text, safe=SAFE, errors="replace")


def shortened(message: str, most: int) -> str:
    """Return a message, cut to MAX_MESSAGE_CHARACTERS and to `most` bytes as gRPC writes it, valid in UTF-8."""
    kept = message[:MAX_MESSAGE_CHARACTERS]
    if not kept.isascii():
        kept = kept.encode(errors="replace").decode()
    # one character has at most 12 bytes
    if len(kept) * 12 > most and len(percent_encoded(kept)) > most:
        sizes = list(accumulate(len(percent_encoded(each)) for each in kept))
        kept = kept[: bisect_right(sizes, most - len(MORE.format(len(message))))]
    left = len(message) - len(kept)
    return f"{kept}{MORE.format(left)}" if left else kept


def bounded(details: Iterable[Message]) -> tuple[Message, ...]:
    """Return as many of the details as fit into MAX_DETAILS_BYTES."""
    size = 0
    kept: list[Message] = []
    for detail in details:
        size += detail.ByteSize() + len(detail.DESCRIPTOR.full_name) + ANY_BYTES
        if size > MAX_DETAILS_BYTES:
            break
        kept.append(detail)
    return tuple(kept)
