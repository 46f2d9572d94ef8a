"""Further cases of HTTP: old versions, tunnels, upgrades, pings, two lengths of one body, Envoy's own doors."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import psutil
import pytest

from flyteapps_fake import FakeControlPlane

from .messages import get, watch
from .raw_http2 import RawHttp2
from .server_process import HTTP, ServerProcess
from .test_edges import GET, GRPC, PROTO, WATCH, frame

SECONDS = 30.0
"""In which what is answered at once is answered, on any machine; what waits for a limit takes a minute."""
UPGRADE = "connection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"


def said(port: int, *lines: str, body: str = "", host: str = "host: localhost") -> str:
    """Return all that is answered to a request, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as raw:
        head = [lines[0], *filter(None, [host]), *lines[1:]]
        raw.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        received = b""
        while chunk := raw.recv(65_536):
            received += chunk
    return received.decode()


@pytest.mark.parametrize("host", ["host: localhost", ""], ids=["a host", "none"])
def test_http_1_0(server: ServerProcess, host: str) -> None:
    """HTTP/1.0, as `curl -0` speaks it, is answered on both ports, and may leave the host out."""
    for port in (server.port, server.console_port):
        answer = said(port, "GET /healthz HTTP/1.0", host=host)
        assert re.match(r"HTTP/1\.[01] 200", answer) and "SERVING" in answer, answer
    body = get("none").SerializeToString().decode()
    answer = said(
        server.port,
        f"POST {GET} HTTP/1.0",
        f"content-type: {PROTO}",
        f"content-length: {len(body)}",
        host=host,
        body=body,
    )
    assert "404" in answer.splitlines()[0] and "not_found" in answer, answer


ABSOLUTE = [
    ("http://localhost/healthz", "localhost", "200"),
    ("HTTPS://LOCALHOST:1/healthz?x=/", "localhost", "200"),
    ("http://[::1]/healthz", "evil.example", "200"),
    ("http://localhost", "localhost", "200"),
    ("http://evil.example/healthz", "localhost", "403"),
    ("http:///healthz", "localhost", "400"),
    ("http://localhost\\@evil.example/healthz", "localhost", "400"),
    ("http://localhost#/healthz", "localhost", "400"),
    ("ftp://localhost/healthz", "localhost", "400"),
    ("localhost/healthz", "localhost", "400"),
]
"""A target, a Host header, and the status."""


@pytest.mark.parametrize(("target", "host", "status"), ABSOLUTE)
def test_a_target_with_its_host(server: ServerProcess, target: str, host: str, status: str) -> None:
    """A whole URL, as clients send it to a proxy, is answered on both ports; its host counts, not the header's."""
    for port in (server.port, server.console_port):
        answer = said(port, f"GET {target} HTTP/1.1", "connection: close", host=f"host: {host}")
        assert answer.split()[1] == status, answer


def test_another_host_over_http_1_0(server: ServerProcess) -> None:
    """The host that an old client names is checked like any other."""
    assert "403" in said(server.port, "GET /healthz HTTP/1.0", host="host: evil.example").splitlines()[0]


@pytest.mark.parametrize("target", ["example.com:443", "localhost:443", "127.0.0.1:22"])
def test_connect_is_refused_at_once(server: ServerProcess, target: str) -> None:
    """CONNECT is 405 on both ports, whomever it asks for."""
    for port in (server.port, server.console_port):
        answer = said(port, f"CONNECT {target} HTTP/1.1", host=f"host: {target}")
        assert answer.startswith("HTTP/1.1 405") and "CONNECT is not offered" in answer, answer


@pytest.mark.parametrize(
    "extended",
    [[], [(":scheme", "http"), (":path", "/"), (":protocol", "websocket")]],
    ids=["plain", "for a WebSocket"],
)
def test_connect_over_http_2(server: ServerProcess, extended: list[tuple[str, str]]) -> None:
    """It is refused over HTTP/2 as well, whatever it is to carry, and the server goes on."""
    with RawHttp2(server.port) as raw:
        answer = raw.answer(raw.opened([(":method", "CONNECT"), (":authority", "localhost"), *extended]), SECONDS)
        # the server didn't advertise the latter: it may break the stream or the connection
        assert answer.headers.get(":status") == "405" or (extended and (answer.reset is not None or raw.closed)), answer
    assert HTTP.get(f"{server.url}/healthz").status_code == 200


def test_websocket_is_refused_at_once(server: ServerProcess) -> None:
    """There is no WebSocket: 403, on both ports."""
    for port in (server.port, server.console_port):
        assert said(port, "GET / HTTP/1.1", "upgrade: websocket\r\n" + UPGRADE.rstrip()).startswith("HTTP/1.1 403")


@pytest.mark.parametrize("protocol", ["foo/1", "TLS/1.0"])
def test_other_upgrades_are_ignored(server: ServerProcess, protocol: str) -> None:
    """An offer to speak another protocol is left alone, and the request is answered."""
    answer = said(server.port, "GET /healthz HTTP/1.1", f"upgrade: {protocol}\r\nconnection: upgrade, close")
    assert answer.startswith("HTTP/1.1 200") and "SERVING" in answer


@pytest.mark.parametrize("first", ["content-length: 5\r\ntransfer-encoding", "transfer-encoding"])
def test_two_lengths_of_a_body(server: ServerProcess, first: str) -> None:
    """A body with content-length and transfer-encoding is refused, and what is smuggled behind it isn't answered."""
    lengths = f"{first}: chunked" + ("" if first.startswith("c") else "\r\ncontent-length: 5")
    smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    for port in (server.port, server.console_port):
        answer = said(port, f"POST {GET} HTTP/1.1", f"content-type: {PROTO}", lengths, body=smuggled)
        assert answer.startswith("HTTP/1.1 400"), answer
        assert answer.count("HTTP/1.1") == 1 and "SERVING" not in answer


@pytest.fixture(params=["portable", "pyvoy", "grpcio"], scope="module")
def pinged(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port of each server that speaks HTTP/2."""
    if request.param == "grpcio":
        with FakeControlPlane() as plane:
            yield plane.serve().grpc_port
        return
    if request.param == "pyvoy":
        pytest.importorskip("pyvoy")
    with ServerProcess("--server", request.param, "--quiet") as server:
        yield server.port


@pytest.mark.parametrize("watching", [False, True], ids=["idle", "with a stream"])
def test_pings(pinged: int, watching: bool) -> None:
    """A client may ping as often as it likes, with a stream open or none: each is answered, and none is its last."""
    with RawHttp2(pinged) as raw:
        if watching:
            raw.asked(WATCH, GRPC, frame(watch("none").SerializeToString()))
        for count in range(1, 41):
            raw.ping()
            raw.until(lambda count=count: raw.pongs == count or raw.closed, "a ping is not answered")
        assert not raw.closed
        assert raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString()))).grpc_status == "5"


def test_nothing_else_listens(server: ServerProcess) -> None:
    """The API and the console are the only ports of a server; Envoy's administration is not to be had."""
    root = psutil.Process(server.process.pid)
    ports = {
        connection.laddr.port
        for process in (root, *root.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert ports == {server.port, server.console_port}
