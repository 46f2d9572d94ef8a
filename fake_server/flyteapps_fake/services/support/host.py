"""What the services need of the plane that they stand beside."""

from __future__ import annotations

from typing import Protocol

from flyteapps_fake.core.settings import Settings
from flyteapps_fake.simulation.secrets import Secrets


class Host(Protocol):
    """A plane, as FakeControlPlane is one."""

    settings: Settings

    @property
    def org(self) -> str:
        """Its own org."""
        ...

    @property
    def secrets(self) -> Secrets:
        """Its secrets."""
        ...

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        ...

    def now_ns(self) -> int:
        """Return its time in nanoseconds since 1970."""
        ...
