"""Public names of apps: generated subdomains, the URLs built from them, and the owners of hosts.

A host belongs to one app at a time. A public URL has one of three forms: a host name of its own under the base domain,
a path under /apps/ on the plane's own host, which every client can resolve, or a port of its own on the loopback.
Whichever is shown, the first two lead to the app, too: a subdomain is kept as the host name that it has under the base
domain.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from flyteidl2.app.app_definition_pb2 import App, Ingress, IngressConfig

from flyteapps_fake.core.draws import Seed, drawn
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.hostnames import is_address, is_hostname, is_label, is_loopback
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.standard.apps import AppKey

APPS = "/apps/"
"""The prefix of the paths of apps."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
PORTS = range(20_000, 32_768)
"""The ports of apps: below those that systems hand out by themselves."""
PortChoice = Callable[[Callable[[int], bool], Any], int]
"""Returns the port of an app by its key; it is handed a function that tells whether a port is another app's."""


class AppHosts(NamedTuple):
    """The hosts of an app.

    `label`: its subdomain, where its public URL doesn't show it. `port`: its own, 0 for none.
    """

    hosts: tuple[str, ...] = ()
    label: str = ""
    port: int = 0


NO_HOSTS = AppHosts()


def drawn_port(is_taken: Callable[[int], bool], key: Any) -> int:
    """Return a port that isn't taken, the same for the same app unless it is. Raises RpcError if all are."""
    start = int.from_bytes(drawn(0, *key)[:4], "big") % len(PORTS)
    for step in range(len(PORTS)):
        port = PORTS[(start + step) % len(PORTS)]
        if not is_taken(port):
            return port
    raise RpcError(Code.RESOURCE_EXHAUSTED, f"all ports from {PORTS[0]} to {PORTS[-1]} are taken: delete an app")


def generated_subdomain(seed: int | Seed, key: AppKey, incarnation: int) -> str:
    """Return one DNS label, the same for the same seed, id and incarnation."""
    return f"{key.name.lower()}-{drawn(seed, *key, incarnation).hex()[:8]}"


