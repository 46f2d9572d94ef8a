"""Explorations give no false verdict where responses get lost, where others use the plane, or where it is gone."""

from __future__ import annotations

import itertools
from contextlib import ExitStack

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from rich.console import Console

from flyteapps.testing import FaultyTransport, faults
from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.checks.support.registry import Check
from flyteapps_contract.cli import verify
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import explore
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.profiles import DIRECTED, PROFILES, Budget, Profile
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.endpoint import Address, EndpointTarget
from flyteapps_contract.targets.planes import InProcess, PlanesTarget
from flyteapps_contract.targets.target import Link
from flyteapps_contract.verification import fresh_run
from flyteapps_fake import FakeControlPlane

from . import standins
from .direct_link import DirectLink

LOSSES = 0.01


CALLS = ("Create", "Get", "Update", "UpdateStatus", "Delete", "List")


def no_checks(_: str) -> list[Check]:
    """Return no directed check."""
    return []


def lossy(losses: float) -> PlanesTarget:
    """Return planes some of whose calls take effect, but their answers get lost."""
    seeds = itertools.count()

    def connect(plane: InProcess, stack: ExitStack) -> Link:
        assert isinstance(plane, FakeControlPlane)
        transport = FaultyTransport(plane.transport(), seed=next(seeds))
        transport.add(*(faults.fail(rpc, code="UNAVAILABLE", applied=True, probability=losses) for rpc in CALLS))
        return DirectLink(transport)

    target = standins.direct()
    return PlanesTarget(
        target.factory, capabilities=standins.CAPABILITIES, connect=connect, move=target.move, shut=target.shut
    )


@pytest.mark.parametrize("name", list(EXPLORATIONS))
def test_lost_answers_break_nothing(name: str) -> None:
    """Attempts that a lost answer leaves undecided are passed over; the others are judged."""
    target = lossy(LOSSES)
    outcomes = list(explore(EXPLORATIONS[name], target, fresh_run(target), Budget(25, 60.0), 1))
    assert {each.verdict for each in outcomes} == {Verdict.HOLDS}, [each.reason for each in outcomes]


@pytest.mark.parametrize("name", list(EXPLORATIONS))
def test_a_plane_that_is_gone_is_not_judged(name: str) -> None:
    """If no call is answered, nothing holds, and the exploration ends at once."""
    target = lossy(1.0)
    [outcome] = explore(EXPLORATIONS[name], target, fresh_run(target), Budget(100, 60.0), 1)
    assert outcome.verdict is Verdict.UNJUDGED
    assert "UNAVAILABLE" in outcome.reason or "an answer was lost" in outcome.reason


@pytest.mark.parametrize("name", list(EXPLORATIONS))
def test_nothing_holds_without_a_try(name: str) -> None:
    """If no time is left, nothing is reported to hold."""
    target = standins.direct()
    [outcome] = explore(EXPLORATIONS[name], target, fresh_run(target), Budget(10, -1.0), 1)
    assert outcome.verdict is Verdict.UNJUDGED


@pytest.mark.slow
def test_others_in_the_only_project_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a project that others use, their apps break nothing and stay, and the run leaves none of its own."""
    monkeypatch.setattr(verify, "checks_of", no_checks)
    with FakeControlPlane(org="acme", clock="realtime", speed=10.0) as plane:
        theirs = EndpointTarget(Address.parse(plane.serve().url), projects=False)
        run = Run(prefix="theirs", project="demo")
        session = Session(theirs.plane(), run)
        for _ in range(45):
            session.given_stopped()
        ours = EndpointTarget(Address.parse(plane.serve().url), projects=False)
        profile = Profile("few", {name: Budget(10, 30.0) for name in EXPLORATIONS})
        summary = verify.run_checks(
            ours, GUARANTEES, Run(prefix="fcours", project="demo"), Console(quiet=True), profile=profile, seed=3
        )
        broken = {line.guarantee.id: line.reasons() for line in summary.lines if line.verdict is Verdict.BROKEN}
        left = [app.metadata.id.name for app in plane.stub().list(rpc.ListRequest()).apps]
        session.plane.close()
    assert broken == {}
    assert len(left) == 45
    assert summary.trouble == ""


def test_what_an_interrupted_exploration_did_not_say_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """If Ctrl-C ends an exploration, the guarantees without an outcome are not judged."""

    def interrupted(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "explore", interrupted)
    monkeypatch.setattr(verify, "checks_of", no_checks)
    target = standins.direct()
    summary = verify.run_checks(target, GUARANTEES, fresh_run(target), Console(quiet=True), profile=PROFILES["quick"])
    spoken_of = {id_ for each in EXPLORATIONS.values() for id_ in each.guarantees}
    assert {line.guarantee.id for line in summary.lines if line.verdict is Verdict.UNJUDGED} == spoken_of
    assert summary.exit_code == 2
    assert DIRECTED.budgets == {}
