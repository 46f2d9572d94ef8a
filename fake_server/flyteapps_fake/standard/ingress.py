"""Public names of apps: generated subdomains, the URLs built from them, and the owners of hosts.

A host belongs to one app at a time. A public URL has one of two forms: a host name of its own under the base domain,
or a path under /apps/ on the plane's own host, which every client can resolve. Whichever is shown, both lead to the
app: a subdomain is kept as the host name that it has under the base domain.
"""

from __future__ import annotations

import copy
from urllib.parse import SplitResult, urlsplit

from flyteidl2.app.app_definition_pb2 import App, Ingress, IngressConfig

from flyteapps_fake.core.draws import drawn
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.hostnames import is_address, is_hostname, is_label, is_loopback
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.standard.apps import AppKey

APPS = "/apps/"
"""The prefix of the paths of apps."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def generated_subdomain(seed: int, key: AppKey, incarnation: int) -> str:
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

    def copy(self) -> Hosts:
        """Return a copy, which changes by itself."""
        other = copy.copy(self)
        other._owners = dict(self._owners)
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
        ingress = Ingress(public_url=self.url(config.subdomain or generated))
        if config.cname:
            ingress.cname_url = f"https://{config.cname}"
        self.check(key, ingress)
        return ingress

    def check(self, key: AppKey, ingress: Ingress) -> None:
        """Refuse a host that is another app's."""
        for host in self._hosts_of(ingress):
            owner = self._owners.get(host, key)
            if owner != key:
                raise RpcError(Code.FAILED_PRECONDITION, f"host {host} is taken by app {owner}")

    def move(self, key: AppKey, old: Ingress | None, new: Ingress | None) -> None:
        """Release the old hosts and take the new ones."""
        for host in self._hosts_of(old) if old is not None else ():
            self._owners.pop(host, None)
        for host in self._hosts_of(new) if new is not None else ():
            self._owners[host] = key

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

    def _hosts_of(self, ingress: Ingress) -> list[str]:
        """Return the host names of an app's ingress; the one reported by its cluster, in its own network, with port."""
        hosts = [self._host_of_public(urlsplit(ingress.public_url))]
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
