"""The inside of a standard plane, for tests and benchmarks of what no call shows."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.dialect import Standard


def state_of(plane: FakeControlPlane) -> State:
    """Return everything that the plane holds."""
    assert isinstance(plane._dialect, Standard)
    return plane._dialect.state
