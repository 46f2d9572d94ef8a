"""Detection of one planted bug by the suite: by a directed check, or by what is drawn from a seed."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager

from contract import standins
from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.catalogue.guarantee import FLYTE_OSS
from flyteapps_contract.checks.flyte_oss import racing
from flyteapps_contract.explorations.registry import OF_DIALECT
from flyteapps_contract.explorations.search import SearchOptions, explore
from flyteapps_contract.explorations.sequences import search
from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.profiles import Budget
from flyteapps_contract.runner import judge
from flyteapps_contract.targets.planes import PlanesTarget
from flyteapps_contract.verification import checks_of, fresh_run, outcomes_of

from .planting import Mutant

RACES = "HI-1"
"""The guarantee of the checks whose calls race."""
SWITCH_SECONDS = 1e-5
"""Seconds after which another thread gets its turn."""


def directed(guarantee: str, mutant: Mutant) -> Outcome | None:
    """Return the first violation that the directed checks of the guarantee find."""
    with mutant():
        return (
            _caught(outcomes_of(planes_of(guarantee), guarantee))
            or _caught(_without_a_cluster(guarantee))
            or _caught(_raced(guarantee))
        )


def _without_a_cluster(guarantee: str) -> Iterator[Outcome]:
    """Return the outcomes of the checks of flyte-oss where no cluster checks what is written."""
    if BY_ID[guarantee].dialect == FLYTE_OSS:
        wired = any("http" in check.needs for check in checks_of(guarantee))
        yield from outcomes_of(
            standins.lenient_oss_over_connect() if wired else standins.lenient_oss_in_process(), guarantee
        )


def _raced(guarantee: str) -> Iterator[Outcome]:
    """Return the outcomes of its checks whose calls race, on planes that are called from several threads at once."""
    is_oss = BY_ID[guarantee].dialect == FLYTE_OSS
    target = standins.oss_racing() if is_oss else standins.direct()
    with eager_threads():
        for check in checks_of(guarantee):
            if check.body.__module__ == racing.__name__ if is_oss else RACES in check.guarantees:
                yield judge(target, check, fresh_run(target))


def planes_of(guarantee: str) -> PlanesTarget:
    """Return planes of the guarantee's dialect, in this process, or on ports where its checks need those."""
    wired = any("http" in check.needs for check in checks_of(guarantee))
    if any("authenticated" in check.needs for check in checks_of(guarantee)):
        return standins.authenticated_over_connect() if wired else standins.authenticated()
    if BY_ID[guarantee].dialect == FLYTE_OSS:
        return standins.oss_over_connect() if wired else standins.oss_in_process()
    return standins.in_process()


def drawn(guarantee: str, mutant: Mutant, budgets: Mapping[str, Budget], seed: int) -> Outcome | None:
    """Return the first violation of the guarantee in what the seed draws."""
    dialect = BY_ID[guarantee].dialect
    target = standins.drawn_on(dialect)
    with mutant(), eager_threads():
        for name, exploration in OF_DIALECT[dialect].items():
            budget = budgets[name]
            if guarantee in exploration.guarantees:
                outcomes = explore(exploration, target, fresh_run(target), budget, seed, only=[guarantee])
                if found := _caught(outcomes):
                    return found
    return None


@contextmanager
def eager_threads() -> Generator[None]:
    """Make the interpreter switch threads so often that clients within this process overlap."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def shortest(guarantee: str, mutant: Mutant, sequences: int, seed: int, seconds: float = 60.0) -> int | None:
    """Return the number of calls in the shortest sequence that shows the bug, None if none of so many does."""
    target = standins.drawn_on(BY_ID[guarantee].dialect)
    until = time.monotonic() + seconds
    with mutant():
        options = SearchOptions(count=sequences, seed=seed, judged=frozenset({guarantee}), until=until)
        found = search(target, fresh_run(target), options)
    return found.calls if found.violation is not None else None


def in_sequences(guarantee: str) -> bool:
    """Return whether sequences of its dialect speak of the guarantee."""
    sequences = OF_DIALECT[BY_ID[guarantee].dialect].get("sequences")
    return sequences is not None and guarantee in sequences.guarantees


def _caught(outcomes: Iterable[Outcome]) -> Outcome | None:
    return next((each for each in outcomes if each.verdict is Verdict.BROKEN), None)
