"""Who is turned away before anything is asked, and what he is told. The rules are the guard's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.access.host_policy import Guard, host_of
from flyteapps_fake.http.protocol.wire import HeaderList

MOST_HOSTS = 1_000
LONGEST_HOST = 300
"""Host headers that are remembered as good, and bytes of one that is."""
LONGEST_SHOWN = 200
SITE = b"sec-fetch-site"
"""By which a browser says whether a request is that of a page of another site; no page can change it."""


class Doorkeeper:
    """The door of one server. `is_app`: whether an app answers under a host name."""

    def __init__(self, guard: Guard, is_app: Callable[[str], bool]) -> None:
        self._guard = guard
        self._is_app = is_app
        self.good: set[bytes] = set()
        """Values of the Host header that may ask."""

    def refusal(self, pairs: HeaderList, headers: Mapping[bytes, bytes], *, page: bool) -> RpcError | None:
        """Why this host or this page may not ask; None where they may. `page`: it asks for no RPC.

        `pairs` are the headers as they came, `headers` the last of each name.
        """
        for name in (b"host", b"origin"):
            if name in headers and len({value for key, value in pairs if key == name}) > 1:
                return RpcError(
                    Code.PERMISSION_DENIED, f"the request has two {name.decode()} headers that differ: send one"
                )
        raw = headers.get(b"host", b"")
        authority = raw.decode("latin-1")
        if self._guard.takes_host(authority):
            if len(self.good) < MOST_HOSTS and len(raw) <= LONGEST_HOST:
                self.good.add(raw)
        elif not page or not self._is_app(host_of(authority)):
            return RpcError(
                Code.PERMISSION_DENIED,
                "this server listens on this machine alone and doesn't answer for the host "
                f"{authority[:LONGEST_SHOWN]!r}: ask for localhost, or start it with --allow-host "
                f"{host_of(authority) or 'NAME'}",
            )
        origin = headers.get(b"origin")
        if origin is not None:
            shown = origin.decode("latin-1")
            if not self._guard.takes_origin(shown, authority):
                return RpcError(
                    Code.PERMISSION_DENIED,
                    f"pages of {shown[:LONGEST_SHOWN]!r} may not ask this server: start it with --cors-origin "
                    f"{shown[:LONGEST_SHOWN]}",
                )
        elif headers.get(SITE) == b"cross-site" and not (self._guard.all_origins or (page and _navigates(headers))):
            return RpcError(
                Code.PERMISSION_DENIED,
                "a page of another site sent this request without saying which: start the server with --cors-origin "
                "* if any may",
            )
        return None


def _navigates(headers: Mapping[bytes, bytes]) -> bool:
    """Whether somebody followed a link; the page with the link sees nothing of the answer."""
    return headers.get(b"sec-fetch-mode") == b"navigate"
