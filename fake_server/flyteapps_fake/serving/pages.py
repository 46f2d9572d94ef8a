"""Pages for a browser and for monitors: the console's URLs, the page behind an app's public URL, metrics and health.

Plain, nothing runs in them.
"""

from __future__ import annotations

import asyncio
import html
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flyteapps_fake.plane.errors import RpcError
from flyteapps_fake.plane.operations import OPERATIONS
from flyteapps_fake.transports.asgi import Front, Page
from flyteapps_fake.transports.guard import host_of
from flyteapps_fake.transports.wire import HTTP_STATUS

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

HTML = b"text/html; charset=utf-8"
JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
GET_APP = OPERATIONS["/flyteidl2.app.AppService/Get"]


def pages(front: Front) -> Page:
    """What answers every request that is no RPC; hosts under the plane's base domain are apps'."""
    plane = front.plane
    domain = plane.settings.base_domain.lower()

    def page(method: str, host: str, path: str, query: str, accept: str) -> tuple[int, bytes, bytes]:
        name = host_of(host).lower()
        found = plane.ask(name) if name else None
        if found is not None:
            return _ingress(found, host, path)
        if domain and name.endswith(f".{domain}"):
            return 404, TEXT, f"no app has the host {host}\n".encode()
        if method not in ("GET", "HEAD"):
            return 405, TEXT, b"GET only\n"
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match parts:
            case ["v2", "domain", where, "project", project, "apps", name]:
                return _app(plane, where, project, name)
            case ["metrics"]:
                return 200, *front.metrics.exposition(accept)
            case ["healthz"]:
                return 200, JSON, _health(front)
            case [""] | ["v2"]:
                return 200, TEXT, b"flyteapps: a stand-in of the Flyte apps control plane is running here.\n"
            case _:
                return 404, TEXT, f"{path}: no such page\n".encode()

    return page


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
        "clock": settings.clock,
        "data_plane": settings.data_plane,
        "apps": front.plane.count(),
        "streams": {
            "open": len(front.sweeper.streams),
            "limit": limits.streams,
            "limit_per_connection": limits.streams_per_connection,
        },
        "tasks": len(asyncio.all_tasks()),
        "services": front.services,
    }
    return json.dumps(details, indent=2).encode() + b"\n"


def _app(plane: FakeControlPlane, domain: str, project: str, name: str) -> tuple[int, bytes, bytes]:
    from flyteapps_fake.transports.connect import to_json

    request = GET_APP.request()
    identifier = request.app_id  # type: ignore[attr-defined]
    identifier.org, identifier.project, identifier.domain, identifier.name = plane.org, project, domain, name
    try:
        answer = GET_APP.response.FromString(plane.call(GET_APP, request))
        return 200, JSON, to_json(answer.app)  # type: ignore[attr-defined]
    except RpcError as error:
        return HTTP_STATUS[error.code], TEXT, f"{error}\n".encode()


def _ingress(found: bytes, host: str, path: str) -> tuple[int, bytes, bytes]:
    from flyteidl2.app.app_definition_pb2 import App

    from flyteapps_fake.plane.lifecycle import ACTIVE, status_name

    app = App.FromString(found)
    identifier = app.metadata.id
    last = app.status.conditions[-1].deployment_status if app.status.conditions else 0
    state = status_name(last).removeprefix("DEPLOYMENT_STATUS_")
    name = "/".join((identifier.org, identifier.project, identifier.domain, identifier.name))
    body = (
        f"<!doctype html><title>{html.escape(identifier.name)}</title>"
        f"<h1>{html.escape(identifier.name)}</h1>"
        f"<p>This is the app {html.escape(name)} of a stand-in control plane: it has an address, but nothing runs.</p>"
        f"<p>It is {state}.</p>"
        f"<p>You asked for {html.escape(path)} of {html.escape(host)}.</p>\n"
    )
    return (200 if last == ACTIVE else 503), HTML, body.encode()
