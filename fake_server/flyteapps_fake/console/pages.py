"""Pages for browsers and monitors: the console's URLs, the pages of apps, metrics and health.

A browser gets the console at its URLs, which shows what it asks the plane for; all other clients get text or JSON.
"""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import unquote

from flyteidl2.app.app_payload_pb2 import ListRequest

from flyteapps_control.selection import AppName
from flyteapps_fake.console.answers import JSON
from flyteapps_fake.console.app_page import app_page, no_app_page, redirect_page
from flyteapps_fake.console.index_page import MAX_APPS, TEXT, index_page
from flyteapps_fake.console.static_files import PREFIX, browser_page, static_file, wants_page
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import GET, LIST
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.dialects import DIALECTS
from flyteapps_fake.http.access.host_policy import host_of
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.page import Page, PageAnswer, PageRequest
from flyteapps_fake.http.protocol.wire import HTTP_STATUS
from flyteapps_fake.simulation.scenarios import Scenario
from flyteapps_fake.standard.ingress import APPS, subdomain_of_path


class Pages:
    """The pages of one server: those of apps by host and by path, and its own."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._plane = front.plane
        settings = front.plane.settings
        self._domain = settings.base_domain.lower()
        self._own_hosts = {
            each.lower().strip(".") for each in ("localhost", settings.ingress_host, *settings.own_hosts)
        }

    async def __call__(self, request: PageRequest) -> PageAnswer:
        """Return the page of an app, or one of the server's own."""
        try:
            host, path = self._app_at(request.host, request.path)
            if not host:
                return await self._own(request)
            found = self._plane.ask(host)
            if found is None:
                return no_app_page(request)
            if self._plane.settings.runs_apps is not None:
                return redirect_page(found, request, path)
            return await self._front.large_requests.run(
                len(found), lambda: app_page(found, request, path, self._scenario_of)
            )
        except RpcError as error:
            return PageAnswer(HTTP_STATUS[error.code], TEXT, f"{error}\n".encode("utf-8", "replace"))

    def is_of_app(self, host: str, path: str) -> bool:
        """Return whether the host and path belong to an app."""
        return bool(self._app_at(host, path)[0])

    def _app_at(self, authority: str, path: str) -> tuple[str, str]:
        """Return the host name of the app that a URL belongs to, existing or not, and the path within it.

        The name is "" for a page of the server.
        """
        host = host_of(authority)
        under = f".{self._domain}"
        if (
            host not in self._own_hosts
            and host
            and ((self._domain and host.endswith(under)) or self._plane.find_by_host(host) is not None)
        ):
            return host, path
        if not path.startswith(APPS):
            return "", path
        return f"{subdomain_of_path(path)}{under}", "/" + path.removeprefix(APPS).partition("/")[2]

    def _scenario_of(self, app: AppName) -> Scenario | None:
        """Return the scenario of an app's last start."""
        with self._plane.scenario_book() as book:
            given = book.given.get(app)
        return given.scenario if given is not None else None

    async def _own(self, request: PageRequest) -> PageAnswer:
        if request.method not in ("GET", "HEAD"):
            return PageAnswer(405, TEXT, b"GET only\n", [(b"allow", b"GET, HEAD")])
        wanted = self._front.options.console and wants_page(request.accept)
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        match parts:
            case ["v2", "domain", where, "project", project, "apps", name]:
                return await self._app(where, project, name, wanted)
            case ["metrics"]:
                return PageAnswer(200, *self._front.metrics.exposition(request.accept))
            case ["healthz"]:
                return PageAnswer(200, JSON, _health(self._front))
            case ["readyz"] if self._front.request_limits.wire.ready_page:
                return PageAnswer(200, TEXT, b"OK")
            case [""] | ["v2"] | ["simulation"] | ["login"] if wanted:
                return browser_page()
            case [""] | ["v2"]:
                return await self._index(request)
            case _ if request.path.startswith(PREFIX) and self._front.options.console:
                return static_file(request.path) or PageAnswer(404, TEXT, b"The console has no such file: reload it.\n")
            case ["v2", "domain", _, "project", _, ("tasks" | "runs") as what, *_]:
                return PageAnswer(404, TEXT, f"{what} have no page here: only apps do, see /v2/\n".encode())
            case _:
                return PageAnswer(404, TEXT, f"{request.path}: no such page\n".encode("utf-8", "replace"))

    async def _index(self, request: PageRequest) -> PageAnswer:
        """Return the list of apps."""
        listing = ListRequest()
        listing.request.limit = MAX_APPS
        encoded = self._plane.look_up(Call(LIST, listing))
        count = self._plane.count()
        return await self._front.large_requests.run(len(encoded), lambda: index_page(encoded, count))

    async def _app(self, domain: str, project: str, name: str, wanted: bool) -> PageAnswer:
        """Return an app as JSON, or the console if `wanted`, which shows it or that it isn't there."""
        from flyteapps_fake.http.protocol.json_form import to_json

        request = GET.request()
        identifier = request.app_id  # type: ignore[attr-defined]
        org = self._plane.org
        try:
            identifier.org, identifier.project, identifier.domain, identifier.name = org, project, domain, name
        except ValueError:  # a lone surrogate: protobuf's texts are UTF-8
            return browser_page(404) if wanted else PageAnswer(404, TEXT, b"no app has such a name\n")
        try:
            encoded = self._plane.look_up(Call(GET, request))
        except RpcError as error:
            if wanted:
                return browser_page(404 if error.code == Code.INVALID_ARGUMENT else HTTP_STATUS[error.code])
            raise
        if wanted:
            return browser_page()

        def shown() -> bytes:
            return to_json(GET.response.FromString(encoded).app)  # type: ignore[attr-defined]

        body = await self._front.large_requests.run(len(encoded), shown)
        return PageAnswer(200, JSON, body, [(b"vary", b"accept")])


