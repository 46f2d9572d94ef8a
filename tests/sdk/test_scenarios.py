"""States and logs of apps in their scenarios, as the unmodified SDK sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import CLOCK
from .field import Server, User

SPEED = ["--speed", "100"] if CLOCK == "realtime" else []


def test_every_substate_is_seen_and_logged(start: Callable[..., Server], tmp_path: Path) -> None:
    """Scenarios lead to every pair of status and substate; a Watch, the SDK and the logs show them all."""
    server = start("--org", "acme", *SPEED)
    user = User(tmp_path, f"127.0.0.1:{server.port}", org="acme")
    user.bring("common")
    output = user.python("scenarios_flow", f"http://127.0.0.1:{server.port}")
    assert "done" in output
    for line in ("ACTIVE/RUNNING: Running", "RuntimeError: the app gave up", "Killed", "STOPPED: Stopped"):
        assert line in output, line


@pytest.mark.matrix
def test_apps_get_the_scenarios_that_the_server_was_given(start: Callable[..., Server], tmp_path: Path) -> None:
    """Seven apps without scenarios of their own show seven substates by `--scenario`; their deploys end."""
    badges = {
        "*-crashloop": "crash-loop",
        "*-oom": "oom-killed",
        "*-secret": "secret-mount-error",
        "*-init": "never-ready",
        "*-imagepull": "image-pull-error",
        "*-bigimage": "slow-image",
    }
    options = [f"--scenario={glob}={name}" for glob, name in badges.items()]
    server = start("--clock", "realtime", *options)
    user = User(tmp_path, f"localhost:{server.port}")
    user.bring("common")
    assert "done" in user.python("substates_flow")


@pytest.mark.matrix
def test_a_misspelt_scenario_and_any_cluster_pool_end(server: Server, user: User) -> None:
    """A deploy with an unknown scenario fails with a list of the known ones; apps of any pool or cluster run."""
    user.bring("common")
    assert "done" in user.python("ending_flow")


@pytest.mark.matrix
def test_a_failing_app_is_an_error_at_once(server: Server, user: User) -> None:
    """flyte.serve of an app that fails raises at once: by one Watch, without further calls."""
    assert "done" in user.python("failing_flow")
    server.wait_for_calls("Watch closed", 5)
    assert not [call for call in server.calls() if call.startswith("Get ")]


@pytest.mark.slow
def test_serve_follows_the_logs(server: Server, user: User) -> None:
    """flyte serve --follow prints the app's log."""
    user.bring("my_app")
    said = user.flyte_until("ACTIVE/RUNNING: Running", "serve", "--follow", "my_app.py", "env")
    assert "is now being served" in said and "DEPLOYING/INITIALIZING" in said
