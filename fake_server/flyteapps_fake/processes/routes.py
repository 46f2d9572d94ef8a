"""Routes: what the ingress has to know of an app, and what it measures of its requests. No sockets, no processes.

The data plane changes them and the ingress reads them, both on one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flyteapps_control.selection import AppName

RATE_SECONDS = 10.0
"""The time over which a request rate is measured."""


@dataclass(eq=False, slots=True)
class Backend:
    """One replica that answers requests, on a port of the loopback."""

    port: int
    number: int = 0
    """The number of its replica."""
    host: str = "127.0.0.1"
    in_flight: int = 0
    """Requests, WebSockets and connections that it has now."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The answer while no replica is ready: why, an HTTP status, and seconds until it is worth asking again."""

    message: str
    status: int = 503
    retry_after: int | None = None


@dataclass(eq=False, slots=True)
class Route:
    """One app at the ingress.

    `port`: its own port on the loopback. `label`: its subdomain. `hosts`: the host names under which it answers.
    `raw`: it speaks something other than HTTP/1.1 (gRPC, port name h2c), so that bytes are passed as they are.
    `request_seconds`: the longest time until a response begins, the wait for a replica included. `requires_auth`: its
    callers need a token of the plane.
    """

    app: AppName
    port: int
    label: str = ""
    hosts: frozenset[str] = frozenset()
    raw: bool = False
    request_seconds: float = 300.0
    requires_auth: bool = False
    backends: tuple[Backend, ...] = ()
    unavailable: Unavailable | None = None
    """The answer to requests as long as there is no backend; None for requests that wait for one."""
    on_request: Callable[[], None] | None = None
    """Called at each request's begin: one to a sleeping app wakes it."""
    in_flight: int = 0
    """Requests that have begun and not ended, those that wait included."""
    last_request: float = field(default_factory=time.monotonic)
    """When a request began or ended last, by time.monotonic."""
    begun: deque[float] = field(default_factory=deque[float])
    """When requests of the last RATE_SECONDS began."""
    _turn: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, backends: tuple[Backend, ...], unavailable: Unavailable | None) -> None:
        """Change what answers, and wake the requests that wait."""
        self.backends, self.unavailable = backends, unavailable
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed(self) -> None:
        """Wait until `set` is called the next time."""
        await self._changed.wait()

    def choose(self, excluded: tuple[Backend, ...] = ()) -> Backend | None:
        """Return the backend with the fewest requests, of several in turn; None where there is none."""
        backends = self.backends
        if len(backends) > 1:
            self._turn = turn = (self._turn + 1) % len(backends)
            backends = backends[turn:] + backends[:turn]
        able = [each for each in backends if each not in excluded] if excluded else backends
        return min(able, key=_in_flight) if able else None

    def begin(self) -> None:
        """Count a request that begins."""
        self.in_flight += 1
        self.last_request = now = time.monotonic()
        self.begun.append(now)
        self._forget(now)
        if self.on_request is not None:
            self.on_request()

    def end(self) -> None:
        """Count a request that has ended."""
        self.in_flight -= 1
        self.last_request = time.monotonic()

    def rate(self) -> float:
        """Return the requests a second over the last RATE_SECONDS."""
        self._forget(time.monotonic())
        return len(self.begun) / RATE_SECONDS

    def _forget(self, now: float) -> None:
        begun = self.begun
        while begun and begun[0] < now - RATE_SECONDS:
            begun.popleft()


def _in_flight(backend: Backend) -> int:
    return backend.in_flight


class Routes:
    """The routes of all apps, by their host names, subdomains and names."""

    def __init__(self) -> None:
        self._by_host: dict[str, Route] = {}
        self._by_label: dict[str, Route] = {}
        self._by_app: dict[AppName, Route] = {}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._by_app.values())

    def add(self, route: Route) -> None:
        """Add a route, in the place of that app's one before, or of its own names before they changed."""
        self.remove(route.app)
        self._by_app[route.app] = route
        if route.label:
            self._by_label[route.label] = route
        for host in route.hosts:
            self._by_host[host] = route

    def remove(self, app: AppName) -> Route | None:
        """Remove an app's route, under all names that it had, and return it."""
        route = self._by_app.pop(app, None)
        if route is not None:
            for names in (self._by_label, self._by_host):
                for name in [name for name, each in names.items() if each is route]:
                    del names[name]
        return route

    def of_host(self, host: str) -> Route | None:
        """Return the route of a host name, without port and in lower case."""
        return self._by_host.get(host)

    def of_label(self, label: str) -> Route | None:
        """Return the route of a subdomain."""
        return self._by_label.get(label)

    def of_app(self, app: AppName) -> Route | None:
        """Return the route of an app."""
        return self._by_app.get(app)
