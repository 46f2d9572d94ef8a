"""The unmodified SDK and CLI with the platform services: tasks, artifacts, runs, secrets, projects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .field import Server, User


@pytest.mark.slow
def test_platform_services(start: Callable[..., Server], tmp_path: Path) -> None:
    """A file with a task beside its app deploys, with declared parameters; secrets and projects are managed.

    The CLI shows the message for a method that isn't offered, too.
    """
    outputs = [f"--run-output={value}" for value in ("beside.double=s3://out/", "words=first", "words=second")]
    server = start("--artifact", "bert=s3://m/old/", "--artifact", "bert@v2=s3://m/new/", *outputs)
    user = User(tmp_path, f"127.0.0.1:{server.port}")
    user.bring("common")
    assert "done" in user.python("beside_flow")
    assert {"DeployTask OK", "GetArtifact OK", "GetActionData OK", "Create OK"} <= set(server.calls())
    message = user.flyte("run", "beside_flow.py", "double", "--x", "1", code=1)
    assert "is not offered: this stand-in of the Flyte apps control plane" in message and "runs no tasks" in message
