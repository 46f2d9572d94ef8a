"""The directed checks of the contract on planes whose apps really run: what holds of a simulated plane holds there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from serving.server_process import ServerProcess

SERVE = """#!/bin/sh
exec "{python}" -S -E -c '
import os, socket
sock = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    sock.accept()[0].close()
'
"""
"""The program `serve`, which is all that the spec of the suite's apps has: a server that answers nothing."""
SECONDS = 560
LEAST_HELD = 42
"""Guarantees that hold; of the others each is one that needs a clock that can be moved, tokens, or other clusters."""


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)  # nothing is computed meanwhile, but a busy machine makes each wait longer
@pytest.mark.parametrize("kind", ["portable", pytest.param("pyvoy", marks=pytest.mark.matrix)])
def test_the_contract_holds(kind: str, tmp_path: Path) -> None:
    """No directed check is broken or left without a verdict."""
    program = tmp_path / "bin" / "serve"
    program.parent.mkdir()
    program.write_text(SERVE.format(python=sys.executable))
    program.chmod(0o755)
    options = ("--server", kind, "--run", "--python", str(tmp_path), "--app-directory", str(tmp_path / "run"))
    report = tmp_path / "report.json"
    with ServerProcess(*options) as server:
        command = [sys.executable, "-m", "flyteapps.cli", "verify", f"localhost:{server.port}"]
        done = subprocess.run(
            [*command, "--profile", "directed", "--json", str(report)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [each["verdict"] for each in json.loads(report.read_text())["guarantees"]]
    assert set(verdicts) <= {"holds", "hardly tried", "not offered"}  # a plane of its own kind offers half of some only
    assert verdicts.count("holds") >= LEAST_HELD
