"""Gets that come again: who waits by polling sends the same bytes over and over, and is answered by the same bytes.

An answer is given again as long as the very record that it was made of is the plane's current one.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import StoredApp
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.protobuf import field

MOST = 1_000
LARGEST_REQUEST = 1024
LARGEST = 16 * 1024
"""How many answers are kept, and how many bytes a request and its answer may have."""


class Repeats:
    """The answers to the Gets of one server, by the bytes of their requests."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._known: dict[bytes, tuple[StoredApp, bytes, Message]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def again(self, body: bytes) -> tuple[bytes, Message] | None:
        """The encoded answer and the request, where both are known and nothing has changed."""
        known = self._known.get(body)
        return known[1:] if known is not None and self._plane.read_again(known[0]) else None

    def first(self, body: bytes, call: Call[Any]) -> bytes:
        """The encoded answer, which is known from now on. Raises RpcError."""
        record = self._plane.read(call)
        answer = field(1, record.encoded)
        if len(answer) <= LARGEST and len(body) <= LARGEST_REQUEST:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[body] = (record, answer, call.request)
        return answer
