"""The unmodified SDK and CLI against `flyteapps serve --dialect flyte-oss`; docs/flyte-oss.md lists the limitations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .field import Server, User
from .test_sdk import UPLOAD, rpcs


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    """Return a server of the dialect."""
    return start("--dialect", "flyte-oss")


@pytest.mark.slow
def test_the_life_of_an_app(server: Server, user: User) -> None:
    """The SDK serves, changes, lists, stops, starts and deletes an app; it deploys by Create only, never by Update."""
    user.bring("common")
    assert "done" in user.python("oss_flow")
    calls = rpcs(server)
    assert calls[:3] == [*UPLOAD, "Create OK"]
    assert calls[3] == "Create OK"
    assert not [call for call in calls if call.endswith(("ALREADY_EXISTS", "ABORTED"))]


@pytest.mark.matrix
def test_the_command_line(server: Server, user: User, tmp_path: Path) -> None:
    """flyte serve, get app, update app and delete app work; filters of get app have no effect (pinned)."""
    user.bring("my_app")
    assert "is now being served" in user.flyte("serve", "my_app.py", "env")
    shown = user.flyte("get", "app", "my-app")
    assert "http://my-app-proj-dev." in shown and "'key': 'A'" in shown
    listed = user.flyte("get", "app")
    assert "my-app" in listed and "ACTIVE" in listed
    assert "my-app" in user.flyte("get", "app", "--status", "failed")
    assert "deactivated successfully" in user.flyte("update", "app", "my-app", "--deactivate", "--wait")
    assert "STOPPED" in user.flyte("get", "app")
    assert "activate initiated" in user.flyte("update", "app", "my-app", "--activate")
    user.flyte("update", "app", "my-app", "--activate")  # the old ACTIVE may still be shown
    user.flyte("delete", "app", "my-app")
    user.flyte("get", "app", "my-app", code=1)
    user.flyte("delete", "app", "my-app")
