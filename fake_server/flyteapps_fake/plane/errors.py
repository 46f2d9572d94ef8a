"""What the plane answers when it refuses: one exception, with the RPC code that every transport maps to its own.

No transport's own error type appears in the plane.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

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


LONGEST_MESSAGE = 2_000
"""Characters: gRPC carries a message in trailers, of which clients take 8 to 16 KB."""


class RpcError(Exception):
    """A call that the plane refused; nothing was changed by it.

    `code` is the status, `message` what the caller reads, `details` messages that
    go along as error details (such as `buf.validate.Violations`).
    """

    def __init__(self, code: Code, message: str, details: Iterable[Message] = ()) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[:LONGEST_MESSAGE]}... ({len(message) - LONGEST_MESSAGE} more characters)"
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"
