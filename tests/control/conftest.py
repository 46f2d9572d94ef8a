"""The plane of tests of the control API that hold for each dialect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flyteapps_fake import FakeControlPlane


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on the manual clock."""
    with FakeControlPlane(call_log=1_000, dialect=request.param, clock="manual") as made:
        yield made
