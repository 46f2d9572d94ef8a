"""The common part of explorations: each tries drawn values until its budget is spent, and reports broken guarantees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from flyteapps_contract.catalogue.dialects import DIALECTS
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import WITHOUT_VERDICT, NotOffered, Outcome, Span, Verdict, describe_failure
from flyteapps_contract.profiles import Budget
from flyteapps_contract.run import INTERRUPTED, Ending, Run, RunEnded
from flyteapps_contract.targets.target import Target

T = TypeVar("T")

IN_A_ROW = 3
"""Attempts that may end without a verdict, one after the other."""
SHRINK_SECONDS = 120.0
"""Real seconds in which what broke is made smaller, where there is time for it."""
SHRINK_SHARE = 1 / 3
"""The share of the exploration's time left that one violation may take: there may be others."""
MIN_SHRINK_SECONDS = 5.0
"""The real seconds that are allowed however little time is left; never more than the run has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """One search: so many tries, none begun after the monotonic time `until`; the same seed draws the same.

    `ending`: the end of the whole run, which nothing outlasts. `judged`: the guarantees that count, all where it is
    empty. A violation of one of `explained`, too, or after a symptom of one, is passed over: that guarantee is known to
    be broken.
    """

    count: int
    seed: int
    judged: frozenset[str] = frozenset()
    explained: frozenset[str] = frozenset()
    until: float = float("inf")
    ending: Ending = field(default_factory=Ending)

    def shrink_until(self) -> float:
        """Return the monotonic time until which a violation that was just found may be made smaller."""
        now = time.monotonic()
        share = max(SHRINK_SHARE * (self.until - now), MIN_SHRINK_SECONDS)
        return min(now + min(share, SHRINK_SECONDS), self.ending.until)

    def speaking(self, violation: Violation) -> str:
        """Return the first guarantee that the violation is counted for, "" where it is passed over."""
        if self.explained & {*violation.guarantees, *violation.symptoms}:
            return ""
        return next((each for each in violation.guarantees if not self.judged or each in self.judged), "")


@dataclass(slots=True)
class Finding:
    """The result of a search: how many were tried, and the first violation, as small as it became.

    `evidence`: how many of those came to each guarantee. `calls`: how many calls and streams show the violation;
    `story`: in words what was done.
    """

    tried: int = 0
    evidence: Counter[str] = field(default_factory=Counter[str])
    violation: Violation | None = None
    calls: int = 0
    story: str = ""
    script: str = ""
    saved: str = ""
    timeline: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Exploration:
    """A row of the table: its name, which is what it tries, too; the guarantees that it judges; its search."""

    name: str
    guarantees: tuple[str, ...]
    search: Callable[[Target, Run, SearchOptions], Finding]


class Patience:
    """A count of attempts in a row that ended without a verdict, so that a plane that is gone is given up."""

    def __init__(self) -> None:
        self._row = 0
        self._last: Exception | None = None

    def worked(self) -> None:
        """Record an attempt that was judged."""
        self._row = 0

    def is_over(self, trouble: Exception) -> bool:
        """Return whether this attempt that could not be judged is one too many."""
        self._last = trouble
        if not isinstance(trouble, NotOffered):  # of what isn't offered, another attempt may need nothing
            self._row += 1
        return self._row >= IN_A_ROW

    def give_up(self) -> None:
        """Raise the last trouble, if there was any."""
        if self._last is not None:
            raise self._last


class Kept(Protocol):
    """The receiver of a violation."""

    def __call__(self, violation: Violation) -> None:
        """Keep the violation of the attempt that just ended."""
        ...


def draw(
    options: SearchOptions, found: Finding, strategy: st.SearchStrategy[T], attempt: Callable[[T, Kept], None]
) -> None:
    """Draw values and attempt each, up to the first violation, which Hypothesis shrinks, or until time is over.

    `attempt(value, keep)` calls `keep` with a violation. One that doesn't count is passed over; while one is shrunk,
    only violations of its guarantee count, so that it stays the same one. An attempt that needs a missing capability
    or could not be judged is passed over, too. Raises its error where all are, or several in a row.
    """
    guarantee, shrink_until = "", float("inf")
    patience, trouble = Patience(), list[Exception]()

    def keep(violation: Violation) -> None:
        nonlocal guarantee, shrink_until
        options.ending.require_time()
        speaking = options.speaking(violation)
        if not speaking or (guarantee and guarantee not in violation.guarantees):
            raise PassedOver
        if found.violation is None:
            guarantee, shrink_until = speaking, options.shrink_until()
        found.violation = violation

    @seed(options.seed)
    @settings(
        max_examples=options.count,
        database=None,  # nothing is kept from run to run
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=tuple(HealthCheck),  # type: ignore[arg-type]  # iterating the enum gives its members
        derandomize=False,
    )
    @given(strategy)
    def example(value: T) -> None:
        if time.monotonic() > (options.until if found.violation is None else shrink_until):
            raise _Over
        try:
            attempt(value, keep)
        except PassedOver:
            pass
        except WITHOUT_VERDICT as failure:
            if found.violation is None and patience.is_over(failure):
                trouble.append(failure)
                raise _Over from failure
            return
        patience.worked()
        found.tried += found.violation is None

    try:
        example()
    except _Over:
        pass
    except RunEnded:
        if found.violation is None and options.ending.interrupted:
            raise
    except Exception:
        # a violation that was found is reported, whatever came while it was shrunk: also Hypothesis' Flaky, since the
        # smallest value need not show the violation each time, or time was over
        if found.violation is None:
            raise
    if found.violation is None and trouble:
        raise trouble[0]
    if found.violation is None and not found.tried:
        patience.give_up()


class _Over(BaseException):
    """The end of drawing: Hypothesis raises at once what is no Exception, instead of drawing the rest."""


class PassedOver(Exception):  # noqa: N818  # no fault
    """A violation that doesn't count."""


