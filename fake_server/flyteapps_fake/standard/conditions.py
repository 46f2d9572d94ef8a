"""The conditions of an app, encoded once, cut and put together without parsing them again.

A report adds one to up to a hundred; only the last is ever looked at on that way.
"""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Condition, Status

from flyteapps_fake.core.protobuf import encode, field, field_head, field_size, read_varint

MAX_CONDITIONS = 100
_FIELD = Status.CONDITIONS_FIELD_NUMBER


class History:
    """The last conditions, the oldest first, as the fields of an encoded Status. Never changed."""

    __slots__ = ("_count", "_last_bytes", "encoded")

    def __init__(self, encoded: bytes = b"", count: int = 0, last_bytes: int = 0) -> None:
        self.encoded = encoded
        self._count = count
        self._last_bytes = last_bytes
        """The size of the last one, without its field's head."""

    @property
    def last_bytes(self) -> int:
        """The size of the last one, without its field's head."""
        return self._last_bytes

    def __len__(self) -> int:
        return self._count

    def last(self) -> Condition:
        """Return the last condition as a message of the caller's own; there has to be one."""
        return Condition.FromString(self.encoded[-self._last_bytes :] if self._last_bytes else b"")

    def append(self, condition: Condition) -> History:
        """Return a history with that one at the end, and without the oldest beyond MAX_CONDITIONS."""
        payload = encode(condition)
        kept, count = self.encoded, self._count + 1
        if count > MAX_CONDITIONS:
            size, start = read_varint(kept, 1)
            kept, count = memoryview(kept)[start + size :], MAX_CONDITIONS
        return History(b"".join((kept, field_head(_FIELD, len(payload)), payload)), count, len(payload))

    def replace_last(self, condition: Condition) -> History:
        """Return a history with that one instead of the last."""
        payload = encode(condition)
        kept = self.encoded[: -field_size(self._last_bytes)]
        return History(kept + field(_FIELD, payload), self._count, len(payload))
