"""Fixtures for people's own tests, registered by an entry point. Nothing heavy is imported until one is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

__all__ = ["plane", "plane_endpoint"]


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """Return a fresh stand-in control plane on the auto clock; it fails a test that leaves a stream open."""
    from flyteapps_fake.control_plane import FakeControlPlane

    try:
        made = FakeControlPlane()
    except ModuleNotFoundError as missing:
        pytest.fail(str(missing), pytrace=False)
    with made as fresh:
        yield fresh


@pytest.fixture
def plane_endpoint(plane: FakeControlPlane) -> str:
    """Return that plane's URL, such as "http://localhost:43210": Connect, gRPC-Web and gRPC, until the test ends.

    By name: of http://127.0.0.1:43210 the Flyte SDK would make the org "127".
    """
    return f"http://localhost:{plane.serve().port}"
