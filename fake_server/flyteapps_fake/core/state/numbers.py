"""The numbers of a plane's state, as those of a document that was edited may be out of range.

A document may have millions of them. Several are first checked as one, `a | b`, which is negative where one of them is,
and beyond a bound where one of them is; the checks by name then find which, if any.
"""

from __future__ import annotations

MAX_COUNT = 1 << 53
"""Bound of what a plane counts: far more than it can, and all JSON parsers read it exactly."""

MAX_REPLICAS = (1 << 31) - 1
"""Bound of the replicas of an app, in messages, too."""


def check_counts(**numbers: int) -> None:
    """Check numbers that a plane counts, by their names. Raises ValueError."""
    for name, number in numbers.items():
        if not 0 <= number <= MAX_COUNT:
            raise ValueError(f"{name}: {number} is out of range")


def check_replicas(**numbers: int) -> None:
    """Check numbers of replicas, by their names. Raises ValueError."""
    for name, number in numbers.items():
        if not 0 <= number <= MAX_REPLICAS:
            raise ValueError(f"{name}: {number} is out of range")


def check_times(**times: int) -> None:
    """Check times in nanoseconds since 1970, by their names. Raises ValueError."""
    for name, time in times.items():
        if time < 0:
            raise ValueError(f"{name}: {time} is before 1970")
