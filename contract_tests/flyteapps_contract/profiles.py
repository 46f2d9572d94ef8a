"""The budgets of a run, beside the directed checks, which are always the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS

MIN_SECONDS = 3.0
"""Seconds for each exploration, however long the directed checks took."""
MIN_SHARE = 0.33
"""The share of its own time that each exploration has likewise."""
SHARES = {FLYTE_OSS: 0.25}
"""The share of a profile's floor that is asked of a dialect: all where it isn't there.

On a plane with a real clock the checks of flyte-oss wait a minute for apps to start, which leaves sequences a third of
their time; each of its writes takes some milliseconds at the cluster.
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many of what an exploration tries, and no new one after so many seconds of real time."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Floor:
    """The evidence under which a guarantee is hardly tried.

    It holds if this `share` of its checks held, those that the target doesn't offer counted, or so many `drawn`
    attempts came to it; and if each exploration that speaks of it made so many `attempts`, by its name.
    """

    share: float = 0.5
    drawn: int = 0
    attempts: Mapping[str, int] = field(default_factory=dict[str, int])

    def of_dialect(self, dialect: str) -> Floor:
        """Return the floor that is asked of that dialect."""
        share = SHARES.get(dialect, 1.0)
        attempts = {name: math.ceil(count * share) for name, count in self.attempts.items()}
        return Floor(self.share, math.ceil(self.drawn * share), attempts)


@dataclass(frozen=True, slots=True)
class Profile:
    """The budgets of a run, by the explorations' names, and the seconds that it may take with its directed checks."""

    name: str
    budgets: Mapping[str, Budget]
    seconds: float = math.inf
    floor: Floor = Floor()  # it is frozen

    def within(self, name: str, seconds: float) -> Budget:
        """Return the share of an exploration where so many seconds are left for it and those after it."""
        names = list(self.budgets)
        after = sum(self.budgets[each].seconds for each in names[names.index(name) :])
        budget = self.budgets[name]
        share = max(seconds * budget.seconds / after, MIN_SECONDS, budget.seconds * MIN_SHARE)
        return Budget(budget.count, min(budget.seconds, share))


PROFILES = {
    name: Profile(
        name,
        {"messages": messages, "histories": histories, "sequences": sequences},
        seconds,
        Floor(drawn=drawn, attempts={"messages": drawn // 2, "histories": drawn // 10, "sequences": drawn}),
    )
    for name, seconds, drawn, sequences, histories, messages in (
        ("quick", 90.0, 10, Budget(150, 12.0), Budget(12, 5.0), Budget(60, 5.0)),
        ("standard", 105.0, 100, Budget(3_000, 60.0), Budget(300, 15.0), Budget(1_000, 15.0)),
        ("thorough", 3_600.0, 1_000, Budget(1_000_000, 2_400.0), Budget(100_000, 600.0), Budget(100_000, 400.0)),
    )
}
"""`quick` is for each run of a test suite, `standard` takes two minutes with everything, `thorough` an hour."""
DIRECTED = Profile("directed", {}, floor=Floor(drawn=1))
"""The directed checks alone."""
PROFILES[DIRECTED.name] = DIRECTED
