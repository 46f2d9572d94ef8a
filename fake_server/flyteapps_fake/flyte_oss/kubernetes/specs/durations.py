"""Durations as Go has them: 64 bits of nanoseconds, and their text."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from flyteapps_fake.core.time.clock import SECOND

MAX_NS = 2**63 - 1
_UNITS = (("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


def nanoseconds(duration: Duration) -> int:
    """Return the length of a duration; one that is too long for Go is the longest that it has."""
    return max(-MAX_NS - 1, min(MAX_NS, duration.seconds * SECOND + duration.nanos))


def text(ns: int) -> str:
    """Return a duration's text, such as 1h0m0s, 7.5s or 20ms."""
    sign, rest = ("-" if ns < 0 else ""), abs(ns)
    if not rest:
        return "0s"
    if rest < SECOND:
        unit, size = next((unit, size) for unit, size in _UNITS if rest >= size)
        return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    above = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{above}{_decimal(rest, SECOND)}s"


def _decimal(value: int, unit: int) -> str:
    """Return value / unit in full, without zeros at its end."""
    whole, part = divmod(value, unit)
    if not part:
        return str(whole)
    return f"{whole}.{part:0{len(str(unit)) - 1}d}".rstrip("0")
