"""The host names that a server answers, and the origins of the pages that may call it. Decisions alone, no answers.

A server that listens on the loopback is safe from other machines, and still within reach of every page that a browser
on this one opens: a page may send requests to it, and with a host name of its own that resolves to 127.0.0.1 (DNS
rebinding) it may read the answers, too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flyteapps_fake.core.hostnames import is_loopback


class Authority(NamedTuple):
    """A host[:port]: the host in lower case, without brackets and the dot at the end; port 0 where none is named."""

    host: str
    port: int


class Origin(NamedTuple):
    """The origin of a page, as a browser states it, its port always named."""

    scheme: str
    host: str
    port: int


_HOST = r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))"
_AUTHORITY = re.compile(_HOST + r"(?::([0-9]{1,5})?)?\Z")
_ORIGIN = re.compile(r"(https?)://([^/]*)\Z", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


def parse_authority(text: str) -> Authority | None:
    """Parse host[:port]; None for anything else, such as a user's name before it or a backslash in it."""
    found = _AUTHORITY.match(text)
    if found is None:
        return None
    address, name, port = found.groups()
    if address is not None:
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return None
    return Authority((address or name).lower().removesuffix("."), int(port or 0))


def parse_origin(text: str) -> Origin | None:
    """Parse scheme://host[:port] of HTTP; None for anything else, "null" among it."""
    found = _ORIGIN.match(text)
    authority = parse_authority(found[2]) if found is not None else None
    if found is None or authority is None:
        return None
    scheme = found[1].lower()
    return Origin(scheme, authority.host, authority.port or _PORTS[scheme])


class HostPolicy:
    """The rules of one server.

    `bound`: the address that it listens on; on others than the loopback every host name is allowed. `hosts`: names that
    are allowed besides those of the loopback, each with its subdomains. `origins`: of pages on other machines, such as
    https://console.example.com, or * for all.
    """

    def __init__(self, bound: str, hosts: Iterable[str] = (), origins: Sequence[str] = ()) -> None:
        self._checked = is_loopback(bound)
        self._hosts = tuple(host.lower().strip(".") for host in hosts)
        self.all_origins = "*" in origins
        self._origins = frozenset(filter(None, (parse_origin(origin.rstrip("/")) for origin in origins)))

    def allows_host(self, authority: str) -> bool:
        """Return whether requests for that host[:port] are answered."""
        if not self._checked:
            return not authority or parse_authority(authority) is not None
        name = host_of(authority)
        return is_loopback(name) or any(name == host or name.endswith(f".{host}") for host in self._hosts)

    def allows_origin(self, origin: str, authority: str) -> bool:
        """Return whether pages of that origin are answered: of this machine, of this very server, or an allowed one."""
        if self.all_origins:
            return True
        page = parse_origin(origin)
        if page is None:
            return False
        if page in self._origins or is_loopback(page.host):
            return True
        own = parse_authority(authority)
        return own is not None and (own.host, own.port or _PORTS[page.scheme]) == (page.host, page.port)


def host_of(authority: str) -> str:
    """Return the host of host[:port] in lower case, without brackets; "" for an invalid one."""
    found = parse_authority(authority)
    return found.host if found is not None else ""


def check_origin(origin: str) -> None:
    """Raise ValueError for an invalid origin."""
    if origin != "*" and parse_origin(origin.rstrip("/")) is None:
        raise ValueError(f"{origin!r} is no origin: give one such as https://console.example.com, or *")
