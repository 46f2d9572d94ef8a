"""How much a run tries, beside the directed checks, which are always the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """So many sequences, and no new one after so many seconds of real time."""

    name: str
    sequences: int
    seconds: float


PROFILES = {
    each.name: each
    for each in (
        Profile("quick", 150, 15.0),
        Profile("standard", 3_000, 90.0),
        Profile("thorough", 1_000_000, 3_300.0),
    )
}
"""`quick` is for each run of a test suite, `standard` takes two minutes with everything, `thorough` an hour."""
