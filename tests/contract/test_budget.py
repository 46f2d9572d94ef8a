"""A run keeps to its time, and ends at once by Ctrl-C with what it has found: whatever it does, and however a plane is.

Where a test would wait for the plane, it would wait for hours: no test here compares durations with an idle machine's.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from rich.console import Console

from flyteapps_contract import session, streams
from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.checks.support.registry import Check
from flyteapps_contract.cli import verify, work
from flyteapps_contract.cli.work import Work
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import SearchOptions, explore
from flyteapps_contract.outcomes import Outcome, Unjudged, Verdict
from flyteapps_contract.profiles import DIRECTED, Budget, Profile
from flyteapps_contract.run import INTERRUPTED, Ending, Run
from flyteapps_contract.session import Session
from flyteapps_contract.targets.endpoint import Address, EndpointTarget
from flyteapps_contract.verification import fresh_run
from flyteapps_fake import FakeControlPlane
from mutants import apps

from . import standins
from .slow_planes import freezable

HOURS = 10_000.0
MANY = 10**9


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """Return a plane of org acme."""
    with FakeControlPlane(org="acme") as fresh:
        yield fresh


def one_check(monkeypatch: pytest.MonkeyPatch, body: object) -> None:
    """Let a check with that body be the only one of CR-2, and let each wait be as long as it likes."""
    check = Check("the_check", ("CR-2",), (), "It must hold.", body)  # type: ignore[arg-type]  # a check's body
    monkeypatch.setattr(verify, "checks_of", lambda _: [check])  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(session, "CALL_SECONDS", HOURS)
    monkeypatch.setattr(session.Session.call, "__kwdefaults__", {"seconds": HOURS})
    monkeypatch.setattr(streams, "PATIENCE", HOURS)


@pytest.mark.parametrize("name", list(EXPLORATIONS))
def test_drawing_ends_with_the_budget(name: str) -> None:
    """Of a thousand million examples, those are drawn that fit into the time: none, on a busy machine."""
    target = standins.direct()
    [outcome] = explore(EXPLORATIONS[name], target, fresh_run(target), Budget(MANY, 0.5), 1)
    assert outcome.verdict is Verdict.HOLDS or outcome.reason == "no time was left for it"


@pytest.mark.parametrize("name", list(EXPLORATIONS))
def test_drawing_ends_with_a_plane_that_is_gone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the attempts are given up, the rest is not drawn."""

    def gone(*_: object, **__: object) -> object:
        raise Unjudged("no answer")

    monkeypatch.setattr(Session, "call", gone)
    target = standins.direct()
    [outcome] = explore(EXPLORATIONS[name], target, fresh_run(target), Budget(MANY, HOURS), 1)
    assert (outcome.verdict, outcome.tried) == (Verdict.UNJUDGED, "")


@pytest.mark.parametrize("name", ["sequences", "histories"])
def test_shrinking_ends_with_the_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A violation that is found as the run's time is over is reported as it is."""

    def over(self: SearchOptions) -> float:
        self.ending.until = time.monotonic()
        return self.ending.until

    monkeypatch.setattr(SearchOptions, "shrink_until", over)
    target = standins.direct()
    with apps.create_upserts():
        [broken, *rest] = explore(EXPLORATIONS[name], target, fresh_run(target), Budget(MANY, HOURS), 1)
    assert broken.verdict is Verdict.BROKEN
    assert broken.reason and (broken.script or name == "histories")
    assert Verdict.BROKEN not in {each.verdict for each in rest}


