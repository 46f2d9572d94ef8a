"""The examples of docs/control.md run: each command prints what the page shows."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import ROOT

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.control.main import main
from flyteapps_fake.cli.serve import serve

PAGE = ROOT / "docs" / "control.md"
ENDPOINT = "http://localhost:8090"
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3}")


def _commands() -> Iterator[tuple[list[str], str]]:
    """Yield the words of the page's commands, each with the output that it shows."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            yield _words(each.splitlines(keepends=True))


def _words(lines: list[str]) -> tuple[list[str], str]:
    """Return the words of a command, which may have several lines, and its output."""
    for number in range(1, len(lines) + 1):
        command = "".join(lines[:number])
        with contextlib.suppress(ValueError):  # an open quotation
            if not command.endswith("\\\n"):
                return shlex.split(command.replace("\\\n", "")), "".join(lines[number:])
    raise AssertionError(f"no whole command: {lines[0]}")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_commands_print_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each command runs, in order, against one server; moments are left out of the comparison."""
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r'^```yaml title="(.*?)"\n(.*?)^```$', PAGE.read_text(), re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with FakeControlPlane(clock="manual", call_log=1_000) as plane:
        url = plane.serve().url
        monkeypatch.setenv("FLYTEAPPS_ENDPOINT", url)
        for command, shown in _commands():
            words = [each.replace(ENDPOINT, url) for each in command]
            if words[:2] == ["flyteapps", "serve"]:
                serve.make_context("serve", words[2:])
                continue
            if words[0] == "curl":
                subprocess.run(words, check=True)
            else:
                assert words[:2] == ["flyteapps", "control"]
                assert main(words[2:]) == ("found 0" in shown), command
            printed = capfd.readouterr()
            assert printed.err == ""
            assert _without_moments(printed.out.rstrip("\n")) == _without_moments(shown.rstrip("\n")), command


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example in Python runs against a server."""
    [example] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    with FakeControlPlane(clock="manual", call_log=1_000) as plane:
        exec(compile(example.replace(ENDPOINT, plane.serve().url), str(PAGE), "exec"), {})
    assert capsys.readouterr().out == "manual 0\n"


def _without_moments(text: str) -> str:
    return MOMENT.sub("MOMENT", text)
