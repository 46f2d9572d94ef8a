"""The check of a request's host and origin against the host policy, and the refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.access.host_policy import HostPolicy, host_of
from flyteapps_fake.http.protocol.wire import HeaderList

MAX_KNOWN_HOSTS = 1_000
"""Host headers that are remembered as allowed."""
MAX_KNOWN_HOST_BYTES = 300
"""Bytes of a Host header that is remembered."""
MAX_SHOWN_CHARACTERS = 200
"""Characters of a header that a refusal quotes."""
SITE = b"sec-fetch-site"
"""The header by which a browser marks requests of pages of other sites; no page can change it."""


class HostCheck:
    """The check of one server. `is_app`: whether a host name is an app's."""

    def __init__(self, policy: HostPolicy, is_app: Callable[[str], bool]) -> None:
        self._policy = policy
        self._is_app = is_app
        self.allowed: set[bytes] = set()
        """Values of the Host header that are known as allowed."""

    def refusal(self, pairs: HeaderList, headers: Mapping[bytes, bytes], *, page: bool) -> RpcError | None:
        """Return why the host or origin is refused, None where it is allowed. `page`: the request is no RPC.

        `pairs` are all headers, `headers` the last value of each name.
        """
        for name in (b"host", b"origin"):
            if name in headers and len({value for key, value in pairs if key == name}) > 1:
                return RpcError(
                    Code.PERMISSION_DENIED, f"the request has two {name.decode()} headers that differ: send one"
                )
        raw = headers.get(b"host", b"")
        authority = raw.decode("latin-1")
        if self._policy.allows_host(authority):
            if len(self.allowed) < MAX_KNOWN_HOSTS and len(raw) <= MAX_KNOWN_HOST_BYTES:
                self.allowed.add(raw)
        elif not page or not self._is_app(host_of(authority)):
            if raw and not host_of(authority):
                shown = authority[:MAX_SHOWN_CHARACTERS]
                return RpcError(Code.PERMISSION_DENIED, f"the host {shown!r} is neither NAME nor NAME:PORT")
            return RpcError(
                Code.PERMISSION_DENIED,
                "this server listens on this machine alone and doesn't answer for the host "
                f"{authority[:MAX_SHOWN_CHARACTERS]!r}: ask for localhost, or start it with --allow-host "
                f"{host_of(authority) or 'NAME'}",
            )
        origin = headers.get(b"origin")
        if origin is not None:
            shown = origin.decode("latin-1")
            if not self._policy.allows_origin(shown, authority):
                return RpcError(
                    Code.PERMISSION_DENIED,
                    f"pages of {shown[:MAX_SHOWN_CHARACTERS]!r} may not ask this server: start it with --cors-origin "
                    f"{shown[:MAX_SHOWN_CHARACTERS]}",
                )
        elif headers.get(SITE) == b"cross-site" and not (self._policy.all_origins or (page and _navigates(headers))):
            return RpcError(
                Code.PERMISSION_DENIED,
                "a page of another site sent this request without saying which: start the server with --cors-origin "
                "* if any may",
            )
        return None


def _navigates(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the user followed a link; the page with the link can't read the answer."""
    return headers.get(b"sec-fetch-mode") == b"navigate"
