"""The platform services' view of their plane."""

from __future__ import annotations

from typing import Protocol

from flyteapps_fake.core.call import Identity, Sees
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.state.stored import Stored


class Host(Protocol):
    """A plane, such as a FakeControlPlane."""

    settings: Settings
    stored: Stored

    @property
    def org(self) -> str:
        """The plane's own org."""
        ...

    @property
    def secrets(self) -> Secrets:
        """The plane's secrets."""
        ...

    @property
    def caller(self) -> Identity:
        """The caller of the RPC that is being answered."""
        ...

    @property
    def sees(self) -> Sees | None:
        """Whether that caller may see the apps of a project; None where it sees all."""
        ...

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        ...

    def now_ns(self) -> int:
        """Return the plane's time in nanoseconds since 1970."""
        ...
