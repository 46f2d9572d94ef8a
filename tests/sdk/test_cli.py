"""The unmodified Flyte CLI against `flyteapps serve`, each command in a process of its own."""

from __future__ import annotations

from .field import Server, User


def test_the_cli_serves_shows_updates_and_deletes(server: Server, user: User) -> None:
    """flyte serve, get app, update app and delete app work in the order in which a user meets them."""
    user.bring("my_app")
    assert "is now being served" in user.flyte("serve", "my_app.py", "env")
    assert "is now being served" in user.flyte("serve", "my_app.py", "env")
    assert server.calls().count("CreateUploadLocation OK") == 1, "the second bundle comes from the SDK's cache"
    listed = user.flyte("get", "app")
    assert "my-app" in listed and "ACTIVE" in listed
    assert "'publicUrl': 'http://my-app-" in user.flyte("get", "app", "my-app")
    refusal = user.flyte("delete", "app", "my-app", code=1)
    assert "not stopped" in refusal and "--deactivate" in refusal
    assert "deactivated successfully" in user.flyte("update", "app", "my-app", "--deactivate", "--wait")
    assert "activate initiated" in user.flyte("update", "app", "my-app", "--activate")
    # Two quick activations: the second changes nothing, which the SDK shows as an error (pinned).
    assert "Either the change has already" in user.flyte("update", "app", "my-app", "--activate", code=1)
    assert "deactivate" in user.flyte("update", "app", "my-app", "--deactivate")
    assert "my-app" in user.flyte("delete", "app", "my-app")
    assert "my-app" in user.flyte("delete", "app", "my-app"), "an absent app is deleted, too, says the SDK"
    user.flyte("get", "app", "my-app", code=1)


def test_variables_of_a_serve_never_reach_the_plane(user: User) -> None:
    """`flyte serve -e` changes the SDK's handle alone (pinned); the environment of the app does reach the plane."""
    user.bring("my_app")
    user.flyte("serve", "-e", "LATE=1", "my_app.py", "env")
    shown = user.flyte("get", "app", "my-app")
    assert "'key': 'A'" in shown and "LATE" not in shown


def test_deploy_doesnt_wait(server: Server, user: User) -> None:
    """flyte deploy is a serve without the watch."""
    user.bring("my_app")
    user.flyte("deploy", "my_app.py", "env")
    assert "Create OK" in server.calls() and not [c for c in server.calls() if c.startswith("Watch")]


def test_get_app_and_its_options(server: Server, user: User) -> None:
    """--only-mine asks who the user is, --status and --limit travel; whoami and get project are answered."""
    user.bring("my_app")
    user.flyte("serve", "my_app.py", "env")
    assert "my-app" in user.flyte("get", "app", "--only-mine", "--status", "active", "--limit", "5")
    assert "UserInfo OK" in server.calls()
    assert "my-app" not in user.flyte("get", "app", "--status", "failed")
    assert "anonymous" in user.flyte("whoami")
    assert "proj" in user.flyte("get", "project")


def test_links_lead_to_the_api_port(server: Server, user: User) -> None:
    """For an endpoint that isn't localhost:8090 the SDK prints links under /v2/ of that endpoint (pinned)."""
    user.bring("my_app")
    assert f":{server.port}/v2/domain/dev/project/proj/apps/my-app" in user.flyte("serve", "my_app.py", "env")
