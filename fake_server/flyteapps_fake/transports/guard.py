"""Who may ask a server: under which host names, and from pages of which origins. Decisions alone, no answers.

A server that listens on the loopback is safe from other machines, and still within reach of every page that a browser
on this one opens: a page may send requests to it, and with a host name of its own that leads to 127.0.0.1 (DNS
rebinding) it may read the answers, too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether it is this machine: localhost, *.localhost, 127.0.0.0/8 and ::1. `host`: without port and brackets."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Guard:
    """The rules of one server.

    `bound`: the address that it listens on; only on the loopback are host names
    checked. `hosts`: names that are taken besides those of the loopback, each with
    what stands under it. `origins`: of pages on other machines, such as
    https://console.example.com, or * for all.
    """

    def __init__(self, bound: str, hosts: Iterable[str] = (), origins: Sequence[str] = ()) -> None:
        self._checked = is_loopback(bound)
        self._hosts = tuple(host.lower().strip(".") for host in hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def takes_host(self, authority: str) -> bool:
        """Whether requests for that host[:port] are answered."""
        if not self._checked:
            return True
        name = host_of(authority).lower().removesuffix(".")
        return is_loopback(name) or any(name == host or name.endswith(f".{host}") for host in self._hosts)

    def takes_origin(self, origin: str, authority: str) -> bool:
        """Whether a page of that origin may ask: one of this machine, of this very server, or an allowed one."""
        if "*" in self._origins or origin.lower() in self._origins:
            return True
        try:
            parts = urlsplit(origin)
            return is_loopback(parts.hostname or "") or (bool(parts.netloc) and parts.netloc == authority)
        except ValueError:
            return False


def host_of(authority: str) -> str:
    """The host of host[:port], without brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0] if authority.count(":") == 1 else authority


def check_origin(origin: str) -> None:
    """ValueError for what can be no origin of a page."""
    if origin == "*":
        return
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{origin!r} is no origin: give one such as https://console.example.com, or *")
