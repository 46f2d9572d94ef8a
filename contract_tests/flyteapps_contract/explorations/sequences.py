"""Sequences of commands, drawn and shrunk by Hypothesis, each run on a session of its own.

A length is drawn first, then that many commands: of the forms that were measured, this is the one that shrinks to few
calls; with draws of one command at a time, two of three faults kept hundreds of them. Numbers are small, so draws are
short; it draws faster than a rule-based state machine, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from flyteapps_contract.explorations.search import Exploration, Finding, Kept, SearchOptions, draw
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.sequences.commands import COMMANDS, Act
from flyteapps_contract.sequences.interpreter import Interpreter
from flyteapps_contract.sequences.script import render
from flyteapps_contract.sequences.trace import Step, timeline
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.target import Capabilities, Target

LONGEST = 50
"""Commands in a sequence, at most."""


@dataclass(slots=True)
class Found(Finding):
    """What a search came to: the sequences that it ran until the first flaw, and how often each command was in them.

    `acts` and `steps` are the shrunk sequence and what it did.
    """

    commands: Counter[str] = field(default_factory=Counter[str])
    acts: tuple[Act, ...] = ()
    steps: tuple[Step, ...] = ()


def commands_of(capabilities: Capabilities) -> st.SearchStrategy[list[Act]]:
    """Sequences of the commands that such a target can run."""
    rows: list[st.SearchStrategy[Act]] = []
    for command in COMMANDS:
        if command.needs and not getattr(capabilities, command.needs):
            continue
        numbers = st.tuples(*(st.integers(0, count - 1) for count in command.numbers))
        for _ in range(command.weight):  # an object for each: one_of drops what it was given twice
            rows.append(st.tuples(st.just(command.name), numbers))
    one = st.one_of(rows)
    return st.integers(0, LONGEST).flatmap(lambda count: st.lists(one, min_size=count, max_size=count))


def search(target: Target, run: Run, options: SearchOptions) -> Found:
    """Runs sequences; stops at the first flaw and shrinks it."""
    found = Found()

    def attempt(acts: list[Act], keep: Kept) -> None:
        if found.violation is None:
            found.commands.update(name for name, _ in acts)
        with Session(target.plane(), run) as session:
            interpreter = Interpreter(session)
            try:
                interpreter.run(acts)
            except Violation as violation:
                keep(violation)
                found.acts, found.steps = tuple(acts), tuple(interpreter.trace.steps)
                found.calls = interpreter.trace.calls()
                raise

    draw(options, found, commands_of(target.capabilities), attempt)
    if found.violation is not None:
        found.story = _told(found.acts)
        found.script = render(found.steps, found.violation)
        found.timeline = timeline(found.steps)
    return found


def _told(acts: Sequence[Act]) -> str:
    return ", ".join(f"{name}({', '.join(map(str, numbers))})" for name, numbers in acts)


SEQUENCES = Exploration(
    "sequences",
    (
        *("ID-1", "ID-2", "ID-4", "CR-1", "CR-2", "CR-3", "CR-4", "CR-5", "CR-6", "GE-1", "GE-2", "GE-3"),
        *("UP-1", "UP-2", "UP-3", "UP-4", "UP-5", "UP-6", "UP-7", "LE-1", "LE-2", "LE-3", "LE-4", "LE-5", "LE-6"),
        *("US-0", "US-1", "US-2", "US-3", "US-4", "US-5", "US-6", "DE-1", "DE-2", "DE-3"),
        *("LI-1", "LI-2", "LI-3", "LI-4", "LI-5", "LI-7", "SP-3", "SP-4"),
        *("WA-1", "WA-2", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8", "WA-9"),
    ),
    search,
)
