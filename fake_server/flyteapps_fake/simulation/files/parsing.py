"""The parser of scenarios: values with their places become Scenario objects, or a ScenarioError says what is wrong.

Shape first, then sense: each step has to be a legal move from every state that the app may be in, and each round of a
loop has to take time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flyteapps_control.selection import Glob
from flyteapps_fake.core.lifecycle import ASSIGNED, PENDING, STOPPED, Cause, refusal, short_name
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.dialects import DIALECTS
from flyteapps_fake.simulation.files import format as fields
from flyteapps_fake.simulation.files.field_values import (
    duration_of,
    fields_of,
    flag_of,
    jitter_of,
    lines_of,
    one_of,
    reject_unknown,
    size_of,
    substate_of,
    text_of,
    weight_of,
    whole_of,
)
from flyteapps_fake.simulation.files.located import ScenarioError, Value
from flyteapps_fake.simulation.files.responses import ResponseReader
from flyteapps_fake.simulation.scenarios import NAME, Branch, Choice, Loop, Scenario, Step, Steps, When

_BEGINNING = frozenset((ASSIGNED,))


def parse_scenarios(value: Value) -> list[Scenario]:
    """Return the scenarios of a file or mapping. Raises ScenarioError for the first mistake."""
    found = fields_of(value, fields.FILE, "a file of scenarios", hint="put scenarios below `scenarios`")
    named = found["scenarios"]
    if not named.fields:
        raise named.fail("scenarios must be a mapping of scenarios by name, with one at least")
    if len(named.fields) > fields.MAX_SCENARIOS:
        raise named.fail(f"there are more than {fields.MAX_SCENARIOS:,} scenarios: split them into several files")
    steps, responses = _StepReader(), ResponseReader()
    return [_scenario(name, each, steps, responses) for name, each in named.fields.items()]


def parse_situations(value: Value) -> Mapping[str, Steps]:
    """Return the lists of steps by name, which aren't scenarios: they may begin in any state."""
    reader = _StepReader()
    return {name: reader.steps(each, None) for name, each in (value.fields or {}).items()}


def _scenario(name: str, value: Value, reader: _StepReader, responses: ResponseReader) -> Scenario:
    place = value.key_place or value.place
    if not NAME.fullmatch(name):
        raise ScenarioError(
            place,
            f"{quoted(name)} is no name of a scenario: it has up to 63 letters, digits, '.', '_' and '-', and begins "
            "with a letter or digit",
        )
    found = fields_of(value, fields.SCENARIO, f"the scenario {name}")
    steps = found.get("steps")
    if steps is None and "responses" not in found:
        raise value.fail(f"the scenario {name} needs `steps`; or `responses`, then they are those of healthy")
    if steps is not None and not steps.items:
        raise steps.fail("steps must be a list of steps, with one at least")
    after = found.get("then")
    dialect = one_of(found["dialect"], "dialect", DIALECTS) if "dialect" in found else ""
    conflicts = whole_of(found["conflicts"], "conflicts", 0, fields.MAX_REPLICAS) if "conflicts" in found else 0
    if conflicts and not (dialect and DIALECTS[dialect].write_conflicts):
        those = " or ".join(fields.WITH_CONFLICTS)
        raise found["conflicts"].fail(
            f"conflicts: only the dialect {those} refuses writes so; add `dialect: {those}`, or remove it"
        )
    return Scenario(
        name=name,
        summary=text_of(found.get("summary"), "summary"),
        steps=reader.steps(steps, _BEGINNING) if steps is not None else (),
        responses=responses.responses(found.get("responses")),
        when=_when(found["when"]) if "when" in found else None,
        weight=weight_of(found.get("weight")),
        after=text_of(after, "then"),
        conflicts=conflicts,
        dialect=dialect,
        place=place,
        after_place=after.place if after is not None else "",
        data=value.data(),
    )


def _when(value: Value) -> When:
    found = fields_of(value, fields.WHEN, "when")
    if not found:
        raise value.fail('when is empty: give what selects apps, such as name: "*" for all')
    labels = found.get("labels")
    if labels is not None and labels.fields is None:
        raise labels.fail('labels must be globs by key, such as {tier: "gpu*"}')
    if labels is not None and len(labels.fields or {}) > fields.MAX_LABELS:
        raise labels.fail(f"labels: one `when` has at most {fields.MAX_LABELS} of them")
    by_key = (labels.fields if labels is not None else None) or {}
    globs = {name: Glob(text_of(each, name)) for name, each in found.items() if name not in ("labels", "start")}
    return When(
        **globs,
        labels={key: Glob(text_of(each, f"labels.{key}")) for key, each in by_key.items()},
        start=whole_of(found["start"], "start", 1, fields.MAX_TIMES) if "start" in found else 0,
    )


class _Least(NamedTuple):
    """The least that a list of steps does: whether it reports at all, and how long that takes."""

    reports: bool
    nanoseconds: int


