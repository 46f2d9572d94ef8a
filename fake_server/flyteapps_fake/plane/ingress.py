"""Public names of apps: generated subdomains, the URLs built from them, and who owns which host.

A host belongs to one app at a time.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flyteidl2.app.app_definition_pb2 import App, Ingress, IngressConfig

from flyteapps_fake.plane.apps import AppKey
from flyteapps_fake.plane.draws import drawn
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.hostname import is_hostname
from flyteapps_fake.settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}


def generated_subdomain(seed: int, key: AppKey, incarnation: int) -> str:
    """One DNS label, the same for the same seed, id and incarnation."""
    return f"{key.name.lower()}-{drawn(seed, *key, incarnation).hex()[:8]}"


class Hosts:
    """Which app answers under which host."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._owners: dict[str, AppKey] = {}
        self._own_port = settings.ingress_port or _DEFAULT_PORTS[settings.ingress_scheme]

    def url(self, subdomain: str) -> str:
        """The public URL under a subdomain."""
        port = f":{self._settings.ingress_port}" if self._settings.ingress_port else ""
        return f"{self._settings.ingress_scheme}://{subdomain.lower()}.{self._settings.base_domain}{port}"

    def plan(self, key: AppKey, config: IngressConfig, generated: str) -> Ingress:
        """The ingress that an app with that configuration gets; refuses a bad or taken name, changes nothing."""
        for what, name in (("subdomain", config.subdomain), ("cname", config.cname)):
            if name and not is_hostname(name):
                raise RpcError(Code.INVALID_ARGUMENT, f"app.spec.ingress.{what}: {name!r} is not a DNS name")
        ingress = Ingress(public_url=self.url(config.subdomain or generated))
        if config.cname:
            ingress.cname_url = f"https://{config.cname}"
        self.check(key, ingress)
        return ingress

    def check(self, key: AppKey, ingress: Ingress) -> None:
        """Refuses a host that is another app's."""
        for host in hosts_of(ingress):
            owner = self._owners.get(host, key)
            if owner != key:
                raise RpcError(Code.FAILED_PRECONDITION, f"host {host} is taken by app {owner}")

    def move(self, key: AppKey, old: Ingress | None, new: Ingress | None) -> None:
        """Gives back the old hosts and takes the new ones."""
        for host in hosts_of(old) if old is not None else ():
            self._owners.pop(host, None)
        for host in hosts_of(new) if new is not None else ():
            self._owners[host] = key

    def owner(self, host: str) -> AppKey | None:
        """The app that owns a host name, without port."""
        return self._owners.get(host.lower())

    def resolve(self, ingress: Ingress) -> AppKey | None:
        """The one app that all given URLs lead to; None where nothing does."""
        urls = [url for url in (ingress.public_url, ingress.cname_url, ingress.vpc_url) if url]
        if not urls:
            raise RpcError(Code.INVALID_ARGUMENT, "ingress: give at least one of public_url, cname_url, vpc_url")
        owners = {self._owner_of_url(url) for url in urls}
        if len(owners) > 1:
            raise RpcError(Code.INVALID_ARGUMENT, "ingress: the URLs do not belong to one app")
        return owners.pop()

    def _owner_of_url(self, url: str) -> AppKey | None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:
            return None
        ports = {self._own_port} if host.endswith("." + self._settings.base_domain.lower()) else set[int]()
        named = self.owner(host) if port in ports | {_DEFAULT_PORTS["https"]} else None
        return named or self.owner(f"{host}:{port}")


def hosts_of(ingress: Ingress) -> list[str]:
    """The host names of an app's ingress; the one that its cluster reported, in a network of its own, with its port."""
    urls = (ingress.public_url, ingress.cname_url)
    hosts = [host for url in urls if url and (host := urlsplit(url).hostname)]
    vpc = _endpoint(ingress.vpc_url) if ingress.vpc_url else ""
    return [*hosts, vpc] if vpc else hosts


def _endpoint(url: str) -> str:
    """A URL's host and port, "" where it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""


def is_default(app: App) -> bool:
    """Whether the client left the ingress to the plane."""
    return not app.spec.HasField("ingress") or not app.spec.ingress.ByteSize()
