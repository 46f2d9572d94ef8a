"""Sequences of commands, drawn and shrunk by Hypothesis, each run on a session of its own.

A length is drawn first, then that many commands: of the forms that were measured, this is the one that shrinks to few
calls; with draws of one command at a time, two of three faults kept hundreds of them. Numbers are small, so draws are
short; it draws faster than a rule-based state machine, too.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import strategies as st

from flyteapps_contract.explorations.search import Exploration, Finding, Kept, PassedOver, SearchOptions, draw
from flyteapps_contract.explorations.sequence_kinds import KINDS
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import WITHOUT_VERDICT, Outcome, Verdict
from flyteapps_contract.sequences.saved import SavedSequence, to_json
from flyteapps_contract.sequences.table import Command, Draw, choices_of, decode, name_of
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.target import Capabilities, Target
from flyteapps_contract.traces.script import render
from flyteapps_contract.traces.trace import Step, calls_of, timeline

MAX_COMMANDS = 50
"""Commands in a sequence."""
NAME = "sequences"


@dataclass(slots=True)
class Found(Finding):
    """The result of a search: how often each command was in the sequences up to the first violation.

    `sequence` and `steps` are the shrunk sequence and its calls.
    """

    commands: Counter[str] = field(default_factory=Counter[str])
    sequence: tuple[Command, ...] = ()
    steps: tuple[Step, ...] = ()


def draws_for(capabilities: Capabilities) -> st.SearchStrategy[list[Draw]]:
    """Return a strategy for sequences of the commands that such a target can run, not decoded: so they shrink best."""
    rows: list[st.SearchStrategy[Draw]] = []
    for row in KINDS[capabilities.dialect].commands.rows:
        if row.needs and not getattr(capabilities, row.needs):
            continue
        places = st.tuples(*(st.integers(0, len(values) - 1) for _, values in choices_of(row.command)))
        for _ in range(row.weight):  # an object for each: one_of drops duplicates
            rows.append(st.tuples(st.just(row.command), places))
    one = st.one_of(rows)
    return st.integers(0, MAX_COMMANDS).flatmap(lambda count: st.lists(one, min_size=count, max_size=count))


def search(target: Target, run: Run, options: SearchOptions) -> Found:
    """Run sequences up to the first violation, and shrink that one."""
    found, kind = Found(), KINDS[target.dialect]

    def attempt(drawn: list[Draw], keep: Kept) -> None:
        sequence = tuple(map(decode, drawn))
        if found.violation is None:
            found.commands.update(name_of(type(each)) for each in sequence)
        with Session(target.plane(), run) as session:
            interpreter = kind.interpreter(session)
            try:
                interpreter.run(sequence)
            except Violation as violation:
                violation.symptoms = tuple(session.symptoms.found)
                try:
                    keep(violation)
                except PassedOver:
                    found.evidence.update(kind.exercised(interpreter.trace.steps[:-1]))
                    raise
                found.sequence, found.steps = sequence, tuple(interpreter.trace.steps)
                found.calls = interpreter.trace.calls()
                raise
            if found.violation is None:
                found.evidence.update(kind.exercised(interpreter.trace.steps))

    draw(options, found, draws_for(target.capabilities), attempt)
    if found.violation is not None:
        found.story = calls_of(found.steps)
        found.script = render(found.steps, found.violation)
        saved = SavedSequence(found.sequence, found.violation.guarantees, str(found.violation), target.dialect)
        found.saved = to_json(saved)
        found.timeline = timeline(found.steps)
    return found


def replay(target: Target, run: Run, saved: SavedSequence) -> Outcome:
    """Run a saved sequence once, and return its outcome: broken by any violation, whether the saved one or another."""
    started = time.monotonic()
    guarantees, verdict, reason, script = saved.guarantees, Verdict.HOLDS, "", ""
    with Session(target.plane(), run) as session:
        interpreter = KINDS[saved.dialect].interpreter(session)
        try:
            interpreter.run(saved.commands)
        except Violation as violation:
            guarantees, verdict = violation.guarantees, Verdict.BROKEN
            reason = f"{violation}\nby {interpreter.trace.calls()} calls:\n{calls_of(interpreter.trace.steps)}"
            script = render(interpreter.trace.steps, violation)
        except WITHOUT_VERDICT as failure:
            verdict, reason = Verdict.UNJUDGED, str(failure)
        steps = tuple(interpreter.trace.steps)
    seconds = time.monotonic() - started
    return Outcome(NAME, guarantees, verdict, reason, seconds, "1 sequence", script, timeline(steps))


SEQUENCES = {dialect: Exploration(NAME, kind.guarantees, search) for dialect, kind in KINDS.items()}
"""The exploration of each dialect."""
