"""The examples of the README and of docs/recordings.md, each run as it stands."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flyteidl2.app.app_payload_pb2 import GetRequest

from flyteapps_contract.recordings.recorder import Recorder
from flyteapps_contract.recordings.steps import save
from flyteapps_contract.targets.planes import PlanesTarget
from flyteapps_fake.control_plane import FakeControlPlane

README = Path(__file__).parents[1] / "README.md"


def _blocks(language: str, page: Path = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def _run(word: str, page: Path = README) -> dict[str, Any]:
    """Run the one example that holds the word; return the names that it leaves."""
    [example] = [block for block in _blocks("python", page) if word in block]
    names: dict[str, Any] = {}
    exec(compile(example, str(page), "exec"), names)
    return names


def test_the_embedding_example_passes() -> None:
    """The test function that the README shows is a test that passes."""
    with FakeControlPlane() as plane:
        _run("test_an_app_becomes_active")["test_an_app_becomes_active"](plane)


def test_the_first_program_prints_the_link_to_its_app(capsys: pytest.CaptureFixture[str]) -> None:
    """The program of the first screen deploys an app to the server, and prints the link that the page shows."""
    [block] = [each for each in _blocks("console") if "<<'END'" in each]
    program, shown = re.fullmatch(r"\$ .venv/bin/python - <<'END'\n(.*)END\n(.*)\n", block, re.DOTALL).groups()  # type: ignore[union-attr]  # it does
    with FakeControlPlane() as plane:
        served = plane.serve().url.removeprefix("http://")
        exec(compile(program.replace("localhost:8090", served), str(README), "exec"), {})
    assert capsys.readouterr().out.strip() == shown.replace("localhost:8080", served)


def test_the_contract_example_passes() -> None:
    """The test that the README makes of the contract has a case a guarantee, and both pass."""
    made = _run("contract_tests")["test_contract"]
    [cases] = [mark.args[1] for mark in made.pytestmark]
    assert cases == ["CR-2", "UP-1"]
    for case in cases:
        made(case)


def test_the_replaying_example_finds_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recording of the stand-in is replayed as docs/recordings.md shows, without a difference."""
    target = PlanesTarget(FakeControlPlane)
    plane = target.plane()
    recorder = Recorder(plane, "g")
    recorder.call("none", "get", GetRequest(app_id={"project": "p", "domain": "d", "name": "a"}))
    plane.close()
    save(tmp_path / "recording.jsonl", recorder.steps)
    monkeypatch.chdir(tmp_path)
    _run("recording.jsonl", README.parent / "docs" / "recordings.md")
    assert capsys.readouterr().out == ""


def test_the_configuration_is_what_the_sdk_reads() -> None:
    """The endpoint is the one that `flyteapps serve` prints, and images are not built."""
    [configuration] = [yaml.safe_load(block) for block in _blocks("yaml")]
    assert configuration["admin"] == {"endpoint": "dns:///localhost:8090", "insecure": True}
    assert configuration["task"].keys() == {"project", "domain"}
    assert configuration["image"] == {"builder": "remote"}


def test_the_examples_are_python() -> None:
    """Each block that says python parses as such."""
    blocks = _blocks("python")
    assert blocks
    for block in blocks:
        ast.parse(block)
