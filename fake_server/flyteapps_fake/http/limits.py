"""The limits of a server on streams, connections and time. Values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

CALLS_PER_CONNECTION = 1_000
"""Unary calls of one connection that may be under way beside its streams; HTTP/2 makes clients wait with more."""
KEEP_ALIVE_SECONDS = 75.0
"""Time that a connection may stay open without a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server.

    `streams`: server streams that may be open at once; `streams_per_connection`: of one connection. `request_seconds`:
    time for a whole request to arrive, an upload included; `head_seconds`: for its head.
    """

    streams: int = 20_000
    streams_per_connection: int = 5_000
    request_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.streams < 1 or self.streams_per_connection < 1:
            raise ValueError("a server has to allow at least 1 stream, and 1 a connection")
        if not 0 < self.request_seconds <= 86_400:
            raise ValueError(f"request_seconds must be over 0 and at most a day, not {self.request_seconds!r}")

    @property
    def head_seconds(self) -> float:
        """Seconds for a request's head: a sixth, and at least one."""
        return max(1.0, self.request_seconds / 6)

    @property
    def http2_streams(self) -> int:
        """The limit in HTTP/2's settings: above our own, which refuses with advice, where HTTP/2 makes calls wait."""
        return self.streams_per_connection + CALLS_PER_CONNECTION