class _StepReader:
    """The steps of one text, which are counted."""

    def __init__(self) -> None:
        self._count = 0
        self._after: frozenset[int] | None = None

    def steps(self, value: Value, before: frozenset[int] | None) -> Steps:
        """Return a list of steps; `before`: the states that an app may be in, None to check no moves."""
        found, _ = self._list(value, before, 0, in_loop=False, background=False)
        return found

    def _list(
        self, value: Value, before: frozenset[int] | None, depth: int, *, in_loop: bool, background: bool
    ) -> tuple[Steps, frozenset[int] | None]:
        """Return the steps, and the states that they may lead to."""
        if value.items is None:
            raise value.fail("steps must be a list of steps")
        if depth > fields.MAX_NESTING:
            raise value.fail(f"more than {fields.MAX_NESTING} loops and choices inside of each other")
        blocks: list[Step | Loop | Choice] = []
        for index, each in enumerate(value.items):
            self._count += 1
            if self._count > fields.MAX_STEPS:
                raise each.fail(f"there are more than {fields.MAX_STEPS:,} steps, loops inside of loops counted twice")
            names = each.fields or {}
            if "loop" in names:
                loop, before = self._loop(fields_of(each, fields.LOOPS, "a loop")["loop"], before, depth, in_loop)
                if loop.times is None and index + 1 < len(value.items):
                    raise value.items[index + 1].fail(
                        "no app comes here: the loop before has no end; give it `times`, or put it last"
                    )
                blocks.append(loop)
            elif "choose" in names:
                branches = fields_of(each, fields.CHOICES, "a choice")["choose"]
                choice, before = self._choice(branches, before, depth, in_loop=in_loop, background=background)
                blocks.append(choice)
            else:
                step, before = self._step(each, before, background=background)
                blocks.append(step)
        return tuple(blocks), before

    def _loop(
        self, value: Value, before: frozenset[int] | None, depth: int, in_loop: bool
    ) -> tuple[Loop, frozenset[int] | None]:
        found = fields_of(value, fields.LOOP, "loop")
        times = whole_of(found["times"], "times", 1, fields.MAX_TIMES) if "times" in found else None
        if times is None and in_loop:
            raise value.fail("a loop without an end stands inside of another loop: give it `times`")
        first = duration_of(found.get("after"), "after")
        longest = duration_of(found["longest"], "longest") if "longest" in found else first
        if longest < first:
            raise found["longest"].fail("longest is less than after, the wait before the first round")

        def rounds(states: frozenset[int] | None) -> tuple[Steps, frozenset[int] | None]:
            return self._list(found["steps"], states, depth + 1, in_loop=True, background=times is None)

        steps, after = rounds(before)
        if times != 1 and before is not None and after is not None:
            _, after = rounds(before | after)  # a further round begins where one has ended
        least = _least(steps)
        if not least.reports or first + least.nanoseconds == 0:
            raise value.fail(
                "each round of a loop has to take time, and to have a step for every app: give it `after`, and a step "
                "without `requires` in each branch"
            )
        return Loop(steps, times, first, longest), after

    def _choice(
        self, value: Value, before: frozenset[int] | None, depth: int, *, in_loop: bool, background: bool
    ) -> tuple[Choice, frozenset[int] | None]:
        if not value.items:
            raise value.fail("choose must be a list of branches, each with its steps")
        if len(value.items) > fields.MAX_BRANCHES:
            raise value.fail(f"choose: one choice has at most {fields.MAX_BRANCHES} branches")
        branches: list[Branch] = []
        after: frozenset[int] = frozenset()
        for each in value.items:
            found = fields_of(each, fields.BRANCH, "a branch")
            steps, states = self._list(found["steps"], before, depth + 1, in_loop=in_loop, background=background)
            after |= states or frozenset()
            branches.append(Branch(weight_of(found.get("weight")), steps))
        return Choice(tuple(branches)), after if before is not None else None

    def _step(
        self, value: Value, before: frozenset[int] | None, *, background: bool
    ) -> tuple[Step, frozenset[int] | None]:
        if value.fields is not None and "state" not in value.fields:
            reject_unknown(value, {*fields.STEP, "loop", "choose"}, "a step")
            raise value.fail("a step needs `state`; or it is a `loop`, or a `choose`")
        found = fields_of(value, fields.STEP, "a step")
        states = fields.STATES if before is not None else {**fields.STATES, "STOPPED": STOPPED}
        if found["state"].text == "STOPPED" and before is not None:
            raise found["state"].fail("state: an app that should run is never STOPPED; it is once a client stops it")
        state = states[one_of(found["state"], "state", states)]
        substate = substate_of(found["substate"], state) if "substate" in found else 0
        requires = (
            fields.REQUIRED_SIZES[one_of(found["requires"], "requires", fields.REQUIRED_SIZES)]
            if "requires" in found
            else None
        )
        delay = duration_of(found.get("after"), "after")
        step = Step(
            status=state,
            substate=substate,
            message=text_of(found.get("message"), "message"),
            delay=delay,
            jitter=jitter_of(found["jitter"], delay) if "jitter" in found else 0,
            size=size_of(found.get("replicas"), state, substate),
            trip=requires,
            background=background or ("background" in found and flag_of(found["background"], "background")),
            logs=lines_of(found.get("logs")),
        )
        if before is None:
            return step, None
        for source in sorted(before):
            if problem := _refusal(source, state, substate):
                raise found["state"].fail(problem)
        return step, before | {state} if requires is not None else frozenset((state,))


def _refusal(source: int, state: int, substate: int) -> str:
    """Return why no report can move an app so, or ""."""
    if source == ASSIGNED and state != PENDING:
        return f"state: a scenario begins with PENDING, not with {short_name(state)}"
    problem = refusal(source, state, Cause.REPORT, substate, stopping=False)
    return f"state: {problem}" if problem else ""


def _least(steps: Steps) -> _Least:
    reports, taken = False, 0
    for block in steps:
        match block:
            case Step():
                least = _Least(block.trip is None, block.delay if block.trip is None else 0)
            case Loop():
                inner = _least(block.steps)
                least = _Least(inner.reports, inner.nanoseconds + block.first)
            case Choice():
                every = [_least(branch.steps) for branch in block.branches]
                least = _Least(all(each.reports for each in every), min(each.nanoseconds for each in every))
        reports, taken = reports or least.reports, taken + least.nanoseconds
    return _Least(reports, taken)