@pytest.mark.parametrize("name", ["sequences", "histories"])
def test_ctrl_c_while_shrinking_keeps_the_violation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted shrinking reports what it had; the other guarantees are not judged."""
    target = standins.direct()
    run = fresh_run(target)

    def interrupted(_: SearchOptions) -> float:
        run.end(INTERRUPTED)
        return time.monotonic() + HOURS

    monkeypatch.setattr(SearchOptions, "shrink_until", interrupted)
    with apps.create_upserts():
        [broken, rest] = explore(EXPLORATIONS[name], target, run, Budget(MANY, HOURS), 1)
    assert broken.verdict is Verdict.BROKEN
    assert (rest.verdict, rest.reason) == (Verdict.UNJUDGED, INTERRUPTED)


def test_ctrl_c_collects_what_the_step_has_found() -> None:
    """Outcomes that come after the signal are reported, too."""
    run = Run(prefix="fcwork")

    def step() -> Iterator[Outcome]:
        yield Outcome("first", ("CR-2",), Verdict.HOLDS)
        while not run.ending.is_over:
            time.sleep(0.001)
        yield Outcome("second", ("CR-2",), Verdict.BROKEN)

    going = Work(run, step, lambda: True)
    outcomes = going.outcomes()
    assert next(outcomes).check == "first"
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    run.end(INTERRUPTED)
    found: list[Outcome] = []
    while not found:  # a busy machine may need more than one turn
        found += going.rest()
    assert [each.check for each in found] == ["second"]


@pytest.mark.parametrize("wait", ["call", "stream"])
def test_a_plane_that_hangs_takes_no_more_time(
    wait: str, plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that waits for a plane that answers nothing ends with the run, and breaks nothing."""
    with freezable(plane.serve().url) as proxy:

        def body(s: Session) -> None:
            s.given_stopped()
            watcher = s.watch()
            proxy.freeze()
            s.run.ending.until = time.monotonic() + 0.2
            s.given_stopped() if wait == "call" else watcher.until(lambda _: False, "an event")

        one_check(monkeypatch, body)
        target, run = EndpointTarget(Address.parse(proxy.url)), Run(prefix="fchang", org="acme")
        summary = verify.run_checks(target, [BY_ID["CR-2"]], run, Console(quiet=True), profile=DIRECTED)
    assert summary.lines[0].verdict is Verdict.UNJUDGED
    assert summary.exit_code == 2
    assert "the time of --max-seconds was over" in summary.trouble
    assert "--clean fchang" in summary.trouble


def test_a_check_that_never_ends_is_left_alone(plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that waits for something of its own ends no later; what it created is removed."""
    released = threading.Event()

    def body(s: Session) -> None:
        s.given_stopped()
        s.run.ending.until = time.monotonic() + 0.2
        released.wait()

    one_check(monkeypatch, body)
    monkeypatch.setattr(work, "CLEANING_SECONDS", HOURS)
    target, run = EndpointTarget(Address.parse(plane.serve().url)), Run(prefix="fclong", org="acme")
    summary = verify.run_checks(target, [BY_ID["CR-2"]], run, Console(quiet=True), profile=DIRECTED)
    released.set()
    assert (summary.exit_code, summary.trouble) == (2, "the time of --max-seconds was over before all had run")
    assert not plane.stub().list(rpc.ListRequest()).apps


def test_all_of_it_keeps_to_the_time(plane: FakeControlPlane) -> None:
    """Checks and explorations of a profile of hours end with the time, with a report, and leave nothing."""
    profile = Profile("endless", {name: Budget(MANY, HOURS) for name in EXPLORATIONS})
    target, run = EndpointTarget(Address.parse(plane.serve().url)), Run(prefix="fcends", org="acme")
    until = time.monotonic() + 1.0
    summary = verify.run_checks(target, GUARANTEES, run, Console(quiet=True), until=until, profile=profile)
    assert "the time of --max-seconds was over" in summary.trouble
    assert Verdict.BROKEN not in {line.verdict for line in summary.lines}


def test_a_second_signal_ends_the_command(plane: FakeControlPlane) -> None:
    """While a plane hangs, one signal ends the run with a report, and a second one ends that, too."""
    with freezable(plane.serve().url) as proxy:
        command = [sys.executable, "-m", "flyteapps.cli", "verify", proxy.url, "--only", "WA"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 60
        while not plane.stub().list(rpc.ListRequest()).apps and time.monotonic() < deadline:
            pass
        proxy.freeze()
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=200)
    assert running.returncode == 2
    assert "interrupted" in said
    assert "--clean fc" in said


def test_nothing_begins_after_the_end() -> None:
    """A run that has ended makes no call, opens no stream, and says why."""
    run = Run(prefix="fcover", ending=Ending(time.monotonic()))
    with (
        pytest.raises(BaseException, match="the time of the run was over") as raised,
        Session(standins.direct().plane(), run) as s,
    ):
        s.watch()
    assert not isinstance(raised.value, Exception)
