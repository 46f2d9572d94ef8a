"""Pages for a browser: the console's URLs, and the page behind an app's public URL. Plain, nothing runs in them.

The console's own port is a tiny HTTP/1.1 server on the server's loop: no dependency, nothing to start.
"""

from __future__ import annotations

import asyncio
import html
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flyteapps_fake.plane.errors import RpcError
from flyteapps_fake.plane.operations import OPERATIONS
from flyteapps_fake.transports.asgi import Page
from flyteapps_fake.transports.wire import HTTP_STATUS

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

HTML = b"text/html; charset=utf-8"
JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
GET_APP = OPERATIONS["/flyteidl2.app.AppService/Get"]
LONGEST_HEAD = 16 * 1024
PATIENCE = 5.0


def pages(plane: FakeControlPlane, base_domain: str) -> Page:
    """What answers every request that is no RPC; hosts under `base_domain` are apps'."""
    apps_domain = f".{base_domain.lower()}"

    def page(method: str, host: str, path: str, query: str) -> tuple[int, bytes, bytes]:
        name = host.partition(":")[0].lower()
        found = plane.ask(name) if name else None
        if found is not None:
            return _ingress(found, host, path)
        if name.endswith(apps_domain):
            return 404, TEXT, f"no app has the host {host}\n".encode()
        if method not in ("GET", "HEAD"):
            return 405, TEXT, b"GET only\n"
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match parts:
            case ["v2", "domain", domain, "project", project, "apps", name]:
                return _app(plane, domain, project, name)
            case [""] | ["v2"]:
                return 200, TEXT, b"flyteapps: a stand-in of the Flyte apps control plane is running here.\n"
            case _:
                return 404, TEXT, f"{path}: no such page\n".encode()

    return page


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
    identifier, last = app.metadata.id, app.status.conditions[-1].deployment_status
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


async def serve_console(sock: socket.socket, page: Page) -> asyncio.Server:
    """Answer on `sock` until the returned server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                status, content_type, body = _answer(page, head)
                writer.write(
                    b"HTTP/1.1 %d \r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
                    % (status, content_type, len(body))
                )
                writer.write(b"" if head.startswith(b"HEAD ") else body)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, sock=sock, limit=LONGEST_HEAD)


def _answer(page: Page, head: bytes) -> tuple[int, bytes, bytes]:
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        return 400, TEXT, b"not HTTP\n"
    fields = dict(line.split(":", 1) for line in rest if ":" in line)
    host = next((value.strip() for name, value in fields.items() if name.lower() == "host"), "")
    path, _, query = words[1].partition("?")
    return page(words[0], host, path, query)
