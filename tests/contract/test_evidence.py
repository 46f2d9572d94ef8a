"""A guarantee holds on evidence: what was tried is counted for each, and too little of it is no success."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, STANDARD
from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.checks.support.registry import Check
from flyteapps_contract.cli import verify
from flyteapps_contract.evidence import evidence_of, weighed, what_was_short
from flyteapps_contract.explorations.exercised import exercised
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import explore
from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.plugin import _require_held  # pyright: ignore[reportPrivateUsage]  # what its tests end with
from flyteapps_contract.profiles import PROFILES, Budget, Floor
from flyteapps_contract.reports.machine import as_json, as_junit
from flyteapps_contract.reports.summary import Summary, summarize
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import (
    ClusterName,
    DesiredState,
    Extra,
    Image,
    ListFilter,
    ListLimit,
    ListScope,
    ListSort,
    Reason,
    SentRevision,
    SlotName,
    WatchTarget,
)
from flyteapps_contract.sequences.commands import Command
from flyteapps_contract.sequences.interpreter import Interpreter
from flyteapps_contract.session import Session
from flyteapps_contract.verification import fresh_run

from . import standins

CREATE = commands.Create(SlotName.A)
RUN = commands.Create(SlotName.A, DesiredState.ACTIVE)
RUN_OWN = commands.Create(SlotName.B, DesiredState.ACTIVE)
LIST = commands.List(ListScope.PROJECT, ListFilter.NONE, ListSort.NONE, ListLimit.NONE, counted=False, bare=False)
UPDATE = commands.Update(SlotName.A, DesiredState.STOPPED, Image.SECOND, Extra.NONE, SentRevision.STORED, Reason.FIRST)
FLOOR = Floor(drawn=10, attempts={"sequences": 10})
BASE = {"CR-1", "CR-3", "CR-4", "US-4"}


def held(count: int, of: int) -> list[Outcome]:
    """Return the outcomes of so many checks of CR-2, of which some held and the others are not offered."""
    return [
        Outcome(f"check {number}", ("CR-2",), Verdict.HOLDS if number < count else Verdict.NOT_OFFERED)
        for number in range(of)
    ]


def drawn(relevant: int, attempts: int) -> Outcome:
    """Return an outcome of so many sequences, of which some came to CR-2."""
    return Outcome(
        "sequences",
        ("CR-2",),
        Verdict.HOLDS,
        tried=f"{attempts} sequences",
        attempts=attempts,
        evidence={"CR-2": relevant},
    )


@pytest.mark.parametrize(
    ("outcomes", "verdict", "said"),
    [
        (held(2, 4), Verdict.HOLDS, "2 of 4"),
        (held(1, 4), Verdict.HARDLY, "1 of 4"),
        ([*held(1, 4), drawn(10, 50)], Verdict.HOLDS, "1 of 4, 10 sequences"),
        ([*held(1, 4), drawn(1, 50)], Verdict.HARDLY, "1 of 4, 1 sequence"),
        ([*held(4, 4), drawn(0, 50)], Verdict.HOLDS, "4 of 4, 0 sequences"),
        ([*held(4, 4), drawn(9, 9)], Verdict.HARDLY, "4 of 4, 9 sequences"),
        ([*held(0, 4), drawn(0, 50)], Verdict.NOT_OFFERED, "0 of 4, 0 sequences"),
        ([*held(4, 4), Outcome("sequences", ("CR-2",), Verdict.HARDLY, "no time")], Verdict.HARDLY, "4 of 5"),
        ([Outcome("sequences", ("CR-2",), Verdict.HARDLY, "no time")], Verdict.UNJUDGED, "0 of 1"),
        ([*held(1, 4), Outcome("last", ("CR-2",), Verdict.BROKEN, "wrong")], Verdict.BROKEN, "1 of 5"),
    ],
)
def test_a_verdict_is_weighed(outcomes: list[Outcome], verdict: Verdict, said: str) -> None:
    """Half of its checks, or enough of what was drawn and came to it, is enough; each exploration has to have tried."""
    assert weighed("CR-2", outcomes, FLOOR) is verdict
    assert str(evidence_of("CR-2", outcomes, FLOOR)) == said


@pytest.mark.parametrize("name", ["quick", "standard", "thorough"])
def test_floors_are_within_the_budgets(name: str) -> None:
    """A profile that is carried out comes above its floor; a greater one has a higher floor."""
    profile = PROFILES[name]
    assert all(0 < profile.floor.attempts[each] <= budget.count / 8 for each, budget in profile.budgets.items())


@pytest.mark.parametrize("name", ["quick", "standard", "thorough"])
def test_a_dialect_has_floors_of_its_own(name: str) -> None:
    """Of flyte-oss less is asked for, but something of each exploration: its apps take their time to start."""
    floor, own = PROFILES[name].floor, PROFILES[name].floor.of_dialect(FLYTE_OSS)
    assert floor.of_dialect(STANDARD) == floor
    assert all(0 < own.attempts[each] <= count for each, count in floor.attempts.items())
    assert own.attempts["sequences"] <= floor.attempts["sequences"] / 3
    assert (own.share, own.drawn < floor.drawn) == (floor.share, True)


@pytest.mark.parametrize("clock", [True, False])
def test_what_was_short_is_said(clock: bool) -> None:
    """The report says of what too little was tried, the seconds that the checks took, and whether they had to wait."""
    outcomes = [Outcome("a_check", ("CR-2", "CR-1"), Verdict.HOLDS, seconds=66.4), drawn(9, 9)]
    said = what_was_short(outcomes, FLOOR, PROFILES["standard"], clock=clock)
    assert said.startswith(
        "too little was tried: 9 sequences where 10 are asked for; the checks took 66 s of the 105 s"
    )
    assert ("clock" in said) is not clock
    assert what_was_short([*outcomes[:1], drawn(0, 10)], FLOOR, PROFILES["standard"], clock=clock) == ""


def test_a_run_says_what_was_short() -> None:
    """So does a run whose explorations had no time."""
    target = standins.direct()
    profile = replace(PROFILES["quick"], budgets={"sequences": Budget(1, 100.0)})
    chosen = [each for each in GUARANTEES if each.id == "CR-2"]
    summary = verify.run_checks(target, chosen, fresh_run(target), Console(quiet=True), profile=profile)
    assert "1 sequences where 10 are asked for" in summary.trouble and summary.exit_code == 2


@pytest.mark.parametrize(
    ("sequence", "more"),
    [
        ((CREATE, CREATE), {"CR-2"}),
        ((CREATE, commands.Delete(SlotName.A), commands.Get(SlotName.A)), {"GE-1", "GE-3", "DE-3"}),
        ((CREATE, commands.Delete(SlotName.A), CREATE), {"CR-5"}),
        ((CREATE, UPDATE), {"UP-2", "UP-3", "UP-5", "UP-6", "US-6"}),
        ((CREATE, LIST), {"LI-1", "GE-3"}),
        ((CREATE, commands.Create(SlotName.A_OTHER_CASE)), {"ID-1"}),
        ((CREATE, commands.Watch(WatchTarget.APP_A)), {"WA-1", "WA-2", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8"}),
        ((commands.Lease(ClusterName.FIRST), RUN_OWN), {"LE-1", "LE-6"}),
        ((commands.Lease(ClusterName.FIRST), RUN_OWN, commands.Progress(SlotName.A)), {"LE-1", "LE-3", "US-0", "US-1"}),
    ],
)
def test_a_sequence_counts_for_what_it_tries(sequence: tuple[Command, ...], more: set[str]) -> None:
    """Each command counts for the guarantees that its answer could have broken, and for no lease without a cluster."""
    target = standins.direct()
    with Session(target.plane(), fresh_run(target)) as session:
        interpreter = Interpreter(session)
        interpreter.run(sequence)
        found = exercised(interpreter.trace.steps)
    assert more <= found
    assert found >= BASE
    if not any(isinstance(each, commands.Lease) for each in sequence):
        assert not {each for each in found if each.startswith("LE-")}


@pytest.mark.parametrize("name", list(EXPLORATIONS))
def test_explorations_count(name: str) -> None:
    """Of what was tried some came to the commonest guarantees, and never more than there were attempts."""
    target = standins.direct()
    [outcome] = explore(EXPLORATIONS[name], target, fresh_run(target), Budget(20, 600.0), 1)
    assert outcome.attempts == 20
    assert set(outcome.evidence) == set(outcome.guarantees)
    assert outcome.evidence["GE-3"] > 0
    assert max(outcome.evidence.values()) <= 20


def summary_of(outcomes: list[Outcome]) -> Summary:
    """Return a run with these outcomes of CR-2, beside CR-1, which holds."""
    lines = summarize([BY_ID["CR-1"], BY_ID["CR-2"]], [*outcomes, Outcome("one", ("CR-1",), Verdict.HOLDS)], FLOOR)
    return Summary(target="t", dialect="standard", prefix="p", lines=lines, seconds=1.0)


@pytest.mark.parametrize(("outcomes", "status"), [(held(1, 4), 0), ([*held(4, 4), drawn(3, 3)], 2), (held(4, 4), 0)])
def test_the_exit_status(outcomes: list[Outcome], status: int) -> None:
    """Checks that the target doesn't offer fail nothing; a guarantee that time was too short for was not judged."""
    assert summary_of(outcomes).exit_code == status


