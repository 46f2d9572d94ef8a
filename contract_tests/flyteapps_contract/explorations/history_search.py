"""The search for histories that break a guarantee. A dialect has its own plans of them, and its own races.

The first histories are small, so that what breaks at once is found in a few calls; of what broke, smaller ones are
tried.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, STANDARD
from flyteapps_contract.explorations.exercised import exercised_at_once
from flyteapps_contract.explorations.flyte_oss import histories as flyte_oss
from flyteapps_contract.explorations.histories import Plan, Race, drawn
from flyteapps_contract.explorations.running_histories import RunningPlan, RunningRace, drawn_running
from flyteapps_contract.explorations.search import Exploration, Finding, Patience, SearchOptions
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import WITHOUT_VERDICT, NotOffered, Span
from flyteapps_contract.run import Run, RunEnded
from flyteapps_contract.session import Session
from flyteapps_contract.targets.target import Capabilities, Target

ATTEMPTS = 24
"""Smaller histories that are tried of one that broke."""
RUNNING_EVERY = 2
"""One history of so many is of apps that run."""


class AnyPlan(Protocol):
    """A plan of the clients' operations; a dataclass, so that others can be made of it."""

    @property
    def clients(self) -> tuple[Sequence[Any], ...]:
        """The operations of each client."""
        ...

    @property
    def apps(self) -> int:
        """The number of apps."""
        ...


class AnyEvent(Protocol):
    """A call of a race."""

    @property
    def client(self) -> int:
        """The client, negative for the calls before and after the race."""
        ...


class AnyHistory(Protocol):
    """All that one plan came to."""

    @property
    def events(self) -> Sequence[AnyEvent]:
        """The calls."""
        ...

    def seen(self) -> set[str]:
        """Return the calls with their codes, and what else there was, as the evidence counts them."""
        ...


class AnyRace(Protocol):
    """One plan on one session; `undecided`: whether some of it allows for too many orders to look at each."""

    undecided: bool

    @property
    def history(self) -> AnyHistory:
        """All that the plan came to."""
        ...

    def run(self) -> list[Violation]:
        """Carry the plan out, and judge: the first violation of each part."""
        ...

    def timeline(self) -> tuple[Span, ...]:
        """Return the calls, by client."""
        ...


@dataclass(frozen=True, slots=True)
class HistoryKind:
    """The histories of one dialect.

    `plan`: the plan of a number, of a seed; its last argument says whether apps that run are drawn, too, if the dialect
    has such plans. `evidence`: the guarantees that such calls and streams put to the test.
    """

    plan: Callable[[int, int, Capabilities, bool], AnyPlan]
    race: Callable[[Session, Any], AnyRace]
    evidence: Callable[[Collection[str]], Collection[str]]


def plan_of(seed: int, number: int, capabilities: Capabilities, running: bool = True) -> Plan | RunningPlan:
    """Return the plan of that number. `running`: whether apps can be run here, by a cluster of the session's own."""
    turn, is_of_running = divmod(number, RUNNING_EVERY)
    if not running:
        return drawn(seed, number, kills=capabilities.restarts)
    if is_of_running:
        return drawn_running(seed, turn, clock=capabilities.clock)
    return drawn(seed, turn, kills=capabilities.restarts)


def _race_of(session: Session, plan: Plan | RunningPlan) -> Race | RunningRace:
    return Race(session, plan) if isinstance(plan, Plan) else RunningRace(session, plan)


def search_histories(kind: HistoryKind, target: Target, run: Run, options: SearchOptions) -> Finding:
    """Run histories; of the first that shows a violation, smaller ones."""
    return _Search(kind, target, run, options).finding()


