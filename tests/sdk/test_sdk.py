"""The unmodified Flyte SDK against `flyteapps serve`; each flow is a script of flows/, run in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .field import Server, User

UPLOAD = ["SelectCluster OK", "CreateUploadLocation OK"]


def rpcs(server: Server) -> list[str]:
    """Return the unary RPCs so far, without Watch (logged at its end) and the upload's PUT."""
    return [call for call in server.calls() if not call.split()[0].isupper() and not call.startswith("Watch ")]


@pytest.mark.slow
def test_serve_new_unchanged_and_changed(server: Server, user: User) -> None:
    """flyte.serve creates a new app, leaves an unchanged one, updates a changed one, by exactly the listed calls."""
    assert "done" in user.python("serve_flow")
    calls = rpcs(server)
    assert calls[:3] == [*UPLOAD, "Create OK"]
    assert calls[3:6] == ["Get OK", "Create ALREADY_EXISTS", "Get OK"], "a Get of the flow, then an unchanged app"
    assert calls[6:9] == ["Create ALREADY_EXISTS", "Get OK", "Update OK"], "a changed app, without an upload"
    server.wait_for_calls("Watch closed", 3)  # of the new, the changed and the failing app; none of an unchanged one


def test_the_life_of_an_app(user: User) -> None:
    """Every method of App, with and without wait, behaves as on a hosted plane, including the SDK's own bugs."""
    user.bring("common")
    assert "done" in user.python("life_flow")


@pytest.mark.slow
def test_listall(user: User) -> None:
    """App.listall returns the requested apps for every option, over several pages."""
    user.bring("common")
    assert "done" in user.python("list_flow")


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--org", "acme"], pytest.param([], marks=pytest.mark.matrix)])
def test_a_configured_org(options: list[str], start: Callable[..., Server], tmp_path: Path) -> None:
    """With task.org the SDK works on a plane of that org, and on one that adopts the org of the first request."""
    user = User(tmp_path, f"127.0.0.1:{start(*options).port}", org="acme")
    user.bring("common")
    assert "done" in user.python("org_flow")


@pytest.mark.slow
def test_an_image_is_built_remotely(server: Server, user: User) -> None:
    """With `image.builder: remote` an app with a flyte.Image is served without Docker: the plane names the image."""
    user.bring("image_app")
    assert "is now being served" in user.flyte("serve", "image_app.py", "app")
    calls = rpcs(server)
    assert calls[:2] == ["SelectCluster OK", "GetImage OK"]
    assert calls[-1] == "Create OK"
    server.wait_for_calls("Watch closed", 1)
