"""Clients that take too much or too long: each is refused in its own protocol, and the server goes on."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_service_connect import AppServiceClientSync

from .conftest import EACH_KIND
from .messages import create, get, watch
from .raw_http2 import RawHttp2
from .server_process import CUT_SECONDS, HTTP, PATIENCE, ServerProcess, eventually
from .test_edges import CREATE, GET, GRPC, PROTO, WATCH, WEB, frame, open_streams

STREAMS, PER_CONNECTION = 6, 4


@pytest.fixture(scope="module", params=EACH_KIND)
def strict(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server with few streams."""
    yield from serving(
        request.param, "--max-streams", str(STREAMS), "--max-streams-per-connection", str(PER_CONNECTION)
    )


@pytest.fixture(scope="module", params=EACH_KIND)
def hasty(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server that gives a request one second to arrive: no time for what a busy machine sends late."""
    yield from serving(request.param, "--request-timeout", "1")


def serving(kind: str, *limits: str) -> Iterator[ServerProcess]:
    server = ServerProcess("--server", kind, *limits)
    yield server
    status, _ = server.stop()
    assert status == 0, server.output


def answered(server: ServerProcess) -> bool:
    """Return whether another client is answered."""
    body = get("none").SerializeToString()
    try:
        return HTTP.post(server.address + GET, content=body, headers={"content-type": PROTO}).status_code == 404
    except httpx.HTTPError:
        return False


def everything(hanging: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    hanging.settimeout(CUT_SECONDS)
    received = b""
    while chunk := hanging.recv(65_536):
        received += chunk
    return received


def test_more_streams_than_a_connection_may_have(strict: ServerProcess) -> None:
    """The stream too many is RESOURCE_EXHAUSTED and says what to do; a closed one makes room, calls always go."""
    request = frame(watch("a").SerializeToString())
    with RawHttp2(strict.port) as raw:
        numbers = [raw.asked(WATCH, GRPC, request) for _ in range(PER_CONNECTION)]
        eventually(lambda: open_streams(strict) == PER_CONNECTION, "the streams are not open")
        answer = raw.answer(raw.asked(WATCH, GRPC, request))
        assert answer.grpc_status == "8"
        assert "another connection" in (answer.trailers | answer.headers)["grpc-message"]
        assert raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString()))).grpc_status == "5"
        raw.reset(numbers[0])
        eventually(lambda: open_streams(strict) == PER_CONNECTION - 1, "the closed stream still counts")
    eventually(lambda: open_streams(strict) == 0, "streams leaked")


def test_more_streams_than_a_server_may_have(strict: ServerProcess) -> None:
    """All connections together have a limit, too."""
    request = frame(watch("a").SerializeToString())
    with RawHttp2(strict.port) as one, RawHttp2(strict.port) as other:
        for raw in (one, other):
            for _ in range(STREAMS // 2):
                raw.asked(WATCH, GRPC, request)
        eventually(lambda: open_streams(strict) == STREAMS, "the streams are not open")
        answer = other.answer(other.asked(WATCH, GRPC, request))
        assert answer.grpc_status == "8"
        assert "--max-streams" in (answer.trailers | answer.headers)["grpc-message"]
    eventually(lambda: open_streams(strict) == 0, "streams leaked")


@pytest.mark.parametrize("sent", [b"", b"ab"], ids=["nothing", "a part"])
def test_a_body_that_never_ends(hasty: ServerProcess, sent: bytes) -> None:
    """A body that doesn't come is DEADLINE_EXCEEDED in every protocol, and the connection is not left open."""
    with ExitStack() as stack:
        plain: dict[str, socket.socket] = {}
        for kind in (PROTO, WEB, "application/json"):
            head = f"POST {CREATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 99\r\n\r\n"
            plain[kind] = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port)))
            plain[kind].sendall(head.encode() + sent)
        raw = stack.enter_context(RawHttp2(hasty.port))
        numbers = [raw.request(path, GRPC) for path in (CREATE, WATCH)]
        for number in numbers:
            raw.send(number, sent, end=False)
        for kind, hanging in plain.items():
            received = everything(hanging)
            assert b"grpc-status: 4" in received if kind == WEB else b"deadline_exceeded" in received, received
        for number in numbers:
            assert raw.answer(number).grpc_status == "4"
    eventually(lambda: answered(hasty), "no other client is answered")


def test_headers_that_never_end(hasty: ServerProcess) -> None:
    """A client that dribbles its headers is cut, though it never pauses for long."""
    with socket.create_connection(("127.0.0.1", hasty.port)) as raw:
        raw.settimeout(0.05)
        raw.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\n")
        started = time.monotonic()
        received = None
        while received is None and time.monotonic() - started < CUT_SECONDS:
            try:
                raw.sendall(b"x: y\r\n")
                received = raw.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                received = b""
        assert received is not None, "it is still read"
        assert received == b"" or b" 408 " in received
    eventually(lambda: answered(hasty), "no other client is answered")


def test_endless_headers(hasty: ServerProcess) -> None:
    """A head of a megabyte is refused before it is whole."""
    with socket.create_connection(("127.0.0.1", hasty.port)) as raw:
        raw.settimeout(CUT_SECONDS)
        try:
            raw.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 1_000_000)
            received = raw.recv(65_536)
        except ConnectionError:
            received = b""
        assert received == b"" or b" 431 " in received
    eventually(lambda: answered(hasty), "no other client is answered")


def test_an_upload_that_stops(hasty: ServerProcess) -> None:
    """An upload that doesn't go on is cut like any other request."""
    head = b"PUT /_flyteapps/uploads/x?expires=0 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty.port)) as raw:
        raw.settimeout(CUT_SECONDS)
        raw.sendall(head)
        assert raw.recv(65_536)
    eventually(lambda: answered(hasty), "no other client is answered")


@pytest.mark.slow
def test_a_slow_reader_of_watch(kind: str) -> None:
    """A watcher that reads nothing while thousands of events come is ended with a reason; others are not held up."""
    server = ServerProcess("--server", kind, "--quiet")
    try:
        with AppServiceClientSync(server.url) as client, RawHttp2(server.port) as slow:
            request = create("slow", stopped=True)
            revision = client.create(request).app.metadata.revision
            number = slow.asked(WATCH, GRPC, frame(watch("slow").SerializeToString()))
            eventually(lambda: open_streams(server) == 1, "the watch is not open")
            for turn in range(2_500):
                request.app.metadata.revision = 0
                request.app.metadata.labels["turn"] = str(turn)
                revision += 1
                updated = client.update(payload.UpdateRequest(app=request.app), timeout_ms=60_000)
                assert updated.app.metadata.revision == revision
            assert slow.answer(number).grpc_status == "8"
        eventually(lambda: open_streams(server) == 0, "the stream leaked")
    finally:
        server.stop()


def test_sigterm_under_load(kind: str) -> None:
    """A signal while calls and streams run: exit status 0 soon, and each call is answered or fails plainly."""
    server = ServerProcess("--server", kind, "--quiet")
    ends: list[str] = []
    stop = threading.Event()

    def call(number: int) -> None:
        with AppServiceClientSync(server.url) as client:
            while not stop.is_set():
                try:
                    client.create(create(f"a{number}"))
                except ConnectError as error:
                    ends.append(error.code.name)
                    if error.code.name == "UNAVAILABLE":
                        return

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(ends) > 50, "no load")
    status, seconds = server.stop(signal.SIGTERM)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert status == 0 and seconds < server.soon, server.output
    assert set(ends) <= {"ALREADY_EXISTS", "UNAVAILABLE", "CANCELED"}, set(ends)
    assert "Traceback" not in server.output