class Hosts:
    """The apps by the host under which they answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.base_domain.lower()
        self._host = settings.ingress_host.lower()
        self._reserved = {
            self._base,
            self._host,
            "localhost",
            *(host.lower().strip(".") for host in settings.own_hosts),
        }
        self._owners: dict[str, AppKey] = {}
        self._port = settings.ingress_port
        self.choose_port: PortChoice = drawn_port
        """Chooses the port of a new app, where each has one of its own."""
        self._taken: dict[AppKey, AppHosts] = {}
        """By app, the hosts that it has."""
        self._planned: tuple[AppKey | None, str] = (None, "")
        """The app whose ingress was planned last, and its subdomain."""

    def copy(self) -> Hosts:
        """Return a copy, which changes by itself."""
        other = copy.copy(self)
        other._owners = dict(self._owners)
        other._taken = dict(self._taken)
        return other

    def serve_at(self, port: int) -> None:
        """Build the URLs from now on with the port of a server, unless one was configured or serves already."""
        self._port = self._port or port

    def url(self, subdomain: str) -> str:
        """Return the public URL under a subdomain; a path only where a server has a port for it."""
        label, scheme = subdomain.lower(), self._settings.ingress_scheme
        port = f":{self._port}" if self._port else ""
        if self._settings.ingress == "path" and port:
            host = f"[{self._host}]" if ":" in self._host else self._host
            return f"{scheme}://{host}{port}{APPS}{label}/"
        return f"{scheme}://{label}.{self._settings.base_domain}{port}"

    def is_current(self, key: AppKey, status: bytes) -> bool:
        """Return whether the public URL in an app's encoded status has the form and the port of this plane's."""
        settings = self._settings
        if self._by_port or not self._port or self.of(key).port:
            return self._by_port == bool(self.of(key).port)
        if settings.ingress == "path":
            return self.url("").removesuffix("/").encode() in status
        return all(
            part.encode() in status for part in (f"{settings.ingress_scheme}://", self.url("").partition("//")[2])
        )

    def plan(self, key: AppKey, config: IngressConfig, generated: str) -> Ingress:
        """Return the ingress of an app with that configuration; refuse a bad or taken name, and change nothing."""
        if config.subdomain and not is_label(config.subdomain):
            raise _invalid("subdomain", config.subdomain, "is not one label of a DNS name")
        if f"{config.subdomain.lower()}.{self._base}" in self._reserved:
            raise _invalid("subdomain", config.subdomain, "makes the plane's own host: give another one")
        if config.cname:
            if not is_hostname(config.cname):
                raise _invalid("cname", config.cname, "is not a DNS name")
            if is_address(config.cname) or config.cname.lower() in self._reserved:
                raise _invalid("cname", config.cname, "is an address or the plane's own host: give a name of the app's")
        label = config.subdomain or generated
        ingress = Ingress(public_url=self._url_by_port(key) if self._by_port else self.url(label))
        if config.cname:
            ingress.cname_url = f"https://{config.cname}"
        self._check(key, self._hosts_of(ingress, label.lower()))
        self._planned = key, label.lower()
        return ingress

    @property
    def _by_port(self) -> bool:
        return self._settings.ingress == "port"

    def _url_by_port(self, key: AppKey) -> str:
        """Return the URL of the app's own port, which it keeps as long as it is there."""
        port = self.of(key).port or self.choose_port(lambda port: f"localhost:{port}" in self._owners, key)
        return f"http://localhost:{port}"

    def check(self, key: AppKey, ingress: Ingress) -> None:
        """Refuse a host that is another app's."""
        self._check(key, self._hosts_of(ingress, self.of(key).label))

    def _check(self, key: AppKey, hosts: list[str]) -> None:
        for host in hosts:
            owner = self._owners.get(host, key)
            if owner != key:
                raise RpcError(Code.FAILED_PRECONDITION, f"host {host} is taken by app {owner}")

    def move(self, key: AppKey, new: Ingress | None) -> None:
        """Release the old hosts, and take the new ones: those of the last plan, or with another vpc_url alone."""
        if new is None:
            self.put(key, None)
            return
        label, port = self.of(key).label, 0
        if self._by_port:
            planned_for, planned = self._planned
            label = planned if planned_for == key else label
            port = urlsplit(new.public_url).port or 0
        self.put(key, AppHosts(tuple(self._hosts_of(new, label)), label, port))

    def of(self, key: AppKey) -> AppHosts:
        """Return the hosts that an app has."""
        return self._taken.get(key, NO_HOSTS)

    def put(self, key: AppKey, hosts: AppHosts | None) -> None:
        """Release the hosts that an app has, and let it have these."""
        self._planned = None, ""
        for host in self.of(key).hosts:
            if self._owners.get(host) == key:  # while a state is put back, another app may have it already
                del self._owners[host]
        if hosts is None:
            self._taken.pop(key, None)
            return
        self._taken[key] = hosts
        for host in hosts.hosts:
            self._owners[host] = key

    def subdomain(self, key: AppKey, ingress: Ingress) -> str:
        """Return the subdomain of an app, generated or not."""
        public = urlsplit(ingress.public_url)
        return self.of(key).label or self._host_of_public(public).partition(".")[0]

    def owner(self, host: str) -> AppKey | None:
        """Return the app that owns a host name (without port), or None."""
        return self._owners.get(host.lower())

    def resolve(self, ingress: Ingress) -> AppKey | None:
        """Return the one app that all given URLs lead to, or None. Raises INVALID_ARGUMENT if they lead to several."""
        urls = [url for url in (ingress.public_url, ingress.cname_url, ingress.vpc_url) if url]
        if not urls:
            raise RpcError(Code.INVALID_ARGUMENT, "ingress: give at least one of public_url, cname_url, vpc_url")
        owners = {self._owner_of_url(url) for url in urls}
        if len(owners) > 1:
            raise RpcError(Code.INVALID_ARGUMENT, "ingress: the URLs do not belong to one app")
        return owners.pop()

    def _owner_of_url(self, url: str) -> AppKey | None:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:
            return None
        if "@" in parts.netloc:  # of a user's name, which no public URL has
            return None
        own_port = self._port or _DEFAULT_PORTS[self._settings.ingress_scheme]
        ports = {own_port} if host.endswith("." + self._base) else set[int]()
        if self._by_port and is_loopback(host) and (named := self.owner(f"localhost:{port}")) is not None:
            return named
        named = self.owner(host) if port in ports | {_DEFAULT_PORTS["https"]} else None
        if named is None and port == own_port and self._is_own(host):
            named = self.owner(self._host_of_path(parts.path))
        return named or self.owner(f"{host}:{port}")

    def _is_own(self, host: str) -> bool:
        return host == self._host or (is_loopback(self._host) and is_loopback(host))

    def _host_of_path(self, path: str) -> str:
        """Return the host name whose app has that path, or ""."""
        label = subdomain_of_path(path)
        return f"{label}.{self._base}" if label else ""

    def _hosts_of(self, ingress: Ingress, label: str) -> list[str]:
        """Return the host names of an app's ingress; the one reported by its cluster, in its own network, with port."""
        public = urlsplit(ingress.public_url)
        hosts = [self._host_of_public(public)]
        if self._by_port and public.port is not None:
            hosts = [f"localhost:{public.port}", *([f"{label}.{self._base}"] if label else [])]
        if ingress.cname_url:
            hosts.append(urlsplit(ingress.cname_url).hostname or "")
        vpc = _endpoint(ingress.vpc_url) if ingress.vpc_url else ""
        return [host for host in (*hosts, vpc) if host]

    def _host_of_public(self, url: SplitResult) -> str:
        return self._host_of_path(url.path) or url.hostname or ""


def subdomain_of_path(path: str) -> str:
    """Return the subdomain in /apps/SUBDOMAIN and what is under it, "" where there is none.

    It is one label in lower case: nothing is decoded, folded or resolved.
    """
    label = path.removeprefix(APPS).partition("/")[0] if path.startswith(APPS) else ""
    return label if label == label.lower() and is_label(label) else ""


def _invalid(what: str, name: str, why: str) -> RpcError:
    return RpcError(Code.INVALID_ARGUMENT, f"app.spec.ingress.{what}: {quoted(name)} {why}")


def _endpoint(url: str) -> str:
    """Return a URL's host and port, or ""."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""


def is_default(app: App) -> bool:
    """Return whether the client left the ingress to the plane."""
    return not app.spec.HasField("ingress") or not app.spec.ingress.ByteSize()
