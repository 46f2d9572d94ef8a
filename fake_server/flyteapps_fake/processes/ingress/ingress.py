"""The ports of apps and the router, which find the app that a request is for. `passing/exchange.py` passes the request.

It runs on the event loop of the data plane, which changes the routes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from flyteapps_control.selection import AppName
from flyteapps_fake.http.access.host_policy import HostPolicy
from flyteapps_fake.processes.ingress.access import Authorize, wrong_host
from flyteapps_fake.processes.ingress.answers import Answer, Refused
from flyteapps_fake.processes.ingress.client_side import Site, connection_count, written
from flyteapps_fake.processes.ingress.destinations import (
    INTERNAL,
    Destination,
    NoApp,
    Redirect,
    destination,
    route_of_host,
)
from flyteapps_fake.processes.ingress.incoming import Incoming
from flyteapps_fake.processes.ingress.limits import GRACE_SECONDS
from flyteapps_fake.processes.ingress.passing.raw import RawSite
from flyteapps_fake.processes.ingress.passing.upstream import Upstreams
from flyteapps_fake.processes.ingress.serving import Log, Serving, serve_page, write_answer
from flyteapps_fake.processes.routes import Backend, Route, Routes
from flyteapps_fake.servers.listener import listening_sockets, loopbacks

Find = Callable[[Incoming], Destination]
"""Returns the destination of a request. Raises Refused."""


@dataclass(eq=False, slots=True)
class _Port:
    """An app's own port: its route, which may be replaced, and the server there."""

    route: Route
    site: Site | RawSite


class Ingress:
    """The ports of apps, and the router by host name and path.

    `authorize`: return whether a token is valid; None for a plane without authentication, where no app asks for one.
    `pages`: the URL of the server of the plane's own pages, to which the router passes what is for no app; None for
    404. `log` is called with a RequestLine at each end of a request to an app. `allows_host`: return whether paths of
    apps are answered for that host[:port]; by default for names of this machine alone.
    """

    def __init__(
        self,
        routes: Routes,
        authorize: Authorize | None = None,
        pages: str | None = None,
        log: Log | None = None,
        *,
        base_domain: str = "apps.localhost",
        allows_host: Callable[[str], bool] | None = None,
    ) -> None:
        self._routes = routes
        self._authorize = authorize
        self._log = log
        self._base_domain = base_domain.lower()
        self._allows_host = allows_host or HostPolicy("127.0.0.1").allows_host
        self._upstreams = Upstreams()
        self._serving = Serving(self._upstreams, authorize, log)
        self._pages, tls = _page_server(pages) if pages is not None else (None, None)
        self._pages_upstreams = Upstreams(tls)
        self._connections = connection_count()
        self._ports: dict[int, _Port] = {}
        self._routers: list[Site] = []

    async def listen(self, route: Route) -> None:
        """Listen on a route's port, on both loopbacks; a new route of a port that is open replaces the former one.

        Raises AddressTaken, and OSError, as for a port below 1024.
        """
        port = self._ports.get(route.port)
        if port is not None and port.route.raw != route.raw:
            await self.close_port(port.route, 0)
            port = None
        if port is not None:
            port.route = route
            if isinstance(port.site, RawSite):
                port.site.route = route
            return
        socks = listening_sockets(loopbacks(), route.port)
        if route.raw:
            site = RawSite(route, self._raw_refusal(route), self._log)
            self._ports[route.port] = _Port(route, site)
            await site.start(socks)
            return

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, lambda incoming: self._at_port(opened, incoming))

        web_site = Site(handle, self._connections)
        opened = self._ports[route.port] = _Port(route, web_site)
        await web_site.start(socks)

    async def close_port(self, route: Route, grace_seconds: float = GRACE_SECONDS) -> None:
        """Close a route's port: idle connections at once, those with requests when they end or the grace is over."""
        port = self._ports.pop(route.port, None)
        if port is not None:
            await port.site.close(grace_seconds)

    async def serve_router(self, socks: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Serve all apps by their host names and paths, and the plane's pages, on listening sockets."""
        await self._serve(self._at_router, socks, tls)

    async def serve_internal_router(self, socks: Sequence[socket.socket]) -> None:
        """Serve the same; the paths under which apps reach each other need no token there, as within a cluster."""
        await self._serve(self._at_internal_router, socks)

    async def _serve(self, find: Find, socks: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, find)

        site = Site(handle, self._connections)
        self._routers.append(site)
        await site.start(socks, tls)

    async def close(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Close all ports and the router."""
        sites = [*(port.site for port in self._ports.values()), *self._routers]
        self._ports.clear()
        self._routers.clear()
        await asyncio.gather(*(site.close(grace_seconds) for site in sites))
        self._upstreams.close()
        self._pages_upstreams.close()

    def _at_port(self, port: _Port, incoming: Incoming) -> Destination:
        """Return the app of a port, for host names of this machine and the app's own. Raises Refused."""
        route, host = port.route, incoming.host
        own = route_of_host(self._routes, self._base_domain, host.name) if host.name else None
        if not incoming.authority or host.is_loopback or own is route:
            return Destination(route, incoming.target)
        raise wrong_host(incoming)

    def _at_router(self, incoming: Incoming) -> Destination:
        """Return the app that a request is for, or the plane's own pages. Raises Refused."""
        found = destination(self._routes, self._base_domain, incoming.host.name, incoming.target)
        if found is None:
            if self._pages is None:
                raise Refused(Answer(404, "No app is at this URL."))
            return Destination(self._pages, incoming.target)
        if isinstance(found, Destination) and not found.prefix:
            return found  # by its host name
        if not self._allows_host(incoming.authority.decode("latin-1")):
            raise wrong_host(incoming)
        if isinstance(found, Redirect):
            raise Refused(Answer(308, "The app's path ends with a slash.", None, ((b"location", found.location),)))
        if isinstance(found, NoApp):
            raise Refused(Answer(404, found.message))
        return found

    def _at_internal_router(self, incoming: Incoming) -> Destination:
        found = self._at_router(incoming)
        return found._replace(is_internal=True) if found.prefix.startswith(INTERNAL) else found

    async def _handle(self, request: web.BaseRequest, find: Find) -> web.StreamResponse:
        """Serve one request."""
        accept = ""
        try:
            incoming = Incoming(request)
            accept = incoming.accept
            found = find(incoming)
            if found.route is self._pages:
                return await serve_page(incoming, found, self._pages_upstreams)
            return await self._serving.serve(incoming, found)
        except Refused as refused:
            return write_answer(request, refused.answer, accept)
        except ConnectionError:  # the client has left
            return written(keep_alive=False)

    def _raw_refusal(self, route: Route) -> str:
        """Return why connections to an app of another protocol are refused: its tokens can't be read there."""
        if self._authorize is None or not route.requires_auth:
            return ""
        return "it requires authentication, which is checked for HTTP/1.1 alone: set requires_auth=False"


def _page_server(url: str) -> tuple[Route, ssl.SSLContext | None]:
    """Return the route to the plane's own server, and the TLS to reach it, unchecked: it is on this machine."""
    parts = urlsplit(url)
    tls: ssl.SSLContext | None = None
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    port = parts.port or (443 if tls is not None else 80)
    return Route(AppName(), 0, backends=(Backend(port, host=parts.hostname or "127.0.0.1"),)), tls
