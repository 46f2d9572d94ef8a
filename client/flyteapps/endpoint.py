"""Endpoint: the address of a plane, parsed from a caller's text.

Rules of this file: text in, Endpoint or ConfigError out; nothing is resolved or connected. An address that can't be
connected to is rejected here, and a message never repeats a password or a query.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NoReturn, Self

from flyteapps.errors import ConfigError

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_SCHEMES = {"dns": None, "http": False, "https": True}
_FORMS = '"host:port", "dns:///host:port", "http://host:port" or "https://host:port"'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address. `host`: as written, without brackets; `port`: None for the default one; `secure`: by TLS."""

    host: str
    port: int | None
    secure: bool

    @classmethod
    def parse(cls, text: str, insecure: bool | None = None, *, what: str = "endpoint") -> Self:
        """Parse `host[:port]`, `dns:///host[:port]`, `dns:host[:port]` and `http(s)://host[:port]`.

        IPv6 is in brackets, or bare without a port. One slash at the end is removed, as the Flyte SDK does.
        `insecure` None leaves it to the scheme; `dns` and no scheme at all mean TLS then. `what`: the name of the
        setting, for messages. `parse(endpoint.url)` gives an equal endpoint. Raises ConfigError for other texts.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller gives
            raise ConfigError(f"{what} {text!r} is not a string: it should be {_FORMS}")
        if insecure not in (None, True, False):
            raise ConfigError(f"insecure={insecure!r} should be True, False or None")
        try:
            scheme, rest = _scheme(text)
            secure = _SCHEMES.get(scheme)
            if secure is not None and insecure is not None and secure == insecure:
                other = "http" if secure else "https"
                _refuse(f"contradicts insecure={insecure}: leave insecure out, or write {other}://")
            host, port = _split(rest.removesuffix("/"))
        except _RefusedError as refused:
            raise ConfigError(f"{what} {_shown(text)} {refused}: it should be {_FORMS}") from None
        return cls(host, port, not insecure if secure is None else secure)

    @property
    def effective_port(self) -> int:
        """The port, or that of the scheme, 80 or 443."""
        return self.port or (443 if self.secure else 80)

    @property
    def authority(self) -> str:
        """The address as host[:port], as given, IPv6 in brackets."""
        return self._bracketed if self.port is None else f"{self._bracketed}:{self.port}"

    @property
    def url(self) -> str:
        """The address as http(s)://host[:port], without a slash at the end."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def target(self) -> str:
        """The address for grpcio: host:port, always with a port."""
        return f"{self._bracketed}:{self.effective_port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine: localhost, *.localhost, 127.0.0.0/8, ::1, IPv4 loopback written as IPv6."""
        name = self.host.lower().removesuffix(".")
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (inner or address).is_loopback

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class _RefusedError(Exception):
    """An invalid text; the message is the predicate of a sentence about it."""


def _refuse(why: str) -> NoReturn:
    raise _RefusedError(why)


def _scheme(text: str) -> tuple[str, str]:
    """Return the scheme in lower case, "" for none, and the rest."""
    if not text:
        _refuse("is empty")
    if any(c.isspace() or not c.isprintable() for c in text):
        _refuse("has a space, a line end or a control character in it")
    scheme, found, rest = text.partition("://")
    if not found:
        # "dns:8090" is port 8090 of a host called dns; gRPC's short form "dns:host" has something else there
        if text[:4].lower() == "dns:" and not text[4:].removesuffix("/").isdecimal():
            return "dns", text[4:]
        return "", text
    scheme = scheme.lower()
    if scheme not in _SCHEMES:
        _refuse(f"has the scheme {_cut(scheme)}" if _SCHEME.fullmatch(scheme) else "has no scheme before ://")
    if scheme == "dns":
        if "/" not in rest.removesuffix("/"):
            _refuse("needs a third slash after dns://")
        if not rest.startswith("/"):
            _refuse("names a DNS server, between dns:// and the next slash, which is not supported")
        rest = rest[1:]
    return scheme, rest


def _split(rest: str) -> tuple[str, int | None]:
    for sign, what in (("@", "a user"), ("?", "a query"), ("#", "a fragment"), ("/", "a path")):
        if sign in rest:
            _refuse(f"has {what}, and an endpoint is a host and a port only")
    if rest.startswith("["):
        host, closed, tail = rest[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")):
            _refuse('should have an IPv6 address in brackets, as in "[::1]:8090"')
        return _ipv6(host), _port(tail[1:]) if tail else None
    if rest.count(":") > 1:
        return _ipv6(rest), None
    host, colon, port = rest.partition(":")
    return _host(host), _port(port) if colon else None


def _host(host: str) -> str:
    if not host:
        _refuse("names no host")
    if not host.isascii():
        _refuse(f"has the host {host!r}, which is not ASCII: write its encoded form, which begins with xn--")
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse(f"has {_cut(host)} for a host")
    if _ENDS_IN_A_NUMBER.fullmatch(host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            _refuse(f"has {host!r} for a host, which is neither a name nor an IPv4 address")
    return host


def _ipv6(host: str) -> str:
    if "%" in host:
        _refuse("has an IPv6 address with a zone, which is not supported")
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        _refuse(f"has {_cut(host)}, which is no IPv6 address")
    return host


def _port(port: str) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5) or not 0 < int(port) < 65_536:
        _refuse(f"has {_cut(port)} for a port, which is a number from 1 to 65535")
    return int(port)


def _shown(text: str) -> str:
    """Return a text for messages: shortened, without user and password, and without anything after ? or #."""
    scheme, found, rest = text.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        scheme, found, rest = "", "", text
    if "@" in rest:
        rest = f"...@{rest.rpartition('@')[2]}"
    rest = re.sub(r"([?#]).*", r"\1...", rest, count=1, flags=re.DOTALL)
    return _cut(f"{scheme}{found}{rest}")


def _cut(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}...")
