"""Sequences of commands, drawn and shrunk by Hypothesis, each on a session of its own.

A list of exactly n commands, with n drawn first, finds what lists that end by a coin's toss do not, since those are
short; it draws faster than a rule-based state machine, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from flyteapps_contract.commands.interpreter import Interpreter
from flyteapps_contract.commands.table import COMMANDS, Act
from flyteapps_contract.commands.trace import Step
from flyteapps_contract.model.flaws import Flawed
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.target import Offers, Target

LONGEST = 50
"""Commands in a sequence, at most."""


@dataclass(slots=True)
class Found:
    """What a search came to: how much was tried, and the shortest sequence that breaks a guarantee, if one does.

    `steps` is what the plane was told and answered, `calls` how many calls and streams that are.
    """

    sequences: int = 0
    commands: Counter[str] = field(default_factory=Counter[str])
    flaw: Flawed | None = None
    acts: tuple[Act, ...] = ()
    steps: tuple[Step, ...] = ()
    calls: int = 0


def commands_of(offers: Offers) -> st.SearchStrategy[list[Act]]:
    """Sequences of what makes sense on a target with these offers."""
    rows: list[st.SearchStrategy[Act]] = []
    for command in COMMANDS:
        if command.needs and offers.lacks(command.needs):
            continue
        for _ in range(command.weight):  # an object each: of equal ones `one_of` takes one
            numbers = st.tuples(*(st.integers(0, count - 1) for count in command.numbers))
            rows.append(st.tuples(st.just(command.name), numbers))
    one = st.one_of(rows)
    return st.integers(0, LONGEST).flatmap(lambda count: st.lists(one, min_size=count, max_size=count))


def search(target: Target, run: Run, *, sequences: int, seed_: int, only: Collection[str] = ()) -> Found:
    """Runs so many sequences; stops at the first flaw and shrinks it.

    `only`: guarantees that are judged, all by default. A flaw of others ends its sequence and is passed over. While a
    flaw is shrunk, only flaws of its first guarantee count, so that it stays the same one.
    """
    found = Found()
    wanted = set(only)

    @seed(seed_)
    @settings(
        max_examples=sequences,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(commands_of(target.offers))
    def attempt(acts: list[Act]) -> None:
        if found.flaw is None:
            found.sequences += 1
            found.commands.update(name for name, _ in acts)
        with Session(target.plane(), run) as session:
            interpreter = Interpreter(session)
            try:
                interpreter.run(acts)
            except Flawed as flaw:
                if wanted and not wanted & set(flaw.guarantees):
                    return
                if not wanted:
                    wanted.add(flaw.guarantees[0])
                found.flaw, found.acts = flaw, tuple(acts)
                found.steps, found.calls = tuple(interpreter.trace.steps), interpreter.trace.calls()
                raise

    try:
        attempt()
    except Flawed as flaw:
        found.flaw = flaw
    return found