def pages(front: Front) -> Page:
    """Return the pages of a front, which answer every request that is no RPC."""
    return Pages(front)


def _authentication(front: Front) -> dict[str, str | None] | None:
    """Return the header of credentials, and the provider whose tokens count; None where no caller needs any."""
    authentication = front.plane.authentication
    if authentication is None:
        return None
    return {"header": authentication.settings.header, "provider": authentication.settings.provider}


def _of_dialect(settings: Settings) -> dict[str, str | float]:
    """Return the settings that only some dialects have; a standard plane has none of them."""
    found: dict[str, str | float] = {}
    if settings.dialect_version:
        found["dialect_version"] = settings.dialect_version
    if settings.kubernetes is not None:
        found["kubernetes"] = settings.kubernetes
    if DIALECTS[settings.dialect].write_conflicts:
        found["write_seconds"] = settings.write_nanoseconds / 1e9
    return found


def _health(front: Front) -> bytes:
    from importlib.metadata import version

    settings, limits = front.plane.settings, front.options.limits
    details = {
        "status": "SERVING",
        "version": version("flyteapps"),
        "uptime_seconds": round(time.time() - front.metrics.started, 1),
        "server": front.options.server,
        "org": front.plane.org,
        "dialect": settings.dialect,
        **_of_dialect(settings),
        "clock": settings.clock,
        "data_plane": settings.data_plane,
        "control": front.options.control,
        "call_log": settings.call_log,
        "authentication": _authentication(front),
        "apps": front.plane.count(),
        "faults": front.plane.count_faults(),
        "calls_recorded": front.plane.count_calls(),
        "streams": {
            "open": len(front.sweeper.streams),
            "limit": limits.streams,
            "limit_per_connection": limits.streams_per_connection,
        },
        "tasks": len(asyncio.all_tasks()),
        "services": front.services,
    }
    return json.dumps(details, indent=2).encode() + b"\n"
