"""The time at which a plane's clock begins, as users write it."""

from __future__ import annotations

import datetime

FIRST = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
LAST = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
_WANTED = 'it should be such as "2026-12-24T09:00:00Z"'


def start_nanoseconds(start: datetime.datetime | str) -> int:
    """Return a time, a datetime or a text of ISO 8601, in nanoseconds since 1970. Raises ValueError."""
    if isinstance(start, str):
        try:
            moment = datetime.datetime.fromisoformat(start)
        except ValueError:
            raise ValueError(f"start_time {start!r} is no time: {_WANTED}") from None
    elif isinstance(start, datetime.datetime):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        moment = start
    else:
        raise ValueError(f"start_time must be a datetime or a text, not {type(start).__name__}: {_WANTED}")
    if moment.tzinfo is None:
        raise ValueError(f"start_time {str(start)!r} has no time zone: {_WANTED}")
    if not FIRST <= moment < LAST:
        raise ValueError(f"start_time must be from {FIRST.year} to {LAST.year - 1}, not {str(start)!r}")
    return (moment - FIRST) // datetime.timedelta(microseconds=1) * 1_000
