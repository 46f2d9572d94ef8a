"""The inside of a standard plane, for tests and benchmarks of what no call shows."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.state.sections import Sections
from flyteapps_fake.processes.data_plane import DataPlane
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.dialect import Standard


def state_of(plane: FakeControlPlane) -> State:
    """Return everything that the plane holds."""
    assert isinstance(plane._dialect, Standard)
    return plane._dialect.state


def data_plane_of(plane: FakeControlPlane) -> DataPlane:
    """Return what runs the plane's apps."""
    assert plane._data_plane is not None
    return plane._data_plane


def sections_of(plane: FakeControlPlane) -> Sections:
    """Return the sections of the plane's state."""
    return plane._timeline.changes.sections
