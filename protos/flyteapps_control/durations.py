"""Durations as people write them: seconds, a timedelta, or a text such as "1h30m"."""

from __future__ import annotations

import datetime
import math
import re

SECOND = 1_000_000_000
"""Nanoseconds."""
MAX_SECONDS = 100 * 366 * 86_400
"""A hundred years: longer than any simulation, and far from the end of a timestamp."""
UNITS = {"ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND}
"""Nanoseconds of each unit of a text."""
TEXT = r"([0-9]+([.][0-9]+)?(ms|s|m|h|d))+"
"""The pattern of a duration as a text."""
_MAX_SHOWN = 10**20
_MAX_CHARACTERS = 80
_TEXT = re.compile(TEXT)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")

DurationLike = float | str | datetime.timedelta
"""Seconds, a text such as "90s", "1.5h", "2d12h", or a timedelta."""


def nanoseconds(duration: DurationLike) -> int:
    """Return the duration in nanoseconds. Raises ValueError for one that is negative, invalid or over 100 years."""
    if isinstance(duration, str):
        text = duration.strip()
        if not _TEXT.fullmatch(text):
            raise ValueError(
                f'the duration {_shown(duration)} is invalid: write it as "500ms", "90s", "2m", "1h30m" or "10d"'
            )
        scaled = sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))
    elif isinstance(duration, datetime.timedelta):
        scaled = duration.total_seconds() * SECOND
    elif isinstance(duration, bool) or not isinstance(duration, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        raise ValueError(f"a duration is a number of seconds, a text or a timedelta, not {type(duration).__name__}")
    elif isinstance(duration, float) and not math.isfinite(duration):
        raise ValueError(f"the duration {duration!r} is not finite")
    else:
        scaled = duration * SECOND
    if scaled < 0:
        raise ValueError(f"the duration {_shown(duration)} is negative")
    if scaled > MAX_SECONDS * SECOND:
        raise ValueError(f"the duration {_shown(duration)} is over a hundred years")
    return round(scaled)


def _shown(duration: DurationLike) -> str:
    """Return a duration as messages show it: a number of many digits by their beginning alone, if at all."""
    if isinstance(duration, int) and abs(duration) > _MAX_SHOWN:
        return "of so many seconds"
    shown = repr(duration)
    return shown if len(shown) <= _MAX_CHARACTERS else f"{shown[:_MAX_CHARACTERS]}..."


def text_of(nanos: int) -> str:
    """Return a duration in nanoseconds as a short text that `nanoseconds` takes, such as "1h30m" or "1.064s"."""
    if nanos == 0:
        return "0s"
    parts: list[str] = []
    for unit in ("d", "h", "m"):
        whole, nanos = divmod(nanos, UNITS[unit])
        if whole:
            parts.append(f"{whole}{unit}")
    if nanos >= SECOND:
        parts.append(_decimal(nanos, "s"))
    elif nanos:
        parts.append(_decimal(nanos, "ms"))
    return "".join(parts)


def _decimal(nanos: int, unit: str) -> str:
    """Return nanoseconds in a unit, such as "1.064s", exactly."""
    whole, rest = divmod(nanos, UNITS[unit])
    digits = len(str(UNITS[unit])) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") + unit
