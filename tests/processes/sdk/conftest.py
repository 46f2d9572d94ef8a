"""A plane that runs apps, and its user with the unmodified SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
    return Developer(plane, tmp_path)
