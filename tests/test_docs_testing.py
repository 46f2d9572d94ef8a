"""The recipes of docs/testing.md run as they stand: the client's, the SDK's, those over a socket."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from import_graph import ROOT
from test_docs_ci import ERRORS, free_port, run_command

import flyteapps

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
PARTS = re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)
BY_HEADING = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))
APART = ("The Flyte SDK", "Any client over a socket")
EFFECTS = {"fail", "answer", "reset", "delay", "cut", "stall", "repeat", "withhold", "reorder", "stale", "steal_lease"}


def blocks(text: str, language: str = "python") -> str:
    """Return the blocks of a text in one language, one after the other."""
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def run_page(folder: Path, name: str, text: str) -> str:
    """Run the tests of a text in a project of its own; return what pytest prints."""
    (folder / f"test_{name}.py").write_text(text, encoding="utf-8")
    options = ["-q", "-W", "error", "-p", "no:asyncio", "-p", "no:xdist", "-p", "no:cacheprovider"]
    options += ["-W", "ignore::DeprecationWarning"] if name == "sdk" else []
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_effect_has_a_line_and_a_test() -> None:
    """Every method that adds a rule is in the table of wishes; and each line of the table is run by a test."""
    lines = re.findall(r"^\|.*\| `(flyte_plane\.faults\.(\w+)\(.*?\))`", PAGE, re.MULTILINE)
    assert {effect for _, effect in lines} == EFFECTS
    for line, effect in lines:
        beginning = line.removesuffix(")").partition(",")[0]
        assert beginning in blocks(PAGE) or f'"{effect}"' in blocks(PAGE), line


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{each.name}" for each in sorted((ROOT / "docs").glob("*.md")))])
def test_names_of_the_client_in_code_are_public(page: str) -> None:
    """Each `flyteapps.NAME` in a block of Python is there, also in those that slow tests alone run."""
    text = blocks((ROOT / page).read_text(encoding="utf-8"))
    names = set(re.findall(r"(?<![\w./\"])flyteapps\.([A-Za-z_]\w*)", text)) - {"control"}  # the control API's service
    missing = [each for each in names if not hasattr(flyteapps, each) and find_spec(f"flyteapps.{each}") is None]
    assert missing == []


@pytest.mark.slow
def test_the_recipes_of_the_client(tmp_path: Path) -> None:
    """The page's tests in process pass, with warnings as errors, and leave no rule unused."""
    text = "\n".join(blocks(part) for heading, part in BY_HEADING.items() if heading not in APART)
    printed = run_page(tmp_path, "client", text)
    assert f"{text.count('def test_') + 2} passed" in printed  # two more by parameters
    assert "flyteapps:" not in printed


@pytest.mark.slow
def test_the_recipes_of_the_sdk(tmp_path: Path) -> None:
    """The unmodified SDK meets a refused Create, a refused upload, a cut Watch, a lost Update and a 429."""
    text = blocks(BY_HEADING["The Flyte SDK"])
    assert "flyteapps." not in text
    assert "5 passed" in run_page(tmp_path, "sdk", text)


@pytest.mark.slow
def test_the_recipe_of_a_socket(tmp_path: Path) -> None:
    """Rules by plain HTTP, and calls verified by the control API of a server, from Python."""
    assert "1 passed" in run_page(tmp_path, "socket", blocks(BY_HEADING["Any client over a socket"]))


@pytest.mark.slow
def test_the_recipe_for_curl(tmp_path: Path) -> None:
    """The shell's lines print what their comments say."""
    script = blocks(PAGE, "shell")
    printed = run_command(tmp_path, "bash", "-c", ERRORS + script.replace("8090", str(free_port())))
    for expected in re.findall(r"# (\{.*\})$", script, re.MULTILINE):
        assert expected in printed, printed
    assert '"number":' in printed and '"fired":' in printed
