"""The destination of a request at the router: an app, by host name or by path, or the plane's own pages. No IO."""

from __future__ import annotations

import functools
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from flyteapps_control.selection import AppName
from flyteapps_fake.core.hostnames import is_loopback
from flyteapps_fake.http.access.host_policy import host_of
from flyteapps_fake.processes.routes import Route, Routes
from flyteapps_fake.standard.ingress import APPS, subdomain_of_path

INTERNAL = b"/_flyteapps/apps/"
"""The prefix of the paths under which apps reach each other: PROJECT/DOMAIN/NAME follow."""
_APPS = APPS.encode()
MAX_KNOWN_HOST_BYTES = 260


class Host(NamedTuple):
    """The host name of a request, "" for an invalid one, and whether it is one of this machine's own."""

    name: str
    is_loopback: bool


class Destination(NamedTuple):
    """An app, and the request's target there: without `prefix`, the part of the path that led to it.

    `is_internal`: the request is that of another app, which needs no token.
    """

    route: Route
    target: bytes
    prefix: bytes = b""
    is_internal: bool = False


class Redirect(NamedTuple):
    """The path of an app without the slash at its end."""

    location: bytes


class NoApp(NamedTuple):
    """A path of an app that isn't there."""

    message: str


def read_host(raw: bytes) -> Host:
    """Parse a Host header."""
    return _read_host(raw) if len(raw) <= MAX_KNOWN_HOST_BYTES else Host("", False)


@functools.lru_cache(maxsize=1_024)
def _read_host(raw: bytes) -> Host:
    name = host_of(raw.decode("latin-1"))
    return Host(name, bool(name) and is_loopback(name))


def route_of_host(routes: Routes, base_domain: str, name: str) -> Route | None:
    """Return the route of an app's host name: its subdomain below the base domain, or one of its own."""
    label, _, domain = name.partition(".")
    found = routes.of_label(label) if domain == base_domain else None
    return found or routes.of_host(name)


def destination(routes: Routes, base_domain: str, host: str, target: bytes) -> Destination | Redirect | NoApp | None:
    """Return the destination of a request, None for the plane's own pages."""
    route = route_of_host(routes, base_domain, host)
    if route is not None:
        return Destination(route, target)
    if target.startswith(_APPS):
        return _of_subdomain(routes, target)
    if target.startswith(INTERNAL):
        return _of_name(routes, target)
    return None


def _of_subdomain(routes: Routes, target: bytes) -> Destination | Redirect | None:
    path, question, query = target.partition(b"?")
    label = subdomain_of_path(path.decode("latin-1"))
    route = routes.of_label(label) if label else None
    if route is None:
        return None  # the plane's pages say so
    prefix = _APPS + label.encode()
    rest = path[len(prefix) :]
    if not rest:
        return Redirect(prefix + b"/" + question + query)
    return Destination(route, rest + question + query, prefix)


def _of_name(routes: Routes, target: bytes) -> Destination | NoApp:
    path, question, query = target.partition(b"?")
    parts = path[len(INTERNAL) :].split(b"/", 3)
    if len(parts) < 3:
        return NoApp(f"paths of apps have the form {INTERNAL.decode()}PROJECT/DOMAIN/NAME/")
    app = AppName(*(unquote_to_bytes(part).decode("utf-8", "replace") for part in parts[:3]))
    route = routes.of_app(app)
    if route is None:
        return NoApp(f"there is no app {app}: check its project, domain and name, or deploy it")
    prefix = INTERNAL + b"/".join(parts[:3])
    rest = b"/" + parts[3] if len(parts) > 3 else b"/"
    return Destination(route, rest + question + query, prefix)