class _Search:
    """One search, of the histories of a kind on a target."""

    def __init__(self, kind: HistoryKind, target: Target, run: Run, options: SearchOptions) -> None:
        self._kind = kind
        self._target = target
        self._run = run
        self._options = options
        self._found = Finding()

    def finding(self) -> Finding:
        """Run histories up to the first that shows a violation, and smaller ones of it."""
        options, capabilities, patience = self._options, self._target.capabilities, Patience()
        running = not capabilities.restarts
        for number in range(options.count):
            if time.monotonic() > options.until:
                break
            plan = self._kind.plan(options.seed, number, capabilities, running)
            try:
                guarantee = self._attempt(plan)
            except WITHOUT_VERDICT as trouble:
                if patience.is_over(trouble):
                    raise
                running = running and not (isinstance(plan, RunningPlan) and isinstance(trouble, NotOffered))
                continue
            except RunEnded:
                if options.ending.interrupted:
                    raise
                break
            patience.worked()
            if guarantee:
                self._shrink(plan, guarantee)
                break
        if not self._found.tried and self._found.violation is None:
            patience.give_up()
        return self._found

    def _attempt(self, plan: AnyPlan, wanted: str = "") -> str:
        """Return the guarantee that the plan broke, "" for none; the finding tells of the smallest plan so far."""
        found = self._found
        with Session(self._target.plane(), self._run) as session:
            race = self._kind.race(session, plan)
            violations = race.run()
            self._options.ending.require_time()
            for violation in violations:
                if self._target.dialect == STANDARD:  # symptoms are of its guarantees
                    violation.symptoms = tuple(session.symptoms.found)
                guarantee = self._options.speaking(violation)
                if not guarantee or (wanted and wanted not in violation.guarantees):
                    continue
                found.violation = violation
                found.calls = sum(event.client >= 0 for event in race.history.events)
                found.story = f"{len(plan.clients)} clients at once on {plan.apps} apps"
                found.timeline = race.timeline()
                return guarantee
            if found.violation is None and not race.undecided:
                found.tried += 1
                found.evidence.update(self._kind.evidence(race.history.seen()))
        return ""

    def _shrink(self, plan: AnyPlan, guarantee: str) -> None:
        """Try smaller plans than the one that broke the guarantee."""
        draw = random.Random(self._options.seed)
        until = self._options.shrink_until()
        for _ in range(ATTEMPTS):
            less = _smaller(plan, draw)
            if time.monotonic() > until:
                break
            with contextlib.suppress(RunEnded, *WITHOUT_VERDICT):
                if less.clients and self._attempt(less, guarantee):
                    plan = less


def _smaller(plan: Any, draw: random.Random) -> AnyPlan:
    """Return a plan with a client, or some of the operations, left out."""
    clients: list[Any] = list(plan.clients)
    at = draw.randrange(len(clients))
    if len(clients) > 2 and draw.random() < 0.5:
        del clients[at]
    elif len(clients[at]) > 1:
        cut = draw.randrange(len(clients[at]))
        span = max(1, len(clients[at]) // 2) if draw.random() < 0.5 else 1
        clients[at] = clients[at][:cut] + clients[at][cut + span :]
    return replace(plan, clients=tuple(each for each in clients if each))


GUARANTEES = (
    *("HI-1", "CR-2", "UP-2", "UP-3", "GE-3", "DE-1", "DE-2", "LI-4"),
    *("WA-1", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8", "WA-9"),
)
KINDS = {
    STANDARD: HistoryKind(plan_of, _race_of, partial(exercised_at_once, guarantees=GUARANTEES)),
    FLYTE_OSS: HistoryKind(
        lambda seed, number, capabilities, running: flyte_oss.drawn(seed, number, clock=capabilities.clock),
        flyte_oss.Race,
        flyte_oss.exercised,
    ),
}
search = partial(search_histories, KINDS[STANDARD])
"""The search for histories of the standard dialect."""
HISTORIES = {
    STANDARD: Exploration("histories", GUARANTEES, search),
    FLYTE_OSS: Exploration("histories", flyte_oss.GUARANTEES, partial(search_histories, KINDS[FLYTE_OSS])),
}
"""By dialect."""
