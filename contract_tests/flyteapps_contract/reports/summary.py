"""A run's outcomes, guarantee by guarantee: what every report is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flyteapps_contract.catalogue.standard import Guarantee
from flyteapps_contract.evidence import Evidence, evidence_of, weighed
from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.profiles import Floor
from flyteapps_contract.reports.findings import Finding, findings


@dataclass(frozen=True, slots=True)
class Line:
    """One guarantee and what its checks came to."""

    guarantee: Guarantee
    outcomes: tuple[Outcome, ...]
    floor: Floor = Floor()  # noqa: RUF009  # it is frozen

    @property
    def verdict(self) -> Verdict:
        """The guarantee's verdict."""
        return weighed(self.guarantee.id, self.outcomes, self.floor)

    @property
    def evidence(self) -> Evidence:
        """The evidence for the guarantee."""
        return evidence_of(self.guarantee.id, self.outcomes, self.floor)

    @property
    def seconds(self) -> float:
        """The duration of its checks."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def reasons(self) -> list[str]:
        """Return why it isn't more than its verdict: the checks that decided it, and those that could not run."""
        return [_reason(each) for each in self.deciding()]

    def deciding(self) -> list[Outcome]:
        """Return the outcomes that decided the verdict, and those of checks that could not run, with a reason."""
        said = (self.verdict, Verdict.NOT_OFFERED, Verdict.DEVIATES, Verdict.HARDLY)
        return [each for each in self.outcomes if each.reason and each.verdict in said]

    def follows_from(self) -> tuple[str, ...]:
        """Return the broken guarantees that explain what this one came to."""
        if self.verdict not in (Verdict.FOLLOWS, Verdict.UNJUDGED):
            return ()
        found = [each.follows_from for each in self.outcomes if each.verdict is self.verdict]
        return tuple(dict.fromkeys(each for each in found if each))

    def share(self) -> str:
        """Return how many of its checks hold, and what else came to it, such as "3 of 4, 41 sequences"."""
        return str(self.evidence)


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

    def findings(self) -> list[Finding]:
        """Return the broken guarantees with what follows from each, the likeliest cause first."""
        judged = frozenset(line.guarantee.id for line in self.lines)
        return findings(list(dict.fromkeys(outcome for line in self.lines for outcome in line.outcomes)), judged)

    @property
    def exit_code(self) -> int:
        """0 holds, 1 broken, 2 could not judge."""
        counts = self.counts()
        if counts[Verdict.BROKEN] or counts[Verdict.FOLLOWS]:
            return 1
        judged = counts[Verdict.HOLDS] + counts[Verdict.DEVIATES]
        hurried = any(line.verdict is Verdict.HARDLY and line.evidence.short for line in self.lines)
        return 2 if self.trouble or counts[Verdict.UNJUDGED] or hurried or not judged else 0


def _reason(outcome: Outcome) -> str:
    cause = f"follows from {outcome.follows_from}: " if outcome.follows_from else ""
    return f"{outcome.check}: {cause}{outcome.reason}" if outcome.check else f"{cause}{outcome.reason}"


def summarize(guarantees: Sequence[Guarantee], outcomes: Sequence[Outcome], floor: Floor | None = None) -> list[Line]:
    """Return the guarantees with the outcomes that speak of them, and the floor of their evidence."""
    return [
        Line(guarantee, tuple(each for each in outcomes if guarantee.id in each.guarantees), floor or Floor())
        for guarantee in guarantees
    ]
