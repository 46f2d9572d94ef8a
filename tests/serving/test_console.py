"""The console in a browser: its page, its files and their headers, and the calls that it makes on its own port."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
from flyteidl2.app.app_payload_pb2 import WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_fake.console import static_files

from .messages import create, get
from .server_process import HTTP, ServerProcess
from .test_command import run

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
APP = "/v2/domain/development/project/p/apps/"
LOADED = re.compile(r'(?:href|src)="([^"]+)"')


def url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def test_a_browser_gets_the_page(server: ServerProcess) -> None:
    """The console's paths have one page on both ports, which loads nothing from elsewhere; others get text."""
    with AppServiceClientSync(server.url) as client:
        client.create(create("shown"))
    for port in (server.port, server.console_port):
        for path in ("/", "/v2/", "/simulation", "/login", f"{APP}shown"):
            page = HTTP.get(url(port, path), headers=BROWSER)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
            assert page.headers["cache-control"] == "no-cache" and page.headers["vary"] == "accept"
            policy = page.headers["content-security-policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"} <= set(policy)
            assert "frame-ancestors 'none'" in policy and "unsafe" not in " ".join(policy)
            assert page.headers["referrer-policy"] == "no-referrer"
            assert page.headers["x-frame-options"] == "DENY"
            assert HTTP.head(url(port, path), headers=BROWSER).headers["content-length"] == str(len(page.content))
        for accept in ("*/*", "application/json"):
            assert HTTP.get(url(port, f"{APP}shown"), headers={"accept": accept}).json()["metadata"]["id"]["name"]
            assert HTTP.get(url(port, "/"), headers={"accept": accept}).headers["content-type"].startswith("text/plain")
        assert HTTP.get(url(port, "/simulation")).status_code == 404


def test_the_page_names_files_that_never_change(server: ServerProcess) -> None:
    """The files of the page are there, with their types, and kept by browsers; one of an older build is missing."""
    for port in (server.port, server.console_port):
        page = HTTP.get(url(port, "/"), headers=BROWSER).text
        paths = LOADED.findall(page)
        assert len(paths) == 3 and all(path.startswith(static_files.PREFIX) for path in paths)
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|https?:", page), "nothing inline"
        for path in paths:
            file = HTTP.get(url(port, path))
            assert file.headers["content-type"].encode() == static_files.TYPES[path[path.rindex(".") :]]
            assert "immutable" in file.headers["cache-control"]
            assert file.headers["x-content-type-options"] == "nosniff"
        for name in ("app-000000000000.js", "", "index.html", "../pages.py", "..%2fpages.py", "%00", "x" * 5_000):
            missing = HTTP.get(url(port, static_files.PREFIX) + name)
            assert missing.status_code == 404 and "cache-control" not in missing.headers, name
        assert "Apache-2.0" in HTTP.get(url(port, f"{static_files.PREFIX}licenses.txt")).text


def test_an_app_that_is_not_there(server: ServerProcess) -> None:
    """A link to an app that doesn't exist, whatever its name, is 404, and its page never contains the name."""
    for port in (server.port, server.console_port):
        for name in ("none", "<script>alert(1)", "\u202e\u0007", "x" * 2_000, "SHOWN", "%2e%2e"):
            page = HTTP.get(url(port, APP + quote(name, safe="")), headers=BROWSER)
            assert page.status_code == 404 and page.content == HTTP.get(url(port, "/"), headers=BROWSER).content
        assert HTTP.get(url(port, "/none"), headers=BROWSER).status_code == 404
        assert HTTP.post(url(port, "/"), headers=BROWSER).status_code == 405


def test_the_console_calls_the_port_that_it_came_from(server: ServerProcess) -> None:
    """Its port answers RPCs as the API's does, streams among them, and refuses the pages of other sites."""
    address = f"http://127.0.0.1:{server.console_port}"
    with AppServiceClientSync(address) as client:
        client.create(create("called"))
        assert client.get(get("called")).app.metadata.id.name == "called"
        stream = client.watch(WatchRequest(org="flyte"))
        names = iter(event.create_event.app.metadata.id.name for event in stream)
        assert "called" in (next(names) for _ in range(1_000))
        client.create(create("later"))
        assert "later" in (next(names) for _ in range(1_000))
    call = f"{address}/flyteidl2.app.AppService/Get"
    headers = {"content-type": "application/json", "origin": f"http://localhost:{server.console_port}"}
    asked = {"appId": {"org": "flyte", "project": "p", "domain": "development", "name": "called"}}
    assert HTTP.post(call, headers=headers, json=asked).json()["app"]["metadata"]["id"]["name"] == "called"
    assert HTTP.post(call, headers=headers | {"origin": "https://evil.example"}, json=asked).status_code == 403
    assert HTTP.post(call, headers=headers | {"host": "evil.example"}, json=asked).status_code == 403


def test_without_a_console(kind: str) -> None:
    """With --no-console no second port is opened, and browsers get what all other clients get."""
    banner = r"(?:API at http://|endpoint: dns:///)localhost:(\d+)"
    with ServerProcess("--server", kind, "--no-console", console_port=None, banner=banner) as server:
        assert "console" not in server.output and server.port == server.console_port
        page = HTTP.get(url(server.port, "/"), headers=BROWSER)
        assert page.headers["content-type"].startswith("text/plain") and "is running here" in page.text
        assert HTTP.get(url(server.port, "/simulation"), headers=BROWSER).status_code == 404
        assert HTTP.get(url(server.port, f"{static_files.PREFIX}licenses.txt")).status_code == 404
    refused = run("--port", "0", "--console-port", "0", "--no-console")
    assert refused.returncode == 1 and "--no-console leaves out: remove one" in refused.stderr


def test_the_router_of_apps_passes_the_console_on() -> None:
    """With --run, where the console's port is the router of apps, the page and its calls are the same."""
    with ServerProcess("--server", "portable", "--run", "--no-control") as server:
        address = f"http://127.0.0.1:{server.console_port}"
        assert httpx.get(f"{address}/", headers=BROWSER, trust_env=False).text.startswith("<!doctype html>")
        with AppServiceClientSync(address) as client:
            client.create(create("stopped", stopped=True))
            stream = client.watch(WatchRequest(org="flyte"))
            assert next(iter(stream)).create_event.app.metadata.id.name == "stopped"
