"""A plane that runs apps, and its user with the unmodified SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sdk.field import User

from flyteapps import Client
from flyteapps_fake import FakeControlPlane

from .developing import Developer

SETTINGS = {"retry_seconds": 0.05, "secrets": {"GIVEN": "given by the server"}}


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """Return a plane whose apps run, served to the user's processes."""
    with FakeControlPlane(data_plane="processes", processes=SETTINGS) as plane:
        plane.serve()
        yield plane


@pytest.fixture
def developer(plane: FakeControlPlane, tmp_path: Path) -> Developer:
    """Return a developer with a folder of their own."""
    user = User(tmp_path, f"127.0.0.1:{plane.serve().port}")
    return Developer(user, Client(transport=plane.transport(), project="proj", domain="dev"))
