"""The pages of apps, by path and by host name: which app it is, and that nothing runs behind it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_control.remote import connect_control
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.console import app_page, pages
from flyteapps_fake.http.protocol import json_form

from .asgi_calls import calling
from .messages import create, get
from .server_process import HTTP, PATIENCE, ServerProcess, eventually

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
JSON_BODY = {"content-type": "application/json"}
Ask = Callable[..., httpx.Response]


def subdomain_of(server: ServerProcess, name: str, stopped: bool = False) -> str:
    with AppServiceClientSync(server.url) as client:
        client.create(create(name, stopped=stopped))
        app = client.get(get(name)).app
    assert app.status.ingress.public_url == (
        f"http://localhost:{server.console_port}/apps/{app.spec.ingress.subdomain}/"
    ), "a path on the console's port"
    return app.spec.ingress.subdomain


def asks(server: ServerProcess, subdomain: str) -> list[Ask]:
    """Yield every request for an app's page: by path and by host name, on the console's port and on the API's."""

    def by_path(port: int) -> Ask:
        def ask(path: str = "/", method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
            return HTTP.request(method, f"http://127.0.0.1:{port}/apps/{subdomain}{path}", headers=headers)

        return ask

    def by_host(port: int) -> Ask:
        def ask(path: str = "/", method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
            host = {"host": f"{subdomain}.apps.localhost:{port}"}
            return HTTP.request(method, f"http://127.0.0.1:{port}{path}", headers=host | (headers or {}))

        return ask

    return [form(port) for form in (by_path, by_host) for port in (server.port, server.console_port)]


def test_an_active_app_is_not_implemented(server: ServerProcess) -> None:
    """Every path and method under an active app is 501 with its name and a plain sentence, HTML for a browser."""
    for ask in asks(server, subdomain_of(server, "running")):
        eventually(lambda ask=ask: ask().status_code == 501, "the app does not become active")
        for path in ("", "/", "/deep/er?q=1", "/healthz", "/v1/chat", "/predict", "/%2e%2e/x", "/a%20b", "/\u00e4"):
            for method in METHODS:
                answer = ask(path, method, headers=JSON_BODY)
                assert (answer.status_code, answer.headers["x-flyteapps-app"]) == (501, "flyte/p/development/running")
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "retry-after" not in answer.headers
                assert method == "HEAD" or "nothing runs behind it" in answer.json()["message"]
        shown = ask(headers={"accept": "text/html,*/*;q=0.8"})
        assert shown.headers["content-type"].startswith("text/html") and "nothing runs behind it" in shown.text


def test_a_scenario_declares_what_an_app_answers(server: ServerProcess) -> None:
    """By path and by host name, on both ports, whatever server it is: status, headers and a body of any size."""
    large = "x" * 300_000
    responses = [
        {"method": "GET", "path": "/healthz", "body": "ok", "headers": {"x-a": "b", "set-cookie": "c=d"}},
        {"method": "POST", "path": "/v1/*", "status": 201, "body": {"reply": "hi"}},
        {"method": "DELETE", "status": 204},
        {"path": "/large", "body": large, "content_type": "text/html"},
    ]
    scenarios = connect_control(server.url).scenarios
    scenarios.add({"scenarios": {"answering": {"when": {"name": "answering"}, "responses": responses}}})
    for ask in asks(server, subdomain_of(server, "answering")):
        eventually(lambda ask=ask: ask("/healthz").status_code == 200, "the app does not become active")
        answer = ask("/healthz?x=1")
        assert (answer.text, answer.headers["x-a"], answer.headers["set-cookie"]) == ("ok", "b", "c=d")
        assert answer.headers["x-flyteapps-app"] == "flyte/p/development/answering"
        head = ask("/healthz", "HEAD")
        assert (head.status_code, head.content, head.headers["x-a"]) == (200, b"", "b")
        posted = ask("/v1/chat", "POST", headers=JSON_BODY)
        assert (posted.status_code, posted.json()) == (201, {"reply": "hi"})
        deleted = ask("/anything", "DELETE")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert "content-length" not in deleted.headers and "transfer-encoding" not in deleted.headers
        shown = ask("/large", headers={"accept": "text/html"})
        assert (shown.text, shown.headers["content-type"]) == (large, "text/html; charset=utf-8")
        missing = ask("/", headers=JSON_BODY)
        assert missing.status_code == 501 and "declares no response to GET /:" in missing.json()["message"]
    scenarios.remove("answering")


def test_a_stopped_app_is_unavailable(server: ServerProcess) -> None:
    """A stopped app's page is 503 and says what to do; there is no point in a retry."""
    for ask in asks(server, subdomain_of(server, "stopped", stopped=True)):
        answer = ask("/x", "POST", headers=JSON_BODY)
        assert answer.status_code == 503 and "activate it" in answer.json()["message"]
        assert "retry-after" not in answer.headers


def test_what_is_not_there_is_not_found(server: ServerProcess) -> None:
    """No path and no host that isn't exactly an app's is one, in whatever encoding or case: 404, never a failure."""
    subdomain = subdomain_of(server, "near")
    for port in (server.port, server.console_port):
        for path in (
            *("/apps/nobody/", "/apps/", "/apps/nobody.apps.localhost/", f"/apps/{subdomain.upper()}/"),
            *(f"/apps/x%2f..%2f{subdomain}/", f"/apps/%2e%2e/{subdomain}", f"/apps//{subdomain}", "/apps/a%00b/"),
            *("/apps/%E2%84%AA/", "/apps/%FF/", f"/apps/{'a' * 64}/", f"/apps/{subdomain}%20/"),
        ):
            for method in ("GET", "POST"):
                assert status_of(port, method, path) == 404, path
        for host in ("nobody.apps.localhost", f"x.{subdomain}.apps.localhost"):
            page = HTTP.get(f"http://127.0.0.1:{port}/", headers={"host": f"{host}:{port}"})
            assert page.status_code == 404 and "No app" in page.json()["message"]
        full_stop = HTTP.get(f"http://127.0.0.1:{port}/", headers={"host": f"{subdomain}.apps.localhost.:{port}"})
        assert full_stop.status_code in (501, 503), "a DNS name may end in a full stop"


def status_of(port: int, method: str, path: str) -> int:
    """Return the status of a request whose path travels as it stands."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        raw.sendall(head.encode())
        return int(raw.makefile("rb").readline().split()[1])


def test_every_answer_is_what_it_says(server: ServerProcess) -> None:
    """No browser guesses what an answer is: pages, refusals and answers in JSON carry nosniff."""
    get_app = "/flyteidl2.app.AppService/Get"
    for port, method, path in (
        *((port, "GET", path) for port in (server.port, server.console_port) for path in ("/", "/healthz", "/metrics")),
        *((server.console_port, method, "/none") for method in ("GET", "POST")),
        *((server.port, "POST", path) for path in (get_app, "/flyteidl2.none.Service/Method", "/_flyteapps/uploads/x")),
        (server.port, "GET", f"{get_app}?encoding=json&message=%7B%7D"),
    ):
        answer = HTTP.request(method, f"http://127.0.0.1:{port}{path}", headers=JSON_BODY, content=b"{}")
        assert answer.headers["x-content-type-options"] == "nosniff", path
    refused = HTTP.get(f"http://127.0.0.1:{server.port}/", headers={"host": "evil.example"})
    assert refused.status_code == 403 and refused.headers["x-content-type-options"] == "nosniff"


def test_host_names_can_be_asked_for() -> None:
    """`--ingress host` shows host names; paths lead to the same app."""
    with (
        ServerProcess("--server", "portable", "--ingress", "host") as server,
        AppServiceClientSync(server.url) as client,
    ):
        app = client.create(create("a")).app
        subdomain = app.spec.ingress.subdomain
        assert app.status.ingress.public_url == f"http://{subdomain}.apps.localhost:{server.console_port}"
        assert {ask().headers["x-flyteapps-app"] for ask in asks(server, subdomain)} == {"flyte/p/development/a"}


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_an_embedded_server_has_the_pages(dialect: str) -> None:
    """A public URL of a plane that a test serves leads to that server, which says which app it is."""
    with FakeControlPlane(clock="manual", dialect=dialect) as plane:
        server = plane.serve()
        url = plane.stub().create(create("Demo")).app.status.ingress.public_url
        host = urlsplit(url).netloc
        assert host.endswith(f":{server.port}")
        starting = HTTP.get(f"{server.url}{urlsplit(url).path}", headers={"host": host})
        assert (starting.status_code, starting.headers["retry-after"]) == (503, "1")
        plane.advance(60)
        answer = HTTP.post(f"{server.url}{urlsplit(url).path}", headers={"host": host} | JSON_BODY)
        assert answer.status_code == 501
        assert answer.headers["x-flyteapps-app"].endswith("/p/development/Demo")
        assert HTTP.get(f"{server.url}/healthz").json()["apps"] == 1
        index = HTTP.get(f"{server.url}/").text
        assert index.endswith("\np/development/Demo ACTIVE /v2/domain/development/project/p/apps/Demo\n")


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_page_of_a_large_app_is_made_beside_the_loop(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large app is decoded, and made JSON, in a thread, so that calls of others are answered meanwhile."""
    where: set[threading.Thread] = set()

    def noted(work: Callable[..., object]) -> Callable[..., object]:
        def noting(*arguments: object) -> object:
            where.add(threading.current_thread())
            return work(*arguments)

        return noting

    monkeypatch.setattr(json_form, "to_json", noted(json_form.to_json))
    monkeypatch.setattr(pages, "app_page", noted(app_page.app_page))

    async def run() -> None:
        async with calling(page=pages.pages) as caller:
            request = create("large")
            request.app.spec.container.args.append("x" * size)
            app = caller.plane.stub().create(request).app
            for path, status in (
                ("/v2/domain/development/project/p/apps/large", 200),
                (f"/apps/{app.spec.ingress.subdomain}/", 503),
            ):
                events = await caller.send(path, b"", method="GET")
                assert events[0]["status"] == status
                assert (threading.current_thread() in where) == (size < 4_096) and where
                where.clear()

    asyncio.run(run())


def test_an_app_at_zero_is_woken_by_its_path() -> None:
    """A request by path counts as one to the app, as one by host name does."""
    with FakeControlPlane(clock="manual") as plane:
        server = plane.serve()
        url = plane.stub().create(create("idle")).app.status.ingress.public_url
        plane.advance(3600)
        assert plane.stub().get(get("idle")).app.status.current_replicas == 0
        HTTP.get(f"{server.url}{urlsplit(url).path}")
        plane.advance(60)
        assert plane.stub().get(get("idle")).app.status.current_replicas == 1
