"""Tracebacks of expected errors: the caller's own lines, and nothing of the client's or a library's insides."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps import Client, DeploymentFailed, Error, PlaneError, Unavailable, new_app
from flyteapps_fake import FakeControlPlane

from .conftest import Run
from .scripted import scripted

TESTS = Path(__file__).parent


def _foreign(caught: pytest.ExceptionInfo[Error]) -> set[str]:
    """Return the modules, other than the tests', with a frame that pytest shows of the error or of a cause."""
    found: set[str] = set()
    error: BaseException | None = caught.value
    while error is not None:
        if error.__traceback__ is not None:
            info = pytest.ExceptionInfo.from_exception(error)
            found |= {Path(entry.path).name for entry in info.traceback.filter(info) if _is_foreign(Path(entry.path))}
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def _is_foreign(path: Path) -> bool:
    return path.parent != TESTS and not path.is_relative_to(Path(asyncio.__file__).parent)


def test_a_failed_deployment_shows_the_tests_own_lines(plane: FakeControlPlane, run: Run) -> None:
    """Pytest shows no frame of the client or of the stand-in, although the app's logs couldn't be read."""
    client = Client(transport=plane.transport(), project="demo", domain="development")
    app = client.apps.create(new_app("web", image="img:1", port=80, env={"FLYTEAPPS_SCENARIO": "image-pull-error"}))
    with pytest.raises(DeploymentFailed) as caught:
        run(app.watch)
    assert _foreign(caught) == set()


def test_an_unreachable_plane_shows_the_tests_own_lines(run: Run) -> None:
    """Pytest shows no frame of the client or of a library; the causes are named."""
    with pytest.raises(Unavailable) as caught:
        run(Client("localhost:1", insecure=True, retries=None).apps.get, "x", "demo", "development")
    assert _foreign(caught) == set()
    assert isinstance(caught.value.__cause__, ConnectError)


def test_an_unexpected_error_keeps_its_traceback(run: Run) -> None:
    """Where the plane or a library is at fault, the traceback stays, as does that of any other exception."""
    broken = scripted({"Get": lambda _: ConnectError(Code.INTERNAL, "oh")})
    with pytest.raises(PlaneError) as caught:
        run(Client(transport=broken, retries=None).apps.get, "x", "demo", "development")
    assert "mock_transport.py" in _files(caught.value.__cause__)
    with pytest.raises(ZeroDivisionError) as bug:
        run(Client(transport=scripted({"Get": lambda _: 1 // 0})).apps.get, "x", "demo", "development")
    assert "client.py" in {Path(entry.path).name for entry in bug.traceback.filter(bug)}


def _files(error: BaseException | None) -> set[str]:
    assert error is not None
    return {Path(entry.path).name for entry in pytest.ExceptionInfo.from_exception(error).traceback}
