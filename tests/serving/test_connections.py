"""The cost of one client's connections: streams, bytes that it doesn't read, uploads that go on, silence, files."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import hpack
import httpx
import psutil
import pytest
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_service_connect import AppServiceClientSync
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypercorn.config import Config
from priority.priority import DeadlockError

from flyteapps_fake.http.limits import CALLS_PER_CONNECTION, KEEP_ALIVE_SECONDS
from flyteapps_fake.servers.hypercorn.http2 import CountedConnection, Http2
from flyteapps_fake.servers.hypercorn.sending import SendBuffer
from flyteapps_fake.servers.hypercorn.turns import Context

from .conftest import EACH_KIND
from .messages import create, get, watch
from .raw_http2 import RawHttp2
from .server_process import CUT_SECONDS, HTTP, PATIENCE, ServerProcess, eventually
from .test_edges import CREATE, GET, GRPC, PROTO, WATCH, frame, open_streams
from .test_limits import answered

PER_CONNECTION = 500
MIB = 1024 * 1024
HEADERS_FRAME, SETTINGS_FRAME, END_HEADERS = 1, 4, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes((0, 0, 0, SETTINGS_FRAME, 0, 0, 0, 0, 0))


@pytest.fixture(scope="module", params=EACH_KIND)
def strict(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server with little patience, and few streams for a connection."""
    limits = ("--request-timeout", "1", "--max-streams-per-connection", str(PER_CONNECTION))
    with ServerProcess("--server", request.param, "--quiet", *limits) as server:
        yield server


def memory(server: ServerProcess) -> int:
    """Return the bytes of memory of the server's processes."""
    root = psutil.Process(server.process.pid)
    return sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))


def tasks(server: ServerProcess) -> int:
    return int(HTTP.get(f"{server.url}/healthz").json()["tasks"])


def test_streams_of_one_connection_have_a_limit(kind: str) -> None:
    """A client that opens streams past what HTTP/2 was told loses its connection; others are answered meanwhile."""
    most = PER_CONNECTION + CALLS_PER_CONNECTION
    encoder = hpack.Encoder()
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", WATCH)]
    fields += [("content-type", GRPC), ("te", "trailers")]

    def opened(number: int) -> bytes:
        block = encoder.encode(fields)
        return len(block).to_bytes(3, "big") + bytes((HEADERS_FRAME, END_HEADERS)) + number.to_bytes(4, "big") + block

    # requests that are late would be refused, and make room
    options = ("--server", kind, "--quiet", "--max-streams-per-connection", str(PER_CONNECTION))
    with ServerProcess(*options) as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as raw:
            raw.sendall(PREFACE + SETTINGS)
            raw.sendall(b"".join(opened(number) for number in range(1, 2 * most, 2)))
            assert answered(server)
            received = b""
            try:
                raw.sendall(b"".join(opened(number) for number in range(2 * most + 1, 4 * most, 2)))
                while chunk := raw.recv(65_536):
                    received += chunk
            except ConnectionError:
                pass  # as good as the end
        assert answered(server)
        eventually(lambda: tasks(server) < 20, "tasks of streams that are gone are left")


def test_opening_a_stream_counts_no_others() -> None:
    """The portable server's HTTP/2 counts its open streams now and then: not all, again, for each that is opened."""
    counted = 0

    class Counting(CountedConnection):
        def _open_streams(self, remainder: int) -> int:
            nonlocal counted
            counted += len(self.streams)
            return super()._open_streams(remainder)

    client, server = H2Connection(H2Configuration()), Counting(H2Configuration(client_side=False))
    client.initiate_connection()
    server.initiate_connection()
    server.local_settings.max_concurrent_streams = 10_000
    client.remote_settings.max_concurrent_streams = 10_000
    client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send())
    headers = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")]
    streams = 600
    for _ in range(streams):
        client.send_headers(client.get_next_available_stream_id(), headers)
        server.receive_data(client.data_to_send())
        assert server.open_inbound_streams >= len(server.streams)
    assert counted < 10 * streams