def explore(
    exploration: Exploration,
    target: Target,
    run: Run,
    budget: Budget,
    seed_: int,
    *,
    only: Collection[str] = (),
    broken: Collection[str] = (),
) -> Iterator[Outcome]:
    """Return the outcomes: one for each guarantee that breaks, and one for all others.

    `only`: the guarantees that are judged, all by default. What `broken` ones, of which other checks have said so,
    explain is passed over; so is what those explain that were found on the way. Guarantees of another dialect explain
    nothing.
    """
    own = frozenset(each.id for each in DIALECTS[target.dialect].own)
    started = time.monotonic()
    until = min(started + budget.seconds, run.ending.until)
    judged = frozenset(exploration.guarantees) & frozenset(only or exploration.guarantees)
    explained, tried, evidence = frozenset(broken) & own, 0, Counter[str]()
    trouble, verdict = "", Verdict.UNJUDGED
    while judged - explained and tried < budget.count and time.monotonic() < until and not run.ending.reason:
        begun = time.monotonic()
        options = SearchOptions(
            count=budget.count - tried,
            seed=seed_ + len(explained),
            judged=judged,
            explained=explained,
            until=until,
            ending=run.ending,
        )
        try:
            found = exploration.search(target, run, options)
        except RunEnded as end:
            trouble = str(end)
            break
        except NotOffered as missing:
            trouble, verdict = str(missing), Verdict.NOT_OFFERED
            break
        except WITHOUT_VERDICT as failure:
            trouble = str(failure)
            break
        except Exception as failure:  # a defect of ours, or of a plane in this process, must not end the run
            trouble = describe_failure(failure)
            break
        tried += found.tried
        evidence += found.evidence
        if found.violation is None:
            break
        guarantee = options.speaking(found.violation)
        explained |= set(found.violation.guarantees)
        yield Outcome(
            exploration.name,
            (guarantee,),
            Verdict.BROKEN,
            f"{found.violation}\nby {found.calls} calls:\n{found.story}",
            time.monotonic() - begun,
            f"{tried} {exploration.name}",
            found.script,
            found.timeline,
            found.saved,
            tried,
            symptoms=tuple(each for each in found.violation.symptoms if each in own),
        )
    rest = tuple(each for each in exploration.guarantees if each in judged - explained)
    seconds = time.monotonic() - started
    if run.ending.interrupted:
        trouble = INTERRUPTED
    elif rest and not trouble and not tried:
        trouble = "no time was left for it"
    if rest and trouble:
        yield Outcome(exploration.name, rest, verdict, trouble, seconds)
    elif rest:
        yield Outcome(
            exploration.name,
            rest,
            Verdict.HOLDS,
            "",
            seconds,
            f"{tried} {exploration.name}",
            attempts=tried,
            evidence={each: evidence[each] for each in rest},
        )
