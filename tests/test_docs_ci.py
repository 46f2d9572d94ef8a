"""The examples of docs/ci.md run: the workflow's steps, the shell script, the tests."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from import_graph import ROOT

PAGE = ROOT / "docs" / "ci.md"
SECONDS = 200
ERRORS = "set -e -o pipefail\n"
"""The shell options of GitHub's runners, in effect."""


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def free_port() -> int:
    """Return a port of the loopback that was free just now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def run_command(folder: Path, *command: str) -> str:
    """Run the command in this folder, then end the processes that it left; return its output, or fail."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FLYTE", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**env, "PATH": path, "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode == 0, printed
    return printed


@pytest.mark.slow
def test_the_steps_of_the_workflow_run(tmp_path: Path) -> None:
    """The workflow's server starts, is waited for, and answers; only its port is another."""
    [workflow] = [yaml.safe_load(block) for block in _blocks("yaml")]
    steps = {step.get("name"): step for step in workflow["jobs"]["test"]["steps"]}
    script = "".join(f"{steps[name]['run']}\n" for name in ("Start a server", "Test against the server"))
    assert '"SERVING"' in run_command(tmp_path, "bash", "-c", ERRORS + script.replace("8090", str(free_port())))


@pytest.mark.slow
def test_a_script_reads_the_ports(tmp_path: Path) -> None:
    """The script finds the address of each of two servers, and each has its own org."""
    [script] = _blocks("shell")
    printed = run_command(tmp_path, "bash", "-c", ERRORS + script)
    assert re.findall(r'"org": "(\w+)"', printed) == ["red", "blue"]


@pytest.mark.slow
def test_the_tests_pass(tmp_path: Path) -> None:
    """The page's tests pass outside of this project's own configuration, with pytest-xdist, too."""
    for number, block in enumerate(_blocks("python")):
        (tmp_path / f"test_page_{number}.py").write_text(block, encoding="utf-8")
    options = ("-q", "-p", "no:asyncio", "-p", "no:cacheprovider")
    for workers in ((), ("-n", "2")):
        assert "4 passed" in run_command(tmp_path, sys.executable, "-m", "pytest", *options, *workers)