async def connection_with_streams(count: int) -> tuple[Http2, dict[int, SendBuffer]]:
    """Return a connection of the portable server, and the empty buffers of its streams."""
    arguments: list[Any] = [None, Config(), Context(), None, None, False, None, None, None]
    http2 = Http2(*arguments)
    buffers: dict[int, SendBuffer] = {}
    for number in range(1, 2 * count, 2):
        buffers[number] = SendBuffer(http2.context.event_class, http2.unread)
        cast("dict[int, Any]", http2.stream_buffers)[number] = buffers[number]
        http2.priority.insert_stream(number)
    return http2, buffers


async def test_a_window_of_all_streams_wakes_those_that_have_something() -> None:
    """Larger windows make the portable server look at streams that have data, not at each of thousands."""
    http2, buffers = await connection_with_streams(1_000)
    await buffers[77].push(b"an event")
    buffers[99].set_complete()
    await http2._window_updated(None)  # pyright: ignore[reportPrivateUsage]
    assert [next(http2.priority) for _ in range(4)] == [77, 99, 77, 99]


async def test_a_window_update_makes_one_stream_try() -> None:
    """Where a connection's window is closed, an update lets the next stream send; the others try when it is open."""
    http2, _ = await connection_with_streams(1_000)
    http2.connection.outbound_flow_control_window = 0
    order = http2.priority
    for number in range(1, 2_000, 2):
        order.unblock(number)
        order.block(number)
    with pytest.raises(DeadlockError):
        next(order)
    for number in range(1, 2_000, 2):
        http2.connection.outbound_flow_control_window = 1
        await http2._window_updated(0)  # pyright: ignore[reportPrivateUsage]
        assert next(order) == number
        http2.connection.outbound_flow_control_window = 0
        order.block(number)
        with pytest.raises(DeadlockError):
            next(order)


def test_bytes_that_watchers_do_not_read(kind: str) -> None:
    """A watcher whose window is closed costs a server some events, not all that come; once it is gone, nothing."""
    watchers, updates, size = 8, 60, 300_000
    with ServerProcess("--server", kind, "--quiet") as server, AppServiceClientSync(server.url) as client:
        request = create("large", stopped=True)
        request.app.metadata.labels["x"] = "y" * size
        client.create(request)
        unread = [RawHttp2(server.port, window=0) for _ in range(watchers)]
        for raw in unread:
            raw.asked(WATCH, GRPC, frame(watch("large").SerializeToString()))
        eventually(lambda: open_streams(server) == watchers, "the watches are not open")
        before = memory(server)
        for turn in range(updates):
            request.app.metadata.labels["turn"] = str(turn)
            client.update(payload.UpdateRequest(app=request.app), timeout_ms=60_000)
        grown = memory(server) - before
        for raw in unread:
            raw.close()
        eventually(lambda: open_streams(server) == 0, "the streams leaked")
    assert grown < watchers * updates * size // 2, f"{grown / MIB:.0f} MiB for {watchers} watchers"


def test_an_upload_that_goes_on_after_its_answer(server: ServerProcess) -> None:
    """A client that sends on and on is answered, can read the answer, is cut, and leaves no task behind."""
    before = tasks(server)
    head = f"POST {CREATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTO}\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    answers: list[bytes] = []
    cut = 0

    def upload() -> None:
        nonlocal cut
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as raw:
            reader = threading.Thread(target=lambda: answers.append(raw.recv(65_536)))
            reader.start()
            try:
                raw.sendall(head.encode())
                for _ in range(2_000):
                    raw.sendall(chunk)
            except OSError:
                cut += 1
            reader.join(PATIENCE)

    clients = [threading.Thread(target=upload) for _ in range(2)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert cut == 2 and all(b" 429 " in answer for answer in answers), answers
    eventually(lambda: tasks(server) <= before, "tasks are left")


def test_a_body_that_goes_on_over_http_2(strict: ServerProcess) -> None:
    """A call that is answered before its body has ended is reset, so that its client stops; the connection goes on."""
    with RawHttp2(strict.port) as raw:
        number = raw.request(CREATE, GRPC)
        raw.send(number, b"\0\0", end=False)
        answer = raw.answer(number)
        assert answer.grpc_status == "4"
        raw.until(lambda: answer.reset is not None, "the stream is still open")
        assert answer.reset == 0
        assert raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString()))).grpc_status == "5"


