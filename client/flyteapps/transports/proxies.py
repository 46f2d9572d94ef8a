"""The proxy that the environment names, chosen here for all transports.

Rules of this file: the variables are those of curl and Go, lower case first; nothing is connected. An
invalid proxy is a ConfigError that names the variable, and never repeats its value, which may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.support.secret import Secret

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `url`: the variable's value, with a scheme; `variable`: its name, for messages."""

    url: Secret
    scheme: str
    variable: str

    def __repr__(self) -> str:
        return f"Proxy({self.scheme}, from {self.variable})"


def proxy_of(endpoint: Endpoint, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy to the endpoint, None for a direct connection, as always for loopback addresses."""
    if endpoint.is_loopback:
        return None
    names = ("https_proxy", "HTTPS_PROXY") if endpoint.secure else ("http_proxy", "HTTP_PROXY")
    if not endpoint.secure and "REQUEST_METHOD" in environ:
        names = ("http_proxy",)  # in a CGI script HTTP_PROXY is a header of the request
    variable = next((name for name in (*names, "all_proxy", "ALL_PROXY") if environ.get(name, "").strip()), None)
    if variable is None or _is_excluded(endpoint, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    url = Secret(environ[variable].strip())
    del environ  # a traceback with locals would show every variable
    if "://" not in url:
        url = Secret(f"http://{url}")
    return Proxy(url, _scheme(url, variable), variable)


def _scheme(url: Secret, variable: str) -> str:
    """Return the scheme of a proxy. Raises ConfigError."""
    expected = 'it should be "http://host:port", or the same with https, socks5 or socks5h'
    scheme = Secret(url.partition("://")[0].lower())  # in a misspelled URL it may be a password
    if _SCHEME.fullmatch(scheme) and scheme not in SCHEMES:
        raise ConfigError(f"variable {variable} names a proxy of an unknown kind: {expected}")
    if scheme not in SCHEMES or not _names_a_host(url):
        raise ConfigError(f"variable {variable} holds no URL of a proxy: {expected}")
    return str(scheme)


def _names_a_host(url: Secret) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number, a bracket that isn't closed
        return False
    return bool(parts.hostname) and port != 0 and not any(c.isspace() or not c.isprintable() for c in url)


def _is_excluded(endpoint: Endpoint, no_proxy: str) -> bool:
    """Return whether no_proxy names the endpoint: by "*", a domain with what is below it, an address, or a network."""
    host = endpoint.host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for entry in no_proxy.lower().replace(",", " ").split():
        name, port = _with_port(entry)
        if port and port != str(endpoint.effective_port):
            continue
        if name == "*":
            return True
        if address is None:
            name = name.removeprefix("*").strip(".")
            if name and (host == name or host.endswith(f".{name}")):
                return True
        elif _holds(name, address):
            return True
    return False


def _with_port(entry: str) -> tuple[str, str]:
    """Return an entry's host, address or network, without brackets, and its port, "" for any."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name + (rest if rest.startswith("/") else ""), rest.removeprefix(":") if rest.startswith(":") else ""
    name, colon, port = entry.partition(":")
    return (entry, "") if colon and ":" in port else (name, port)


def _holds(name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:  # a name
        return False
