"""`flyteapps control reset|snapshot|restore|export|import`: output, errors and exit statuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.control.main import main

APPS = "apps:\n- {name: hello, image: i}\n- {name: worker, project: jobs, image: i}\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane with a manual clock, served in this process."""
    with FakeControlPlane(clock="manual") as made:
        made.serve()
        yield made


@pytest.fixture
def run(plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command against the plane; return its exit status, its output and its errors."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", plane.serve().url)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return run


def test_a_state_goes_to_a_file_and_back(plane: FakeControlPlane, run: Run, tmp_path: Path) -> None:
    """Apps come from YAML; the state is exported, the plane is reset, and the state is there again."""
    apps, state = tmp_path / "apps.yaml", tmp_path / "state.json"
    apps.write_text(APPS)
    assert run("import", str(apps)) == (0, "2 app(s) loaded\n", "")
    assert run("export", str(state)) == (0, f"the state is in {state}\n", "")
    status, printed, _ = run("export", "-")
    assert status == 0 and json.loads(printed)["format"] == json.loads(state.read_text())["format"] == 1
    assert run("reset", "--project", "jobs") == (0, "1 app(s) removed\n", "")
    assert run("reset", "--seed", "7", "--json") == (0, '{\n  "removed": 1\n}\n', "")
    assert run("import", str(state)) == (0, "2 app(s) loaded\n", "")
    assert plane.projects() == {"demo", "jobs"}


def test_a_state_goes_through_a_pipe(plane: FakeControlPlane, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state, or apps in YAML, is read from standard input, and a mistake is named there."""
    for text, expected in (
        (APPS, (0, "2 app(s) loaded\n", "")),
        (run("export", "-")[1], (0, "0 app(s) loaded\n", "")),
        ("apps: 7", (2, "", "flyteapps control: standard input:1:7: apps must be a list of apps, with one at least\n")),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert run("import", "-") == expected
    assert plane.count() == 0


def test_snapshots(plane: FakeControlPlane, run: Run) -> None:
    """They are taken, listed, restored and dropped by their names."""
    assert run("snapshot", "--list") == (0, "there is no snapshot\n", "")
    assert run("snapshot", "base") == (0, "snapshot base taken\n", "")
    assert run("snapshot", "--list") == (0, "base\n", "")
    assert run("snapshot", "--list", "--json") == (0, '{\n  "names": [\n    "base"\n  ]\n}\n', "")
    assert run("restore", "base") == (0, "0 app(s), as in the snapshot base\n", "")
    assert run("snapshot", "--drop", "base") == (0, "snapshot base dropped\n", "")
    status, _, error = run("restore", "base")
    assert (status, error) == (2, "flyteapps control: there is no snapshot 'base'; there are: none\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["snapshot"], "give a NAME to take a snapshot, or --list, or --drop NAME (see"),
        (["snapshot", "a", "--list"], "give a NAME to take a snapshot, or --list, or --drop NAME (see"),
        (["snapshot", "a b"], "name"),
        (["reset", "--seed", "7", "--app", "hello"], "seed: it is that of the whole plane"),
        (["reset", "--seed", "x"], "'x' is not a valid integer"),
        (["import", "missing.yaml"], "missing.yaml: can't be read: No such file or directory"),
        (["export", "missing/state.json"], "missing/state.json: can't be written: No such file or directory"),
    ],
)
def test_invalid_input(run: Run, arguments: list[str], message: str) -> None:
    """One line says what is wrong, and the exit status is 2."""
    status, out, error = run(*arguments)
    assert (status, out) == (2, "") and message in error and error.count("\n") == 1
