"""The fixtures for people's own tests, as their tests use them, and how little they cost where none does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = """
from flyteidl2.app.app_payload_pb2 import ListRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync

def test_in_process(plane):
    assert not plane.stub().list(ListRequest()).apps

def test_over_a_port(plane_endpoint):
    with AppServiceClientSync(plane_endpoint) as client:
        assert not client.list(ListRequest()).apps

def test_a_leak(plane):
    plane.on_schedule.append(iter(plane.stub().watch(WATCH)))
"""


def test_the_fixtures_are_there(tmp_path: Path) -> None:
    """Both fixtures work in another project; a stream left open fails its test at the end."""
    watch = "from flyteidl2.app.app_payload_pb2 import WatchRequest\nWATCH = WatchRequest(org='flyte')\n"
    (tmp_path / "test_theirs.py").write_text(watch + EXAMPLE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "3 passed, 1 error" in done.stdout, done.stdout
    assert "LeakedStreams: 1 stream(s)" in done.stdout


def test_an_unused_plugin_imports_nothing() -> None:
    """Loading the plugin brings no module but its own and pytest's: it costs those who don't use it nothing."""
    script = (
        "import pytest, sys; before = set(sys.modules); import flyteapps_fake.pytest_plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "['flyteapps_fake', 'flyteapps_fake.pytest_plugin']"