def test_a_client_that_ends_with_its_request(server: ServerProcess) -> None:
    """A connection whose client sends a request and then its end is closed with the answer; on the console, too."""
    for port in (server.port, server.console_port):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            raw.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(65_536):
                    pass


@pytest.fixture(scope="module", params=EACH_KIND)
def strict_tls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server by TLS with little patience."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    options = ("--server", request.param, "--quiet", "--request-timeout", "1", "--tls", "self-signed")
    with ServerProcess(*options, env=environment) as server:
        yield server


def greeting() -> bytes:
    """Return the first bytes of a TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def cut(server: ServerProcess, beginnings: list[bytes]) -> None:
    """Assert that the server closes connections that send these bytes and no more."""
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), CUT_SECONDS)) for _ in beginnings
        ]
        for raw, begun in zip(silent, beginnings, strict=True):
            raw.sendall(begun)
        for raw in silent:
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(65_536):
                    pass


def test_silent_connections_are_cut(strict: ServerProcess) -> None:
    """A connection that sends nothing, or what HTTP/2 begins with and no request, is closed as one with half a head."""
    begun = [b"", b"P"]
    if HTTP.get(f"{strict.url}/healthz").json()["server"] == "hypercorn":  # Envoy takes HTTP/2 for idle: 75 s
        begun += [PREFACE[:18], PREFACE, PREFACE + SETTINGS]
    cut(strict, begun)
    eventually(lambda: answered(strict), "no other client is answered")


def test_half_done_tls_is_cut(strict_tls: ServerProcess) -> None:
    """So is one that sends nothing, a part of a greeting, or a greeting and no more, where TLS is spoken."""
    said = greeting()
    cut(strict_tls, [b"", said[:7], said])
    eventually(lambda: answered(strict_tls), "no other client is answered")


IDLE = {
    "nothing": b"",
    "a request": b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "settings of HTTP/2": PREFACE + SETTINGS,
}


@pytest.mark.slow
@pytest.mark.parametrize("sent", IDLE.values(), ids=IDLE.keys())
def test_no_more_files(kind: str, sent: bytes) -> None:
    """With as many idle connections as a process may open files, others are answered soon, and logs stay short."""
    limits = ("--request-timeout", "1") if sent == b"" else ()  # what is idle has 75 s, where there is room
    with ServerProcess("--server", kind, "--quiet", *limits, shell="ulimit -n 100") as server:
        silent: list[socket.socket] = []
        try:
            for _ in range(150):
                raw = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
                silent.append(raw)
                with contextlib.suppress(OSError):
                    raw.sendall(sent)
            before = time.monotonic()
            eventually(lambda: answered(server), "no new client is answered")
            assert time.monotonic() - before < KEEP_ALIVE_SECONDS / 2
        finally:
            for each in silent:
                each.close()
        said = server.output.partition("Ctrl-C stops it.")[2]
        assert said.count("\n") < 10, said


@pytest.mark.slow
@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_unfinished_requests_end_for_new_clients(http2: bool) -> None:
    """Clients with half a request each, as many as a process may open files, keep no other out: portable server."""
    with ServerProcess("--server", "portable", "--quiet", shell="ulimit -n 200") as server, ExitStack() as stack:
        for _ in range(250):
            with contextlib.suppress(OSError):
                if http2:
                    raw = stack.enter_context(RawHttp2(server.port))
                    raw.send(raw.request(CREATE, GRPC), b"a", end=False)
                else:
                    plain = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
                    plain.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\na")
        for _ in range(20):
            with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
                assert client.get(f"{server.url}/healthz").status_code == 200


def test_the_limit_is_in_the_settings_of_http_2(strict: ServerProcess) -> None:
    """SETTINGS_MAX_CONCURRENT_STREAMS is that limit, so that a well-behaved client waits instead of being cut."""
    with RawHttp2(strict.port) as raw:
        raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString())))
        assert raw.max_streams == PER_CONNECTION + CALLS_PER_CONNECTION
    assert json.loads(HTTP.get(f"{strict.url}/healthz").text)["streams"]["limit_per_connection"] == PER_CONNECTION
