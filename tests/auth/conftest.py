"""Fixtures of the tests of authentication."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from auth.support import AUTH
from flyteapps_fake import FakeControlPlane


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane that knows the users and clients of AUTH."""
    with FakeControlPlane(auth=AUTH, clock="manual", call_log=100) as plane:
        yield plane


@pytest.fixture
def http(plane: FakeControlPlane) -> Iterator[httpx.Client]:
    """An HTTP client of that plane's server, which follows no redirects."""
    with plane.serve() as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client
