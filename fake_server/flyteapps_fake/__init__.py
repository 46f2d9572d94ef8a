"""A stand-in Flyte apps control plane, in memory, for development and tests."""

# Names are imported on first use: the parent process of `flyteapps serve` needs none of them, and they cost 0.2 s.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane, LeakedStreams
    from flyteapps_fake.core.errors import Code, RpcError
    from flyteapps_fake.core.settings import Settings

__all__ = ["Code", "FakeControlPlane", "LeakedStreams", "RpcError", "Settings"]

_HOMES = {
    "Code": "core.errors",
    "FakeControlPlane": "control_plane",
    "LeakedStreams": "control_plane",
    "RpcError": "core.errors",
    "Settings": "core.settings",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
