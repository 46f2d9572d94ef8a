"""A run's outcomes, guarantee by guarantee: what every report is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flyteapps_contract.catalogue.standard import Guarantee
from flyteapps_contract.outcomes import Outcome, Verdict, verdict_of


@dataclass(frozen=True, slots=True)
class Line:
    """One guarantee and what its checks came to."""

    guarantee: Guarantee
    outcomes: tuple[Outcome, ...]

    @property
    def verdict(self) -> Verdict:
        """The guarantee's verdict."""
        return verdict_of(self.outcomes)

    @property
    def seconds(self) -> float:
        """The duration of its checks."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def reasons(self) -> list[str]:
        """Return why it isn't more than its verdict: the checks that decided it, and those that could not run."""
        said = (self.verdict, Verdict.NOT_OFFERED, Verdict.DEVIATES)
        shown = [each for each in self.outcomes if each.reason and each.verdict in said]
        return [f"{each.check}: {each.reason}" if each.check else each.reason for each in shown]

    def share(self) -> str:
        """Return how many of its checks hold, and what else was tried, such as "3 of 4, 150 sequences"."""
        checks = [each for each in self.outcomes if each.check and not each.tried]
        held = sum(outcome.verdict is Verdict.HOLDS for outcome in checks)
        tried = [each.tried for each in self.outcomes if each.tried]
        return ", ".join([*([f"{held} of {len(checks)}"] if checks else []), *dict.fromkeys(tried)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A whole run. `trouble`: why it ended early, "" where it didn't; by the seed its explorations can be repeated."""

    target: str
    dialect: str
    prefix: str
    lines: Sequence[Line]
    seconds: float
    trouble: str = ""
    profile: str = ""
    seed: int = 0

    def counts(self) -> Counter[Verdict]:
        """Return how many guarantees came to which verdict."""
        return Counter(line.verdict for line in self.lines)

    @property
    def exit_code(self) -> int:
        """0 holds, 1 broken, 2 could not judge."""
        counts = self.counts()
        if counts[Verdict.BROKEN]:
            return 1
        judged = counts[Verdict.HOLDS] + counts[Verdict.DEVIATES]
        return 2 if self.trouble or counts[Verdict.UNJUDGED] or not judged else 0


def summarize(guarantees: Sequence[Guarantee], outcomes: Sequence[Outcome]) -> list[Line]:
    """Return the guarantees with the outcomes that speak of them."""
    return [
        Line(guarantee, tuple(outcome for outcome in outcomes if guarantee.id in outcome.guarantees))
        for guarantee in guarantees
    ]
