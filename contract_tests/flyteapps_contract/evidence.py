"""The evidence for a guarantee: its checks that held, what was drawn and came to it; and whether that is enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flyteapps_contract.outcomes import Outcome, Verdict, verdict_of
from flyteapps_contract.profiles import Floor, Profile


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for one guarantee. `held` of `checks` checks held; of what was drawn, `drawn` came to it."""

    checks: int = 0
    held: int = 0
    drawn: tuple[tuple[str, int], ...] = ()
    """By exploration, the number of its attempts that came to the guarantee."""
    short: tuple[str, ...] = ()
    """Explorations that tried too little, and checks that time was not left for."""

    def __str__(self) -> str:
        """Return the evidence as reports show it, such as "3 of 4, 41 sequences"."""
        checks = [f"{self.held} of {self.checks}"] if self.checks else []
        return ", ".join([*checks, *(f"{count} {name if count != 1 else _one(name)}" for name, count in self.drawn)])

    def is_enough(self, floor: Floor) -> bool:
        """Return whether the guarantee may be said to hold."""
        drawn = sum(count for _, count in self.drawn)
        checked = self.held > 0 and self.held >= floor.share * self.checks
        return not self.short and (checked or drawn >= max(floor.drawn, 1))


def evidence_of(guarantee: str, outcomes: Sequence[Outcome], floor: Floor) -> Evidence:
    """Return what the outcomes are worth for the guarantee."""
    checks = [each for each in outcomes if each.check and not each.tried]
    drawn = [each for each in outcomes if each.tried]
    return Evidence(
        checks=len(checks),
        held=sum(each.verdict is Verdict.HOLDS for each in checks),
        drawn=tuple((each.check, each.evidence.get(guarantee, each.attempts)) for each in drawn),
        short=tuple(
            each.check
            for each in outcomes
            if each.verdict is Verdict.HARDLY
            or (each.verdict is Verdict.HOLDS and each.tried and each.attempts < floor.attempts.get(each.check, 0))
        ),
    )


def what_was_short(outcomes: Sequence[Outcome], floor: Floor, profile: Profile, *, clock: bool) -> str:
    """Return why explorations tried less than the floor asks for, "" where none did. `clock`: it can be moved."""
    tried = {each.check: each.attempts for each in outcomes if each.tried and each.verdict is Verdict.HOLDS}
    asked = {name: count for name, count in floor.attempts.items() if tried.get(name, count) < count}
    few = [f"{tried[name]} {name} where {count} are asked for" for name, count in asked.items()]
    if not few:
        return ""
    checks = sum(each.seconds for each in {each.check: each for each in outcomes if not each.tried}.values())
    said = f"too little was tried: {', '.join(few)}; the checks took {checks:.0f} s"
    said += f" of the {profile.seconds:g} s of profile {profile.name}" if math.isfinite(profile.seconds) else ""
    if not clock:
        said += ", and wait for the plane's clock, which can't be moved here: one that runs faster leaves more time "
        said += "(the stand-in: flyteapps serve --speed 10)"
    return said


def weighed(guarantee: str, outcomes: Sequence[Outcome], floor: Floor) -> Verdict:
    """Return the verdict of the outcomes: where they say that the guarantee holds on too little evidence, HARDLY."""
    verdict = verdict_of(outcomes)
    if verdict is not Verdict.HOLDS:
        return verdict
    evidence = evidence_of(guarantee, outcomes, floor)
    if evidence.is_enough(floor):
        return verdict
    untouched = not evidence.held and not any(count for _, count in evidence.drawn)
    return Verdict.NOT_OFFERED if untouched and evidence.checks and not evidence.short else Verdict.HARDLY


def _one(name: str) -> str:
    return "history" if name == "histories" else name.removesuffix("s")
