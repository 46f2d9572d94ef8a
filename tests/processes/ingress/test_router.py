"""The router finds the app of a request by its host name or path; all else goes to the plane's pages."""

from __future__ import annotations

import json

import pytest

from .running import GET, OK, Running, answering

PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"


def to(target: bytes, host: bytes = b"localhost:8080") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


async def seen_through_router(running: Running, *requests: bytes) -> list[bytes]:
    """Return what one app, of two, received of requests to the router."""
    seen: list[bytes] = []
    await running.app(await running.replica(answering(OK, seen)), hosts=frozenset({"demo.example.com"}), label="demo-1")
    await running.app(await running.replica(answering(PAGE)), name="other", label="other-1")
    client = await running.client(await running.router())
    for request in requests:
        response = await client.request(request)
        assert response.body == b"ok", response
    return seen


@pytest.mark.parametrize(
    "host", [b"demo-1.apps.localhost", b"demo-1.apps.localhost:8080", b"DEMO-1.Apps.LocalHost.", b"demo.example.com"]
)
async def test_an_app_is_found_by_its_host_name(running: Running, host: bytes) -> None:
    """A subdomain or a host name of the app's own leads to it; Host and target stay as sent."""
    [seen] = await seen_through_router(running, to(b"/apps/other-1/x?y", host))
    assert seen.startswith(b"GET /apps/other-1/x?y HTTP/1.1\r\nHost: " + host + b"\r\n")
    assert b"X-Forwarded-Prefix" not in seen


async def test_an_app_is_found_by_its_path(running: Running) -> None:
    """The part of the path that leads to the app is cut off, and named in X-Forwarded-Prefix."""
    targets = [b"/apps/demo-1/", b"/apps/demo-1/a%2Fb/?q=/apps/other-1/", b"/apps/demo-1//x", b"/apps/demo-1/../y"]
    seen = await seen_through_router(running, *(to(target) for target in targets))
    assert [each.split(b" ")[1] for each in seen] == [b"/", b"/a%2Fb/?q=/apps/other-1/", b"//x", b"/../y"]
    assert all(b"\r\nX-Forwarded-Prefix: /apps/demo-1\r\n" in each for each in seen)


async def test_an_app_is_found_by_its_name(running: Running) -> None:
    """Apps reach each other by project, domain and name, with or without a slash at the end."""
    under = b"/_flyteapps/apps/p/d/%64emo"
    seen = await seen_through_router(running, to(under), to(under + b"/?x"), to(under + b"/y/z"))
    assert [each.split(b" ")[1] for each in seen] == [b"/", b"/?x", b"/y/z"]
    assert b"\r\nX-Forwarded-Prefix: /_flyteapps/apps/p/d/%64emo\r\n" in seen[0]


async def test_the_slash_of_an_apps_path_is_added(running: Running) -> None:
    """Relative links of an app need the slash at the end of its path; the method stays."""
    await running.app(await running.replica(answering(OK)), label="demo-1")
    client = await running.client(await running.router())
    response = await client.request(to(b"/apps/demo-1?x=1"))
    assert response.status == 308 and response.one(b"location") == b"/apps/demo-1/?x=1"


async def test_all_else_is_for_the_plane(running: Running) -> None:
    """Other hosts and paths are passed to the plane's own server as they are, without being counted or logged."""
    seen: list[bytes] = []
    replica = await running.replica(answering(PAGE, seen))
    await running.use(pages=f"http://127.0.0.1:{replica.port}")
    await running.app(await running.replica(answering(OK)), label="demo-1")
    client = await running.client(await running.router())
    requests = [
        to(b"/healthz?x"),
        to(b"/apps/unknown/"),
        to(b"/apps/DEMO-1/"),
        to(b"/apps/%64emo-1/"),
        to(b"/", b"unknown.apps.localhost"),
        to(b"/", b"evil.example"),
    ]
    for request in requests:
        assert (await client.request(request)).body == b"page"
    assert [each.split(b"\r\n")[:2] for each in seen] == [each.split(b"\r\n")[:2] for each in requests]
    assert running.lines == []


async def test_without_pages_all_else_is_404(running: Running) -> None:
    """A router without pages of the plane answers by itself."""
    client = await running.client(await running.router())
    response = await client.request(GET)
    assert response.status == 404 and json.loads(response.body)["code"] == "not_found"


@pytest.mark.parametrize(
    "target", [b"/_flyteapps/apps/p/d/none/", b"/_flyteapps/apps/p/d", b"/_flyteapps/apps/%ff/%00/x"]
)
async def test_an_app_that_is_not_there_is_404(running: Running, target: bytes) -> None:
    """A path of an app that doesn't exist names the app, or the form of such paths."""
    client = await running.client(await running.router())
    response = await client.request(to(target))
    assert response.status == 404 and b"app" in response.body


async def test_grpc_has_a_port_of_its_own(running: Running) -> None:
    """An app that speaks another protocol can't be reached by the router, which says where it can be."""
    route = await running.app(await running.replica(answering(OK)), label="demo-1", raw=True)
    client = await running.client(await running.router())
    response = await client.request(to(b"/apps/demo-1/"))
    assert response.status == 421 and f"localhost:{route.port}".encode() in response.body
