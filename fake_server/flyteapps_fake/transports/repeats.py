"""Gets that come again: who waits by polling sends the same bytes over and over, and is answered by the same bytes.

An answer is given again as long as the very record that it was made of is the plane's current one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl2.app.app_payload_pb2 import GetRequest
from google.protobuf.message import Message

from flyteapps_fake.plane.wire import field
from flyteapps_fake.transports.wire import decode

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane
    from flyteapps_fake.plane.apps import AppRecord

MOST = 1_000
LARGEST = 16 * 1024
"""How many answers are kept, and how many bytes one may have."""


class Repeats:
    """The answers to the Gets of one server, by the bytes of their requests."""

    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane
        self._known: dict[bytes, tuple[AppRecord, bytes, Message]] = {}

    def answer(self, body: bytes) -> tuple[bytes, Message]:
        """The encoded answer, and the request. Raises RpcError."""
        known = self._known.get(body)
        if known is not None and self._plane.read_again(known[0]):
            return known[1], known[2]
        request = decode(GetRequest, body)
        record = self._plane.read(request)
        answer = field(1, record.encoded)
        if len(answer) <= LARGEST:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[body] = (record, answer, request)
        return answer, request
