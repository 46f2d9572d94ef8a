"""How much of a server one client may take, and for how long. Values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

CALLS_PER_CONNECTION = 1_000
"""Unary calls of one connection that may be under way beside its streams; HTTP/2 has clients wait with more."""
KEEP_ALIVE_SECONDS = 75.0
"""How long a connection may stay open without a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server.

    `streams`: server streams that may be open at once; `streams_per_connection`:
    of one connection. `request_seconds`: in which a whole request has to come, an
    upload included; `head_seconds`: its head.
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
        """What HTTP/2 is told: more than our own limit, whose refusal says what to do, where HTTP/2 lets calls wait."""
        return self.streams_per_connection + CALLS_PER_CONNECTION
