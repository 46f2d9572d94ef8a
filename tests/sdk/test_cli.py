"""The unmodified Flyte CLI against `flyteapps serve`, each command in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from .field import Server, User


@pytest.mark.slow
def test_serve_and_get(server: Server, user: User) -> None:
    """After flyte serve, get app shows the served app, by its name and in a filtered list."""
    user.bring("my_app")
    served = user.flyte("serve", "my_app.py", "env")
    assert "is now being served" in served
    # For an endpoint that isn't localhost:8090 the SDK's links point under /v2/ of that endpoint (pinned).
    assert f":{server.port}/v2/domain/dev/project/proj/apps/my-app" in served
    shown = user.flyte("get", "app", "my-app")
    assert "'publicUrl': 'http://localhost:" in shown and "/apps/my-app-" in shown and "'revision': '1'" in shown
    listed = user.flyte("get", "app", "--only-mine", "--status", "active", "--limit", "5")
    assert "my-app" in listed and "ACTIVE" in listed
    assert "UserInfo OK" in server.calls()


@pytest.mark.matrix
def test_serve_unchanged_and_get_filtered(server: Server, user: User) -> None:
    """flyte serve of an unchanged app changes nothing; get app lists and filters it, whoami and get project answer."""
    user.bring("my_app")
    user.flyte("serve", "my_app.py", "env")
    # The variables of a serve change the SDK's handle alone (pinned): the app is unchanged.
    assert "is now being served" in user.flyte("serve", "-e", "LATE=1", "my_app.py", "env")
    assert server.calls().count("CreateUploadLocation OK") == 1, "the second bundle comes from the SDK's cache"
    shown = user.flyte("get", "app", "my-app")
    assert "'revision': '1'" in shown and "'key': 'A'" in shown and "LATE" not in shown
    listed = user.flyte("get", "app")
    assert "my-app" in listed and "ACTIVE" in listed
    assert "my-app" not in user.flyte("get", "app", "--status", "failed")
    assert "anonymous" in user.flyte("whoami")
    assert "proj" in user.flyte("get", "project")


@pytest.mark.slow
def test_deploy_update_and_delete(server: Server, user: User) -> None:
    """flyte deploy doesn't wait; update app stops; delete app is refused while the app should run."""
    user.bring("slow_app")
    user.flyte("deploy", "slow_app.py", "env")
    calls = server.calls()
    assert "Create OK" in calls and not [call for call in calls if call.startswith("Watch ")]
    refusal = user.flyte("delete", "app", "my-app", code=1)
    assert "not stopped" in refusal and "--deactivate" in refusal
    assert "deactivated successfully" in user.flyte("update", "app", "my-app", "--deactivate", "--wait")
    user.flyte("delete", "app", "my-app")
    user.flyte("get", "app", "my-app", code=1)


@pytest.mark.matrix
def test_activate_again_and_delete_again(server: Server, user: User) -> None:
    """flyte update app starts a stopped app and fails for a starting one; delete app accepts an absent app."""
    user.bring("slow_app")
    user.flyte("deploy", "slow_app.py", "env")
    assert "deactivated successfully" in user.flyte("update", "app", "my-app", "--deactivate", "--wait")
    assert "activate initiated" in user.flyte("update", "app", "my-app", "--activate")
    # It is still starting: a second activation changes nothing, which the SDK shows as an error (pinned).
    assert "Either the change has already" in user.flyte("update", "app", "my-app", "--activate", code=1)
    assert "deactivate initiated" in user.flyte("update", "app", "my-app", "--deactivate")
    user.flyte("delete", "app", "my-app")
    assert "my-app" in user.flyte("delete", "app", "my-app"), "the SDK reports success for an absent app, too"


@pytest.mark.matrix
def test_get_app_without_a_project(server: Server, user: User, tmp_path: Path) -> None:
    """Without a configured project and org, get app names no scope and shows every app of the plane."""
    user.bring("my_app")
    user.flyte("deploy", "my_app.py", "env")
    (tmp_path / "other").mkdir()
    other = User(tmp_path / "other", f"127.0.0.1:{server.port}", project=None)
    assert "my-app" in other.flyte("get", "app")
