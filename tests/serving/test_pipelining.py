"""Bytes that a client of HTTP/1 sends before its answer, or after it: they hide nothing and wait for no longer."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Iterator

import pytest

from .conftest import EACH_KIND
from .http2_frames import CONTINUATION, HEADERS, Flood, call, frame, head
from .messages import get, watch
from .server_process import CUT_SECONDS, HTTP, PATIENCE, ServerProcess, eventually
from .test_edges import GET, PROTO, WATCH, open_streams
from .test_edges import frame as enveloped

pytestmark = pytest.mark.slow

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
AHEAD = {"a byte": b"G", "a request": HEALTH, "many requests": HEALTH * 5_000}


def post(path: str, content_type: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


WATCHING = post(WATCH, "application/connect+proto", enveloped(watch("absent").SerializeToString()))
CALL = post(GET, PROTO, get("none").SerializeToString())


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize("leaving", ["closes", "resets"])
def test_a_watcher_that_sent_more_and_left(server: ServerProcess, ahead: str, leaving: str) -> None:
    """The stream of a client that sent bytes after its request, and then left, is freed."""
    if HTTP.get(f"{server.url}/healthz").json()["server"] == "pyvoy" and leaving == "resets":
        pytest.skip("Envoy doesn't read the connection meanwhile, and doesn't notice a reset before it sends")
    with connected(server.port) as raw:
        raw.sendall(WATCHING)
        eventually(lambda: open_streams(server) == 1, "the stream is not open")
        raw.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            raw.sendall(AHEAD[ahead])
        if leaving == "resets":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: open_streams(server) == 0, "the stream is left")


def test_pipelined_requests_are_answered_in_order(server: ServerProcess) -> None:
    """Hundreds of requests that are sent at once are answered, each in its turn; parts of a head wait for the rest."""
    last = HEALTH[:-2] + b"connection: close\r\n\r\n"
    requests = (HEALTH + CALL) * 300 + last
    with connected(server.port) as raw:
        for start in range(0, len(requests), 4_999):
            raw.sendall(requests[start : start + 4_999])
        received = b""
        while data := raw.recv(65_536):
            received += data
    assert re.findall(rb"HTTP/1.1 (\d+) ", received) == [b"200", b"404"] * 300 + [b"200"]


@pytest.fixture(scope="module", params=EACH_KIND)
def hasty(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server that gives a request one second to arrive."""
    with ServerProcess("--server", request.param, "--quiet", "--request-timeout", "1") as running:
        yield running


def end_of(raw: socket.socket) -> None:
    """Wait for the server to close the connection, for less time than it keeps one between two requests."""
    raw.settimeout(CUT_SECONDS)
    try:
        while raw.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        pytest.fail("still open")


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nhost: "])
@pytest.mark.parametrize("together", [True, False], ids=["with the first request", "after its answer"])
def test_the_next_head_that_stops_is_cut(hasty: ServerProcess, begun: bytes, together: bool) -> None:
    """The first bytes of a further request are given the time of a head, and not that between two requests."""
    for port in (hasty.port, hasty.console_port):
        with connected(port) as raw:
            raw.sendall(HEALTH + (begun if together else b""))
            assert raw.recv(65_536).startswith(b"HTTP/1.1 200")
            if not together:
                raw.sendall(begun)
            end_of(raw)


def test_the_next_head_that_stops_over_http_2(hasty: ServerProcess) -> None:
    """A header block that never ends is cut, too, also where the connection has an open stream."""
    with Flood(hasty.port) as connection:
        connection.send(call(1, head(WATCH), watch("absent").SerializeToString()))
        eventually(lambda: open_streams(hasty) == 1, "the stream is not open")
        connection.send(frame(HEADERS, 0, 3, head(GET)) + frame(CONTINUATION, 0, 3, b"") * 2)
        eventually(lambda: open_streams(hasty) == 0, "the connection is still open")


@pytest.mark.parametrize("key", ["sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n", ""])
def test_a_refused_websocket_is_closed(server: ServerProcess, key: str) -> None:
    """A WebSocket is 403, well-formed or not, and nothing that follows it on its connection is answered."""
    request = f"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n".encode()
    for port in (server.port, server.console_port):
        with connected(port) as raw:
            raw.sendall(request + HEALTH)
            raw.settimeout(CUT_SECONDS)
            received = b""
            while data := raw.recv(65_536):
                received += data
        assert received.startswith(b"HTTP/1.1 403") and received.count(b"HTTP/1.1") == 1, received
