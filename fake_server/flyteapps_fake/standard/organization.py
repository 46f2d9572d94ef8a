"""The org of a plane, and the filling of an org that a request leaves empty.

Runs before validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError

DEFAULT_ORG = "flyte"

MAX_ADOPTED = 255
"""Characters of an org that a plane without one adopts; it keeps it, and names it in messages and pages."""

ENDPOINTS = re.compile(r"[0-9]{1,3}|localhost")
"""The orgs that the Flyte SDK makes up if only an endpoint such as 127.0.0.1:8090 is configured: its first label."""


class Organization:
    """The plane's own org: the configured one, or the first that a request names.

    Without a configured one, an org that is only a piece of the endpoint's address is the plane's own, too. `touch` is
    called before it changes.
    """

    def __init__(self, configured: str | None, touch: Callable[[], None]) -> None:
        self._touch = touch
        self._name = configured
        self._configured = configured is not None

    @property
    def name(self) -> str:
        """The org, the default one as long as none is decided."""
        return self._name or DEFAULT_ORG

    def settle(self) -> None:
        """Fix the org, which the first stored app does."""
        if self._name is None:
            self._touch()
            self._name = self.name

    @property
    def decided(self) -> str:
        """The org, "" as long as none is decided."""
        return self._name or ""

    def decide(self, name: str) -> None:
        """Take the org of a plane whose state is taken; a configured one stays."""
        if not self._configured:
            self._name = name or None

    def check(self, org: str) -> None:
        """Check that the plane can take the apps of an org. Raises ValueError where another one is configured."""
        if self._configured and org != self._name:
            raise ValueError(
                f"an app is of the org {org}, and this plane's is {self._name}: start one with --org {org}"
            )

    def fill(self, call: Call[Any]) -> str:
        """Replace an empty org of the request by the plane's own; return the org that it names, "" for none."""
        place = call.operation.org(call.request)
        if place is None:
            return ""
        holder, attribute = place
        named: str = getattr(holder, attribute)
        if not named or (named != self._name and not self._configured and ENDPOINTS.fullmatch(named)):
            setattr(holder, attribute, self.name)
            return ""
        return named

    def adopt(self, named: str) -> None:
        """Adopt the org of the first valid request that names one, unless it is longer than an org can be."""
        if not self._name and 0 < len(named) <= MAX_ADOPTED:
            self._touch()
            self._name = named

    def require(self, org: str) -> None:
        """Refuse an app of another org. Raises NOT_FOUND."""
        if org != self.name:
            shown = org if len(org) <= MAX_ADOPTED else f"{org[:MAX_ADOPTED]}..."
            raise RpcError(
                Code.NOT_FOUND,
                f"this plane serves org {self.name!r}, not {shown!r}: configure the client for it (task.org: "
                f"{self.name} in Flyte's config.yaml, or flyte.init(org={self.name!r})), or start a plane with --org "
                f"{shown}; one without --org takes the first org that a request names",
            )
