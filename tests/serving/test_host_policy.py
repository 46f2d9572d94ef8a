"""The host policy over sockets: host names, pages of other origins, and the warning of an exposed server."""

from __future__ import annotations

import pytest
from flyteidl2.app.app_service_connect import AppServiceClientSync

from .messages import create, get
from .raw_http2 import RawHttp2
from .server_process import HTTP, ServerProcess

GET = "/flyteidl2.app.AppService/Get"
PROTO = {"content-type": "application/proto"}
LOOPBACK = ["localhost", "LOCALHOST:1", "a.localhost", "127.0.0.1:99", "[::1]:8090", "127.7.7.7"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_names_of_this_machine_are_answered(server: ServerProcess, host: str) -> None:
    """A server on the loopback answers for every name of the loopback, with any port."""
    answer = HTTP.post(server.url + GET, content=get("none").SerializeToString(), headers=PROTO | {"host": host})
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1:8090", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", [GET, "/flyteidl2.app.AppService/Watch", "/", "/metrics"])
def test_other_names_are_refused(server: ServerProcess, host: str, path: str) -> None:
    """A name that only leads here (DNS rebinding) is PERMISSION_DENIED, and the message says what to do."""
    answer = HTTP.post(server.url + path, content=b"", headers=PROTO | {"host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert "--allow-host" in answer.json()["message"]


def test_other_names_are_refused_over_grpc(server: ServerProcess) -> None:
    """The authority of a gRPC call counts as its host."""
    with RawHttp2(server.port, authority="evil.example") as raw:
        assert raw.answer(raw.asked(GET, "application/grpc", b"\0\0\0\0\0")).grpc_status == "7"


def test_allowed_names_are_answered(kind: str) -> None:
    """--allow-host takes a name and what is under it."""
    server = ServerProcess("--server", kind, "--allow-host", "box.internal")
    try:
        for host, status in (("box.internal:8090", 404), ("a.box.internal", 404), ("xbox.internal", 403)):
            answer = HTTP.post(
                server.url + GET, content=get("none").SerializeToString(), headers=PROTO | {"host": host}
            )
            assert answer.status_code == status, host
    finally:
        server.stop()


def test_an_app_is_answered_under_its_own_name(server: ServerProcess) -> None:
    """A host that an app owns leads to its page; RPCs are not answered under it."""
    request = create("named")
    request.app.spec.ingress.cname = "named.example.com"
    with AppServiceClientSync(server.url) as client:
        client.create(request)
    for port in (server.port, server.console_port):
        page = HTTP.get(f"http://127.0.0.1:{port}/", headers={"host": "named.example.com"})
        assert "flyte/p/development/named" in page.text
    assert HTTP.post(server.url + GET, headers=PROTO | {"host": "named.example.com"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://app.localhost:8080"])
def test_pages_of_this_machine_may_ask(server: ServerProcess, origin: str) -> None:
    """A page of the loopback gets what it needs: a preflight that allows, and an answer that it may read."""
    asked = {"origin": origin, "access-control-request-method": "POST"}
    wanted = "connect-protocol-version,content-type"
    before = HTTP.options(server.url + GET, headers=asked | {"access-control-request-headers": wanted})
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == origin
    assert "POST" in before.headers["access-control-allow-methods"]
    assert before.headers["access-control-allow-headers"] == wanted
    answer = HTTP.post(server.url + GET, json={}, headers={"origin": origin, "content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-expose-headers"] == "*"
    assert "origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "nonsense"])
def test_pages_from_elsewhere_may_not(server: ServerProcess, origin: str) -> None:
    """Any other page is refused, before and after a preflight, and nothing of it changes a plane."""
    asked = {"origin": origin, "access-control-request-method": "POST"}
    before = HTTP.options(server.url + GET, headers=asked)
    assert before.status_code == 403
    assert "access-control-allow-origin" not in before.headers
    path = server.url + "/flyteidl2.app.AppService/Create"
    content = create("from-elsewhere").SerializeToString()
    answer = HTTP.post(path, content=content, headers=PROTO | {"origin": origin})
    assert answer.json()["code"] == "permission_denied" and "--cors-origin" in answer.json()["message"]
    assert "access-control-allow-origin" not in answer.headers
    with AppServiceClientSync(server.url) as client, pytest.raises(Exception, match="not found"):
        client.get(get("from-elsewhere"))


def test_allowed_origins_may_ask(kind: str) -> None:
    """--cors-origin takes an origin, * takes all."""
    for option, origin in (("https://console.example", "https://console.example"), ("*", "https://any.example")):
        server = ServerProcess("--server", kind, "--cors-origin", option)
        try:
            answer = HTTP.post(server.url + GET, headers=PROTO | {"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        finally:
            server.stop()


def test_a_server_for_others_warns(kind: str) -> None:
    """--host beyond the loopback warns that every client may change everything; any host name is allowed."""
    server = ServerProcess("--server", kind, "--host", "0.0.0.0")
    try:
        assert "everyone who can reach this machine" in server.output
        answer = HTTP.post(server.url + GET, headers=PROTO | {"host": "box.example"})
        assert answer.status_code == 400
    finally:
        server.stop()


@pytest.mark.parametrize("request_id", ["7d1c", "a-b_c.d:e"])
def test_request_ids_come_back(server: ServerProcess, request_id: str) -> None:
    """x-request-id is echoed, of a unary call, a refusal and a stream."""
    headers = {"x-request-id": request_id}
    for path, kind in ((GET, "application/proto"), ("/a.B/C", "application/proto"), (GET, "text/plain")):
        answer = HTTP.post(server.url + path, headers=headers | {"content-type": kind})
        assert answer.headers["x-request-id"] == request_id, path
    stream = server.url + "/flyteidl2.app.AppService/Watch"
    answer = HTTP.post(stream, content=b"\0\0\0\0\0x", headers=headers | {"content-type": "application/connect+proto"})
    assert answer.headers["x-request-id"] == request_id


def test_a_request_id_that_is_none_is_dropped(server: ServerProcess) -> None:
    """A request id that would make a header or a log line of its own isn't echoed."""
    answer = HTTP.post(server.url + GET, headers=PROTO | {"x-request-id": "a b" * 100})
    assert "x-request-id" not in answer.headers
