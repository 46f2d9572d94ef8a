"""The examples of docs/state.md run, and its commands are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from import_graph import ROOT
from test_docs_testing import blocks, run_page

from flyteapps_fake.cli.control.main import control
from flyteapps_fake.control_plane import FakeControlPlane

PAGE = (ROOT / "docs" / "state.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run(tmp_path: Path) -> None:
    """The page's tests pass in a project of its own."""
    assert "2 passed" in run_page(tmp_path, "state", blocks(PAGE))


def test_the_methods_and_commands_are_there() -> None:
    """Each method of a plane, and each command, in the page is one."""
    for name in re.findall(r"`plane\.(\w+)\(", PAGE):
        assert callable(getattr(FakeControlPlane, name))
    for name in re.findall(r"flyteapps control (\w+)", PAGE):
        assert name in control.commands
