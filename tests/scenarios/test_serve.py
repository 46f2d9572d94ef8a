"""`flyteapps serve --scenarios`: the files are read before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyteapps_fake.cli.serve import main

from .test_format import FIRST


def test_a_file_that_is_wrong_starts_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with file, line, column; nothing listens."""
    path = tmp_path / "scenarios.yaml"
    path.write_text(FIRST + "    - {state: STOPPED}\n")
    assert main(["--scenarios", str(path), "--port", "0"]) == 1
    assert f"{path}:5:15: state: an app that should run is never STOPPED" in capsys.readouterr().err


def test_a_pattern_may_name_a_scenario_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The names of the files' scenarios are known to --scenario; the hint has them."""
    path = tmp_path / "scenarios.yaml"
    path.write_text(FIRST)
    assert main(["--scenarios", str(path), "--scenario", "*=two", "--port", "0"]) == 1
    assert "'two', of *=two, is an unknown scenario; there are busy" in (text := capsys.readouterr().err)
    assert "never-ready, one, oom-killed" in text
