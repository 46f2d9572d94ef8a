"""`flyteapps control scenarios`: what it prints, as text and as JSON, and its exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.control.main import main

from .driving import start
from .test_format import FIRST

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane with a manual clock."""
    with FakeControlPlane(clock="manual") as made:
        yield made


@pytest.fixture
def run(plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command against the plane; return the exit status and what was printed."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", plane.serve().url)

    def run(*words: str) -> tuple[int, str]:
        status = main(["scenarios", *words])
        printed = capsys.readouterr()
        return status, (printed.out + printed.err).rstrip("\n")

    return run


def test_scenarios_come_and_go(plane: FakeControlPlane, run: Run, tmp_path: Path) -> None:
    """Added, used, listed with what came of it, removed."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(FIRST.replace("one", name) + f"    summary: It is {name}.\n")
    assert run("add", str(tmp_path / "one"), str(tmp_path / "two")) == (0, "added one\nadded two")
    assert run("use", "two", "--app", "worker-*", "--times", "1") == (0, "u1 two app.name=worker-* times=1")
    assert run("use", "one") == (0, "u2 one")
    start(plane, "worker-1")
    status, listed = run("list")
    assert status == 0
    assert "healthy  (built-in)  The app starts and runs." in listed
    assert f"two  (control API, {tmp_path / 'two'}:2:3)  It is two." in listed
    assert listed.endswith("u1 two app.name=worker-* times=1  (applied 1)\nu2 one  (applied 0)")
    assert run("remove", "two", "--use", "u2") == (0, "removed two\nremoved u2")
    assert run("clear") == (0, "added scenarios and uses are removed")
    assert "control API" not in run("list")[1]


def test_the_scenario_of_an_app_is_shown(plane: FakeControlPlane, run: Run) -> None:
    """With the reason; exit status 1 where no app is meant."""
    run("use", "crash-loop", "--app", "worker-*", "--times", "1")
    for name in ("worker-1", "worker-2"):
        start(plane, name)
    assert run("of", "worker-1") == (0, "proj/dev/worker-1  crash-loop  (by the use u1)")
    assert run("of", "*", "--project", "proj") == (
        0,
        "proj/dev/worker-1  crash-loop  (by the use u1)\nproj/dev/worker-2  healthy  (default)",
    )
    [found] = json.loads(run("of", "worker-2", "--json")[1])
    assert found == {"app": "proj/dev/worker-2", "scenario": "healthy", "reason": "default"}
    assert run("of", "absent") == (1, "no app that matches has started")


def test_output_for_programs(run: Run, tmp_path: Path) -> None:
    """JSON, as over the wire."""
    (tmp_path / "one").write_text(FIRST)
    place = f"{tmp_path / 'one'}:2:3"
    status, added = run("add", str(tmp_path / "one"), "--json")
    assert (status, json.loads(added)) == (0, [{"name": "one", "origin": "control API", "place": place}])
    assert json.loads(run("use", "one", "--json")[1]) == {"id": "u1", "scenario": "one", "app": {}}
    assert {"id": "u1", "scenario": "one", "app": {}} in json.loads(run("list", "--json")[1])["uses"]
    assert json.loads(run("remove", "one", "--json")[1]) == {"removed": ["one"]}


def test_invalid_input(run: Run, tmp_path: Path) -> None:
    """One line with what is wrong and where, and the exit status 2."""
    (path := tmp_path / "one").write_text(FIRST + "    thn: healthy\n")
    for words, message in (
        (("add", str(path)), f"{path}:5:5: unknown field 'thn' of the scenario one: did you mean then?"),
        (("add", str(tmp_path / "absent")), "No such file"),
        (("use", "crashloop"), "the scenario 'crashloop' is unknown; did you mean crash-loop?"),
        (("use", "healthy", "--times", "-1"), "-1 is not in the range"),
        (("remove", "healthy"), "healthy is a built-in scenario, which can't be removed"),
        (("remove", "absent"), "there is no scenario 'absent' that was added; there is none"),
        (("remove",), "name a scenario that was added, or a use by --use ID"),
    ):
        status, printed = run(*words)
        assert status == 2 and message in printed and "\n" not in printed, printed
