"""Sequences of commands, drawn and shrunk by Hypothesis, each on a session of its own.

A list of exactly n commands, with n drawn first, finds what lists that end by a coin's toss do not, since those are
short; it draws faster than a rule-based state machine, too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from flyteapps_contract.commands.interpreter import Interpreter
from flyteapps_contract.commands.script import render
from flyteapps_contract.commands.table import COMMANDS, Act
from flyteapps_contract.commands.trace import Step
from flyteapps_contract.model.flaws import Flawed
from flyteapps_contract.outcomes import NotOffered, Outcome, Refused, StreamEnded, Unjudged, Verdict
from flyteapps_contract.profiles import Profile
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.target import Offers, Target

NAME = "sequences"
SPEAKS_OF = (
    *("ID-1", "ID-2", "ID-4", "CR-1", "CR-2", "CR-3", "CR-4", "CR-5", "CR-6", "GE-1", "GE-2", "GE-3"),
    *("UP-1", "UP-2", "UP-3", "UP-4", "UP-5", "UP-6", "UP-7", "DE-1", "DE-2", "DE-3"),
    *("LE-1", "LE-2", "LE-3", "LE-4", "LE-5", "LE-6", "US-0", "US-1", "US-2", "US-3", "US-4", "US-5", "US-6"),
    *("LI-1", "LI-2", "LI-3", "LI-4", "LI-5", "LI-7", "SP-3", "SP-4"),
    *("WA-1", "WA-2", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8", "WA-9"),
)
"""The guarantees that sequences judge."""
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


def explore(
    target: Target,
    run: Run,
    profile: Profile,
    seed_: int,
    *,
    only: Collection[str] = SPEAKS_OF,
    broken: Collection[str] = (),
) -> Iterator[Outcome]:
    """The outcomes of a profile's sequences: one for each guarantee that they break, and one for all others.

    `only`: the guarantees that are judged. What `broken` ones, of which other checks have said so, explain is passed
    over; so is what those explain that were found on the way.
    """
    started = time.monotonic()
    judged, known, tried = set(only) & set(SPEAKS_OF), set(broken), 0
    trouble = ""
    while judged and tried < profile.sequences and time.monotonic() < started + profile.seconds:
        begun = time.monotonic()
        try:
            found = search(
                target,
                run,
                sequences=profile.sequences - tried,
                seed_=seed_ + len(known),
                only=judged,
                explained=known,
                until=started + profile.seconds,
            )
        except (Refused, StreamEnded, Unjudged, NotOffered) as failure:
            trouble = str(failure)
            break
        tried += found.sequences
        if found.flaw is None:
            break
        guarantee = next(each for each in found.flaw.guarantees if each in judged)
        known |= set(found.flaw.guarantees)
        judged -= known
        script = render(found.steps, found.flaw)
        text = f"{found.flaw}\nby {found.calls} calls: {_told(found.acts)}"
        yield Outcome(NAME, (guarantee,), Verdict.BROKEN, text, time.monotonic() - begun, f"{tried} sequences", script)
    rest = tuple(each for each in SPEAKS_OF if each in judged)
    seconds = time.monotonic() - started
    if trouble:
        yield Outcome(NAME, rest, Verdict.UNJUDGED, trouble, seconds)
    elif rest:
        yield Outcome(NAME, rest, Verdict.HOLDS, "", seconds, f"{tried} sequences")


def _told(acts: Collection[Act]) -> str:
    return ", ".join(f"{name}({', '.join(map(str, numbers))})" for name, numbers in acts)


def search(
    target: Target,
    run: Run,
    *,
    sequences: int,
    seed_: int,
    only: Collection[str] = (),
    explained: Collection[str] = (),
    until: float = float("inf"),
) -> Found:
    """Runs so many sequences, none of them begun after the monotonic time `until`; stops at the first flaw, shrinks it.

    `only`: guarantees that are judged, all by default. A flaw of others, or of an `explained` one, ends its sequence
    and is passed over. While a flaw is shrunk, only flaws of its guarantee count, so that it stays the same one.
    """
    found = Found()
    wanted = set(only)
    passed_over = set(explained)

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
            if time.monotonic() > until:
                return
            found.sequences += 1
            found.commands.update(name for name, _ in acts)
        with Session(target.plane(), run) as session:
            interpreter = Interpreter(session)
            try:
                interpreter.run(acts)
            except Flawed as flaw:
                speaking = [each for each in flaw.guarantees if not wanted or each in wanted]
                if not speaking or passed_over & set(flaw.guarantees):
                    return
                wanted.clear()
                wanted.add(speaking[0])
                found.flaw, found.acts = flaw, tuple(acts)
                found.steps, found.calls = tuple(interpreter.trace.steps), interpreter.trace.calls()
                raise

    try:
        attempt()
    except Flawed as flaw:
        found.flaw = flaw
    return found
