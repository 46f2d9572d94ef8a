"""How much a run tries, beside the directed checks, which are always the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """So many of what an exploration tries, and no new one after so many seconds of real time."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The budgets of a run, by the explorations' names."""

    name: str
    budgets: Mapping[str, Budget]


PROFILES = {
    name: Profile(name, {"messages": messages, "histories": histories, "sequences": sequences})
    for name, sequences, histories, messages in (
        ("quick", Budget(150, 12.0), Budget(12, 5.0), Budget(60, 5.0)),
        ("standard", Budget(3_000, 60.0), Budget(300, 15.0), Budget(1_000, 15.0)),
        ("thorough", Budget(1_000_000, 2_400.0), Budget(100_000, 600.0), Budget(100_000, 400.0)),
    )
}
"""`quick` is for each run of a test suite, `standard` takes two minutes with everything, `thorough` an hour."""
DIRECTED = Profile("directed", {})
"""The directed checks alone."""
PROFILES[DIRECTED.name] = DIRECTED
