"""Answers to repeated Gets: a client that polls sends the same bytes again, and gets the same bytes back.

An answer is reused as long as the record that it was made of is the plane's current one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyteidl2.app.app_payload_pb2 import GetRequest
from google.protobuf.message import Message

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call, Protocol
from flyteapps_fake.core.dialect import StoredApp
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.protobuf import field

MAX_ANSWERS = 1_000
"""Answers that are kept; one more empties the cache."""
MAX_REQUEST_BYTES = 1024
"""Bytes of a request whose answer is kept."""
MAX_ANSWER_BYTES = 16 * 1024
"""Bytes of an answer that is kept."""


class ResponseCache:
    """The answers to the Gets of one server, by the bytes of their requests."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._authentication = plane.authentication
        self._known: dict[bytes, tuple[StoredApp, bytes, GetRequest]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def lookup(self, body: bytes, protocol: Protocol, headers: Mapping[bytes, bytes]) -> tuple[bytes, Message] | None:
        """Return the encoded answer and the request, where both are known and the app hasn't changed.

        `headers`: of the request, whose caller is checked where callers are authenticated.
        """
        known = self._known.get(body)
        if known is None:
            return None
        record, answer, request = known
        caller = None
        if self._authentication is not None:
            caller = self._authentication.recognized(headers, request)
            if caller is None:
                return None
        return (answer, request) if self._plane.read_again(record, answer, protocol, caller) else None

    def read(self, body: bytes, call: Call[Any]) -> bytes:
        """Return the encoded answer of the plane, and keep it. Raises RpcError, Postponed."""
        try:
            record = self._plane.read(call)
        except Postponed as postponed:
            raise postponed.then(lambda record: field(1, record.encoded)) from None
        answer = field(1, record.encoded)
        if len(answer) <= MAX_ANSWER_BYTES and len(body) <= MAX_REQUEST_BYTES:
            if len(self._known) >= MAX_ANSWERS:
                self._known.clear()
            self._known[body] = (record, answer, call.request)
        return answer
