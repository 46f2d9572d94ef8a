"""A stand-in Flyte apps control plane, in memory, for development and tests."""

from __future__ import annotations

from flyteapps_fake.control_plane import FakeControlPlane, LeakedStreams
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.settings import Settings

__all__ = ["Code", "FakeControlPlane", "LeakedStreams", "RpcError", "Settings"]
