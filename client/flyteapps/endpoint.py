"""Where a plane is: what a caller writes, taken apart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NoReturn, Self

from flyteapps.errors import ConfigError

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_SCHEMES = {"dns": None, "http": False, "https": True}
_FORMS = '"host:port", "dns:///host:port", "http://host:port" or "https://host:port"'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`host` without brackets; `port` None where none was given; `secure`: by TLS."""

    host: str
    port: int | None
    secure: bool

    @classmethod
    def parse(cls, text: str, insecure: bool | None = None) -> Self:
        """Takes host:port, dns:///host:port and http(s)://host:port, IPv6 in brackets.

        `insecure` None leaves it to the scheme; without one the endpoint is secure. Raises ConfigError.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller gives
            raise ConfigError(f"endpoint {text!r} is no text: it should be {_FORMS}")
        scheme, found, rest = text.partition("://")
        if not found and text.startswith("dns:"):
            scheme, rest = "dns", text.removeprefix("dns:")
        elif not found:
            scheme, rest = "", text
        scheme = scheme.lower()
        if scheme and scheme not in _SCHEMES:
            _refuse(text, f"has the scheme {scheme!r}")
        if scheme == "dns":
            rest = rest.lstrip("/")
        secure = _SCHEMES.get(scheme)
        if secure is not None and insecure is not None and secure == insecure:
            _refuse(text, f"contradicts insecure={insecure}, leave one of them out")
        host, port = _split(text, rest.removesuffix("/") if scheme else rest)
        return cls(host, port, not insecure if secure is None else secure)

    @property
    def effective_port(self) -> int:
        """The port, by default that of the scheme."""
        return self.port or (443 if self.secure else 80)

    @property
    def authority(self) -> str:
        """host[:port], with brackets where needed."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """http(s)://host[:port]"""
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def target(self) -> str:
        """host:port, for gRPC."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.effective_port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        name = self.host.lower().rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _split(text: str, rest: str) -> tuple[str, int | None]:
    for sign, what in (("/", "a path"), ("?", "a query"), ("#", "a fragment"), ("@", "a user")):
        if sign in rest:
            _refuse(text, f"has {what}, and an endpoint is a host and a port only")
    if not rest.strip():
        _refuse(text, "names no host")
    if rest.startswith("["):
        host, closed, tail = rest[1:].partition("]")
        if not closed or not _is_ipv6(host) or (tail and not tail.startswith(":")):
            _refuse(text, "has no IPv6 address within its brackets")
        return host, _port(text, tail[1:]) if tail else None
    if rest.count(":") > 1:
        if not _is_ipv6(rest):
            _refuse(text, "has more than one colon and is no IPv6 address")
        return rest, None
    host, colon, port = rest.partition(":")
    if not _HOST.fullmatch(host):
        _refuse(text, f"has {host!r} for a host")
    return host, _port(text, port) if colon else None


def _port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65_536:
        _refuse(text, f"has {port!r} for a port, which is a number from 1 to 65535")
    return int(port)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _refuse(text: str, why: str) -> NoReturn:
    raise ConfigError(f"endpoint {text!r} {why}: it should be {_FORMS}")
