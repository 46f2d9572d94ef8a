"""Who is turned away before anything is asked, and what he is told. The rules are the guard's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.transports.guard import Guard, host_of

MOST_HOSTS = 1_000
"""Host names that are remembered as good."""


class Doorkeeper:
    """The door of one server. `is_app`: whether an app answers under a host name."""

    def __init__(self, guard: Guard, is_app: Callable[[str], bool]) -> None:
        self._guard = guard
        self._is_app = is_app
        self.good: set[bytes] = set()
        """Values of the Host header that may ask."""

    def refusal(self, headers: Mapping[bytes, bytes], *, page: bool) -> RpcError | None:
        """Why this host or this page may not ask; None where they may. `page`: it asks for no RPC."""
        raw = headers.get(b"host", b"")
        authority = raw.decode("latin-1")
        name = host_of(authority).lower()
        if self._guard.takes_host(authority):
            if len(self.good) < MOST_HOSTS:
                self.good.add(raw)
        elif not page or not self._is_app(name):
            return RpcError(
                Code.PERMISSION_DENIED,
                f"this server listens on this machine alone and doesn't answer for the host {authority!r}: "
                f"ask for localhost, or start it with --allow-host {name or 'NAME'}",
            )
        origin = headers.get(b"origin")
        if origin is not None and not self._guard.takes_origin(origin.decode("latin-1"), authority):
            shown = origin.decode("latin-1")
            return RpcError(
                Code.PERMISSION_DENIED,
                f"pages of {shown!r} may not ask this server: start it with --cors-origin {shown}",
            )
        return None
