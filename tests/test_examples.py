"""The programs of examples/ run, each in a process of its own; tests/serving/test_operators.py has the operator."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import ROOT

from serving.server_process import ServerProcess

SECONDS = 90


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Return the address of a server of this module."""
    with ServerProcess("--clock", "auto") as server:
        yield f"localhost:{server.port}"


def _run(example: str, folder: Path, *command: str) -> str:
    """Run Python with a copy of an example in this folder, without our settings; return its output, or fail."""
    shutil.copy(ROOT / "examples" / example, folder)
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


def test_the_sdk_deploys(endpoint: str, tmp_path: Path) -> None:
    """The SDK's example ends with its app deployed, and stopped again."""
    printed = _run("deploy_with_sdk.py", tmp_path, "deploy_with_sdk.py", endpoint)
    assert "hello-sdk is active: http" in printed
    assert printed.endswith("hello-sdk is stopped\n")


def test_the_client_follows_an_app(endpoint: str, tmp_path: Path) -> None:
    """The client's example sees an app become active, and another one fail."""
    active, listed, failed = _run("use_client.py", tmp_path, "use_client.py", endpoint).splitlines()
    assert active.startswith("hello-client is active: http")
    assert "hello-client" in listed
    assert failed.startswith("broken failed: ")
    assert "IMAGE_PULL_ERROR" in failed


def test_the_pytest_suite_passes(tmp_path: Path) -> None:
    """The example of a test suite passes outside of this project's own configuration."""
    pytest_options = ("-q", "-p", "no:asyncio", "-p", "no:cacheprovider")
    printed = _run("test_with_stand_in.py", tmp_path, "-m", "pytest", *pytest_options, "test_with_stand_in.py")
    assert "4 passed" in printed


def test_every_example_is_run() -> None:
    """An example that no test runs would rot."""
    examples = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert examples == {"app_operator.py", "deploy_with_sdk.py", "test_with_stand_in.py", "use_client.py"}
