"""The search for histories that break a guarantee: of stopped apps, and in their turn of apps that run.

The first histories are small, so that what breaks at once is found in a few calls; of what broke, smaller ones are
tried.
"""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import replace
from typing import Any, TypeVar

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.explorations.exercised import exercised_at_once
from flyteapps_contract.explorations.histories import Plan, Race, drawn
from flyteapps_contract.explorations.running_histories import RunningPlan, RunningRace, drawn_running
from flyteapps_contract.explorations.search import Exploration, Finding, Patience, SearchOptions
from flyteapps_contract.outcomes import WITHOUT_VERDICT, NotOffered
from flyteapps_contract.run import Run, RunEnded
from flyteapps_contract.session import Session
from flyteapps_contract.targets.target import Capabilities, Target

ATTEMPTS = 24
"""Smaller histories that are tried of one that broke."""
RUNNING_EVERY = 2
"""One history of so many is of apps that run."""

P = TypeVar("P", Plan, RunningPlan)


def plan_of(seed: int, number: int, capabilities: Capabilities, *, running: bool = True) -> Plan | RunningPlan:
    """Return the plan of that number. `running`: whether apps can be run here, by a cluster of the session's own."""
    turn, is_of_running = divmod(number, RUNNING_EVERY)
    if not running or capabilities.dialect != STANDARD:
        return drawn(seed, number, kills=capabilities.restarts)
    if is_of_running:
        return drawn_running(seed, turn, clock=capabilities.clock)
    return drawn(seed, turn, kills=capabilities.restarts)


def search(target: Target, run: Run, options: SearchOptions) -> Finding:
    """Run histories; of the first that shows a violation, smaller ones."""
    found, patience, running = Finding(), Patience(), not target.capabilities.restarts
    for number in range(options.count):
        if time.monotonic() > options.until:
            break
        plan = plan_of(options.seed, number, target.capabilities, running=running)
        try:
            guarantee = _attempt(target, run, options, found, plan)
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
            if isinstance(plan, Plan):
                _shrink(target, run, options, found, plan, guarantee)
            else:
                _shrink(target, run, options, found, plan, guarantee)
            break
    if not found.tried and found.violation is None:
        patience.give_up()
    return found


def _attempt(
    target: Target, run: Run, options: SearchOptions, found: Finding, plan: Plan | RunningPlan, wanted: str = ""
) -> str:
    """Return the guarantee that the plan broke, "" for none; the smallest plan so far is what `found` tells of."""
    with Session(target.plane(), run) as session:
        race = Race(session, plan) if isinstance(plan, Plan) else RunningRace(session, plan)
        violations = race.run()
        options.ending.require_time()
        for violation in violations:
            violation.symptoms = tuple(session.symptoms.found)
            guarantee = options.speaking(violation)
            if not guarantee or (wanted and wanted not in violation.guarantees):
                continue
            found.violation = violation
            found.calls = sum(event.client >= 0 for event in race.history.events)
            found.story = f"{len(plan.clients)} clients at once on {plan.apps} apps"
            found.timeline = race.timeline()
            return guarantee
        if found.violation is None and not race.undecided:
            found.tried += 1
            found.evidence.update(exercised_at_once(race.history.seen(), HISTORIES.guarantees))
    return ""


def _shrink(target: Target, run: Run, options: SearchOptions, found: Finding, plan: P, guarantee: str) -> None:
    """Try smaller plans than the one that broke the guarantee."""
    draw = random.Random(options.seed)
    until = options.shrink_until()
    for _ in range(ATTEMPTS):
        less = _smaller(plan, draw)
        if time.monotonic() > until:
            break
        with contextlib.suppress(RunEnded, *WITHOUT_VERDICT):
            if less.clients and _attempt(target, run, options, found, less, guarantee):
                plan = less


def _smaller(plan: P, draw: random.Random) -> P:
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


HISTORIES = Exploration(
    "histories",
    (
        *("HI-1", "CR-2", "UP-2", "UP-3", "GE-3", "DE-1", "DE-2", "LI-4"),
        *("WA-1", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8", "WA-9"),
    ),
    search,
)
