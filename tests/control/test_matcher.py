"""The table of rules against a naive oracle: which rules a call gets, for random rules, calls and times."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from flyteidl2.app.app_payload_pb2 import ListRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyteapps_control import faults
from flyteapps_control.fault_table import ENDING, FaultTable
from flyteapps_control.selection import AppName, Glob, Subject
from flyteapps_control.v1.control_pb2 import Fault
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import Settings

from .calls import get
from .test_faults import code_of

SECOND = 10**9
RPCS = ("a.S/Get", "a.S/List", "b.T/Get")
NAMES = ("web", "web-1", "we[b", "", "*")
GLOBS = ("", "*", "web", "web*", "w?b", "[w]eb", "none", "we[b", "[*]")


class Given(NamedTuple):
    """A rule as it is added: the arguments of `fail` or `delay`."""

    effect: str
    rpc: str
    selection: Mapping[str, Any]

    def made(self) -> Fault:
        """Return the rule."""
        if self.effect == "fail":
            return faults.fail(self.rpc, code="ABORTED", **self.selection)  # type: ignore[arg-type]  # keywords
        return faults.delay(self.rpc, seconds=1, **self.selection)  # type: ignore[arg-type]  # keywords


def joined(chosen: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a selection."""
    return {**chosen, **others}


counts = st.integers(1, 4)
attempts = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"nth": counts}),
    st.fixed_dictionaries({"first": counts}),
    st.fixed_dictionaries({"every": counts}),
    st.fixed_dictionaries({"probability": st.sampled_from((0.2, 0.5, 1.0))}),
)
selections = st.builds(
    joined,
    attempts,
    st.fixed_dictionaries(
        {},
        optional={
            "app": st.sampled_from(GLOBS),
            "project": st.sampled_from(GLOBS),
            "caller": st.sampled_from(("", "alice", "a*")),
            "headers": st.sampled_from(({"X-Team": "b*"}, {"x-team": "*", "X-Other": "1"})),
            "times": counts,
            "lifetime": st.sampled_from((1, 3, 10)),
        },
    ),
)
rules = st.lists(
    st.builds(Given, st.sampled_from(("fail", "delay")), st.sampled_from(("Get", "*", "b.T/Get")), selections),
    max_size=5,
)
subjects = st.builds(
    Subject,
    st.sampled_from(RPCS),
    st.builds(AppName, st.sampled_from(NAMES), st.just("d"), st.sampled_from(NAMES)),
    st.sampled_from(("", "alice", "bob")),
    st.sampled_from(({}, {"x-team": "blue"}, {"x-team": "red", "x-other": "1"})),
)
steps = st.lists(st.tuples(subjects, st.integers(0, 2)), max_size=25)


class Oracle:
    """The rules one by one, as docs/testing.md has them."""

    def __init__(self, rules: list[Given], seed: str) -> None:
        self._rules = rules
        self._draws = [random.Random(f"{seed}/f{number}") for number in range(1, len(rules) + 1)]
        self.matched = [0] * len(rules)
        self.applied = [0] * len(rules)

    def decide(self, subject: Subject, now: int) -> list[str]:
        """Return the ids of the rules that the call gets."""
        chosen: list[str] = []
        for index, rule in enumerate(self._rules):
            if not self._selects(rule, subject):
                continue
            self.matched[index] += 1
            if self._applies(index, rule.selection, now):
                self.applied[index] += 1
                chosen.append(f"f{index + 1}")
                if rule.effect in ENDING:
                    break
        return chosen

    @staticmethod
    def _selects(rule: Given, subject: Subject) -> bool:
        selection = rule.selection
        globs = [
            (selection.get("project", ""), subject.app.project),
            (selection.get("app", ""), subject.app.name),
            (selection.get("caller", ""), subject.caller),
        ]
        for name, glob in selection.get("headers", {}).items():
            if name.lower() not in subject.metadata:
                return False
            globs.append((glob, subject.metadata[name.lower()]))
        of_rpc = rule.rpc in ("*", subject.rpc, subject.rpc.split("/")[1])
        return of_rpc and all(not glob or fnmatch.fnmatchcase(text, glob) for glob, text in globs)

    def _applies(self, index: int, selection: Mapping[str, Any], now: int) -> bool:
        if now >= selection.get("lifetime", 10**9) * SECOND:
            return False
        if self.applied[index] >= selection.get("times", 10**9):
            return False
        number = self.matched[index]
        if "probability" in selection:
            return self._draws[index].random() < selection["probability"]
        return (
            number == selection.get("nth", number)
            and number <= selection.get("first", number)
            and number % selection.get("every", 1) == 0
        )


@settings(max_examples=150, deadline=None)
@given(rules, steps, st.integers(0, 5))
def test_calls_get_the_rules_of_the_oracle(rules: list[Given], steps: list[tuple[Subject, int]], seed: int) -> None:
    """Rules combine in order up to the first that ends the call, and count as the oracle does, at every time."""
    now = 0
    table = FaultTable(lambda: RPCS, (), lambda: str(seed), lambda: now, {})
    table.add(each.made() for each in rules)
    oracle = Oracle(rules, str(seed))
    for subject, seconds in steps:
        now += seconds * SECOND
        decided = [each.fault.id for each in table.decide(subject)]
        assert decided == oracle.decide(subject, now)
        of_rpc = table.by_rpc.get(subject.rpc)
        assert not decided or (of_rpc is not None and of_rpc.may_concern(subject.app.name))
    assert [(each.matched, each.applied) for each in table.list()] == [
        *zip(oracle.matched, oracle.applied, strict=True)
    ]


@pytest.mark.parametrize("clock", ["manual", "auto", "realtime"])
def test_a_lifetime_is_of_the_planes_time(clock: str) -> None:
    """A rule ends when the plane's clock says so, on each clock."""
    real = [0.0]
    chosen = Settings(clock=clock, speed=10.0 if clock == "realtime" else 1.0)  # type: ignore[arg-type]  # one of the three
    with FakeControlPlane.of(chosen, real=lambda: real[0]) as plane:
        plane.faults.fail("Get", code="ABORTED", lifetime="1m")
        codes: list[str] = []
        for seconds in (0, 59, 2):
            if clock == "manual":
                plane.clock.advance(seconds)
            elif clock == "realtime":
                real[0] += seconds / 10
            elif seconds:
                rule = plane.faults.delay("List", seconds=seconds)
                plane.stub().list(ListRequest(org=plane.org))
                plane.faults.remove(rule)
            codes.append(code_of(lambda: plane.stub().get(get())))
    assert codes == ["ABORTED", "ABORTED", "NOT_FOUND"]


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?[]!", max_size=8), st.text("ab*", max_size=8))
def test_a_glob_matches_as_in_a_shell(glob: str, text: str) -> None:
    """Whether or not it needs a regular expression; an empty one matches everything."""
    assert Glob(glob).matches(text) == (not glob or fnmatch.fnmatchcase(text, glob))