def test_reports_say_hardly_tried() -> None:
    """In JSON with its counts, in JUnit as skipped with the reason; it is not counted as held."""
    summary = summary_of(held(1, 4))
    whole = json.loads(as_json(summary))
    assert whole["guarantees"][1]["verdict"] == "hardly tried"
    assert whole["guarantees"][1]["tried"] == {"checks": 4, "held": 1}
    assert (whole["counts"]["holds"], whole["counts"]["hardly tried"]) == (1, 1)
    skipped = ElementTree.fromstring(as_junit(summary)).find(".//testcase[@name='CR-2']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "hardly tried: 1 of 4"


def test_a_pytest_case_is_skipped() -> None:
    """A guarantee that was hardly tried is no test that passes."""
    with pytest.raises(pytest.skip.Exception, match="hardly tried: 1 of 4"):
        _require_held("CR-2", held(1, 4))
    _require_held("CR-2", held(2, 4))


def test_a_run_without_time_is_hardly_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """If checks held and time was over before anything was drawn, it doesn't read as held."""

    def body(session: Session) -> None:
        session.run.ending.until = 0.0

    def checks_of(_: str) -> list[Check]:
        return [Check("the_check", ("CR-2",), (), "It must hold.", body)]

    monkeypatch.setattr(verify, "checks_of", checks_of)
    target = standins.direct()
    chosen = [each for each in GUARANTEES if each.id == "CR-2"]
    summary = verify.run_checks(target, chosen, fresh_run(target), Console(quiet=True), profile=PROFILES["quick"])
    assert summary.lines[0].verdict is Verdict.HARDLY
    assert summary.exit_code == 2
