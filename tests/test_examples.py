"""The programs of examples/ run, each in a process of its own; tests/serving/test_operators.py has the operator."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import ROOT

from serving.server_process import ServerProcess, eventually

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TUTORIAL = ROOT / "docs" / "tutorial.md"
RUN_PROGRAM = ROOT / "tests" / "sdk" / "run_program.py"
SECONDS = 200
PYTEST_OPTIONS = ("-q", "-p", "no:asyncio", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Return the address of a server of this module."""
    with ServerProcess("--clock", "auto") as server:
        yield f"localhost:{server.port}"


def _run(folder: Path, *command: str) -> str:
    """Run Python in this folder with copies of the examples, without our settings; return its output, or fail."""
    for example in EXAMPLES:
        shutil.copy(example, folder)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FLYTE", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**env, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_sdk_deploys(endpoint: str, tmp_path: Path) -> None:
    """The SDK's example ends with its app deployed, and stopped again."""
    printed = _run(tmp_path, str(RUN_PROGRAM), "deploy_with_sdk.py", endpoint)
    assert "hello-sdk is active: http" in printed
    assert printed.endswith("hello-sdk is stopped\n")


def test_the_client_follows_an_app(endpoint: str, tmp_path: Path) -> None:
    """The client's example sees an app become active, and another one fail."""
    active, listed, failed = _run(tmp_path, "use_client.py", endpoint).splitlines()
    assert active.startswith("hello-client is active: http")
    assert "hello-client" in listed
    assert failed.startswith("broken failed: ")
    assert "IMAGE_PULL_ERROR" in failed


def test_the_pytest_suite_passes(tmp_path: Path) -> None:
    """The example of a test suite passes outside of this project's own configuration."""
    assert "4 passed" in _run(tmp_path, "-m", "pytest", *PYTEST_OPTIONS, "test_with_stand_in.py")


def test_the_operator_ends_by_ctrl_c(endpoint: str) -> None:
    """The operator's example, with its streams open, ends at one interrupt, without a traceback."""
    command = [sys.executable, "-u", str(ROOT / "examples" / "app_operator.py"), f"http://{endpoint}"]
    inherited = signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where a shell runs these tests in the background
    try:
        operator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        signal.signal(signal.SIGINT, inherited)
    with operator:
        try:
            eventually(lambda: _open_streams(endpoint) == 2, "the streams of the operator aren't open")
            operator.send_signal(signal.SIGINT)
            printed, _ = operator.communicate(timeout=SECONDS)
        finally:
            operator.kill()
    assert (operator.returncode, printed) == (0, "east: waiting for apps\n")


def _open_streams(endpoint: str) -> int:
    with urllib.request.urlopen(f"http://{endpoint}/healthz", timeout=SECONDS) as response:
        count: int = json.load(response)["streams"]["open"]
        return count


def test_the_operator_shows_its_usage(tmp_path: Path) -> None:
    """With --help, the operator's example prints how to start it and its server."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "app_operator.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "--data-plane none --pool default=east,west" in done.stderr


@pytest.mark.slow
def test_the_tutorials_tests_pass(tmp_path: Path) -> None:
    """The test file that docs/tutorial.md shows passes."""
    [block] = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "test_tutorial.py").write_text(block, encoding="utf-8")
    assert "2 passed" in _run(tmp_path, "-m", "pytest", *PYTEST_OPTIONS, "test_tutorial.py")


def test_every_example_is_run() -> None:
    """An example that no test runs would rot."""
    names = {path.name for path in EXAMPLES}
    assert names == {"app_operator.py", "deploy_with_sdk.py", "test_with_stand_in.py", "use_client.py"}
