"""The unmodified Flyte SDK against `flyteapps serve`; each flow is a script of flows/, run in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .field import Server, User

UPLOAD = ["SelectCluster OK", "CreateUploadLocation OK"]


def rpcs(server: Server) -> list[str]:
    """The unary RPCs so far: a watch is logged when the plane notices its end, the upload's PUT is none."""
    return [call for call in server.calls() if not call.split()[0].isupper() and not call.startswith("Watch ")]


def test_serve_new_unchanged_and_changed(server: Server, user: User) -> None:
    """flyte.serve creates, leaves alone, updates and waits, by exactly the calls that the contract lists."""
    assert "done" in user.python("serve_flow")
    calls = rpcs(server)
    assert calls[:3] == [*UPLOAD, "Create OK"]
    assert calls[3:6] == ["Get OK", "Create ALREADY_EXISTS", "Get OK"], "a Get of the flow, then an unchanged app"
    assert calls[6:9] == ["Create ALREADY_EXISTS", "Get OK", "Update OK"], "a changed app, without an upload"
    server.wait_for_calls("Watch CANCELED", 3)  # of the new, the changed and the failing app; none of an unchanged one


def test_the_life_of_an_app(user: User) -> None:
    """Every method of App does, with and without wait, what it does on a hosted plane, its own faults included."""
    user.bring("common")
    assert "done" in user.python("life_flow")


def test_listall(user: User) -> None:
    """App.listall with every option returns the apps asked for, over several pages."""
    user.bring("common")
    assert "done" in user.python("list_flow")


def test_a_configured_org(start: Callable[..., Server], tmp_path: Path) -> None:
    """With task.org the SDK works on a plane of that org, and on one that takes its org from the first request."""
    for number, options in enumerate((["--org", "acme"], [])):
        folder = tmp_path / f"user{number}"
        folder.mkdir()
        user = User(folder, f"127.0.0.1:{start(*options).port}", org="acme")
        user.bring("common")
        assert "done" in user.python("org_flow")


def test_an_image_is_built_remotely(server: Server, user: User) -> None:
    """With `image.builder: remote` an app with a flyte.Image is served without Docker: the plane names the image."""
    user.bring("image_app")
    assert "is now being served" in user.flyte("serve", "image_app.py", "app")
    calls = rpcs(server)
    assert calls[:2] == ["SelectCluster OK", "GetImage OK"]
    assert calls[-1] == "Create OK"
    server.wait_for_calls("Watch CANCELED", 1)
