"""Malformed and oversized requests: each gets its protocol's own error, and the server goes on answering others."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_service_connect import AppServiceClientSync
from google.protobuf.json_format import MessageToJson

from flyteapps_fake.core.errors import Code

from .messages import create, get, identifier, watch
from .raw_http2 import RawHttp2
from .server_process import HTTP, PATIENCE, ServerProcess, eventually
from .usage import Usage

SERVICE = "/flyteidl2.app.AppService"
GET, CREATE, WATCH = f"{SERVICE}/Get", f"{SERVICE}/Create", f"{SERVICE}/Watch"
PROTO, JSON, GRPC, WEB = "application/proto", "application/json", "application/grpc", "application/grpc-web+proto"
CODES = {str(int(code)): code.name.lower() for code in Code}
DELAY_SECONDS = 1.0
"""CPU seconds of the server for another client's call afterwards, which is a hang's or a loop's if it takes them."""


def frame(message: bytes, flags: int = 0) -> bytes:
    return bytes((flags,)) + len(message).to_bytes(4, "big") + message


Sender = Callable[[ServerProcess, str, bytes, dict[str, str]], str]
"""(server, path, body, headers) -> code"""


class Wire:
    """One way to send a body to a method: the code that it is answered with."""

    def __init__(self, name: str, send: Sender, framed: bool) -> None:
        self.name = name
        self.send = send
        self.framed = framed

    def __repr__(self) -> str:
        return self.name


def _connect(content_type: str) -> Sender:
    def send(server: ServerProcess, path: str, body: bytes, headers: dict[str, str]) -> str:
        answer = HTTP.post(
            server.url + path, content=body, headers={"content-type": content_type, **headers}, timeout=30
        )
        return "ok" if answer.status_code == 200 else answer.json()["code"]

    return send


def _grpc_web(server: ServerProcess, path: str, body: bytes, headers: dict[str, str]) -> str:
    answer = HTTP.post(server.url + path, content=body, headers={"content-type": WEB, **headers}, timeout=30)
    assert answer.status_code == 200
    trailers = answer.content.partition(b"grpc-status: ")[2].decode("latin-1")
    status = answer.headers.get("grpc-status") or trailers.split("\r\n")[0]
    return "ok" if status == "0" else CODES[status]


def _grpc(server: ServerProcess, path: str, body: bytes, headers: dict[str, str]) -> str:
    with RawHttp2(server.port) as raw:
        status = raw.answer(raw.asked(path, GRPC, body, headers)).grpc_status
        return "ok" if status == "0" else CODES[status]


WIRES = [
    Wire("Connect", _connect(PROTO), False),
    Wire("JSON", _connect(JSON), False),
    Wire("gRPC", _grpc, True),
    Wire("gRPC-Web", _grpc_web, True),
]
BINARY = [WIRES[0], *WIRES[2:]]
ONE_EACH = [
    pytest.param(wire, id=repr(wire), marks=() if wire.name in ("JSON", "gRPC") else pytest.mark.matrix)
    for wire in WIRES
]
"""The wires for costly tests: one of the hot path, one of connectrpc's; the others repeat them."""


@pytest.fixture(autouse=True)
def others(server: ServerProcess) -> Iterator[None]:
    """After each test another client is answered, and at once."""
    yield
    usage = Usage(server)
    started = usage.seconds()
    with AppServiceClientSync(server.url) as client:
        client.list(payload.ListRequest(org="flyte"), timeout_ms=60_000)
    assert usage.seconds() - started < DELAY_SECONDS


def sent(wire: Wire, server: ServerProcess, path: str, message: bytes, **headers: str) -> str:
    body = frame(message) if wire.framed else message
    return wire.send(server, path, body, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("wire", WIRES, ids=repr)
def test_undecodable_bytes(server: ServerProcess, wire: Wire) -> None:
    """An undecodable message is the caller's mistake."""
    assert sent(wire, server, GET, b"\xff\xff\xff") == "invalid_argument"


@pytest.mark.parametrize("wire", WIRES, ids=repr)
def test_an_oversized_message(server: ServerProcess, wire: Wire) -> None:
    """More than 4 MiB is refused, and read no further than it takes to refuse it."""
    assert sent(wire, server, GET, b" " * (5 * 1024 * 1024)) == "resource_exhausted"


@cache
def gzip_bomb() -> bytes:
    """Return 200 KB that decompress to 200 MB."""
    return gzip.compress(bytes(200_000_000), 9)


@pytest.mark.parametrize("wire", ONE_EACH)
def test_a_gzip_bomb(server: ServerProcess, wire: Wire) -> None:
    """200 MB that arrive as 200 KB are refused at 4 MiB."""
    bomb = gzip_bomb()
    if wire.framed:
        code = wire.send(server, GET, frame(bomb, 1), {"grpc-encoding": "gzip"})
    else:
        code = wire.send(server, GET, bomb, {"content-encoding": "gzip"})
    assert code == "resource_exhausted"


@pytest.mark.parametrize("wire", WIRES, ids=repr)
def test_bad_gzip(server: ServerProcess, wire: Wire) -> None:
    """A body that its header wrongly calls gzip is the caller's mistake."""
    if wire.framed:
        code = wire.send(server, GET, frame(b"not gzip", 1), {"grpc-encoding": "gzip"})
    else:
        code = wire.send(server, GET, b"not gzip", {"content-encoding": "gzip"})
    assert code == "invalid_argument"


@pytest.mark.parametrize("wire", [each for each in WIRES if each.framed], ids=repr)
@pytest.mark.parametrize("body", [b"", b"\0\0", b"\0\0\0\0\x09abc", b"\0\0\0\0\x01ab", b"\0\xff\xff\xff\xffa"])
def test_truncated_frames(server: ServerProcess, wire: Wire, body: bytes) -> None:
    """A body that isn't one whole frame is the caller's mistake, of a unary method and of a stream."""
    for path in (GET, WATCH):
        assert wire.send(server, path, body, {}) == "invalid_argument"


@pytest.mark.parametrize("wire", WIRES, ids=repr)
def test_an_unknown_method_and_service(server: ServerProcess, wire: Wire) -> None:
    """A method or service that isn't offered is UNIMPLEMENTED."""
    for path in (f"{SERVICE}/Nope", "/no.such.Service/Get"):
        assert sent(wire, server, path, b"") == "unimplemented"


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/protobuf+x", "a" * 1000])
def test_a_wrong_content_type(server: ServerProcess, content_type: str) -> None:
    """A content type that no protocol has is HTTP 415."""
    assert HTTP.post(server.url + GET, content=b"", headers={"content-type": content_type}).status_code == 415


@pytest.mark.parametrize("wire", BINARY, ids=repr)
def test_a_name_with_a_nul(server: ServerProcess, wire: Wire) -> None:
    """A name that no app can have is refused by the rules of the protos."""
    request = payload.GetRequest(app_id=identifier("a\0b"))
    assert sent(wire, server, GET, request.SerializeToString()) == "invalid_argument"


@cache
def many_labels(*, json_form: bool) -> bytes:
    """Return a Create with as many labels as fit into its size."""
    request = create("labelled")
    if json_form:
        document = json.loads(MessageToJson(request))
        document["app"]["metadata"]["labels"] = {str(number): "" for number in range(200_000)}
        return json.dumps(document, separators=(",", ":")).encode()
    request.app.metadata.labels.update({str(number): "" for number in range(300_000)})
    return request.SerializeToString()


@cache
def parsing_seconds() -> float:
    """Return the CPU that parsing the Create of many labels takes on this machine."""
    started = time.process_time()
    payload.CreateRequest.FromString(many_labels(json_form=False))
    return time.process_time() - started


@pytest.mark.slow
@pytest.mark.parametrize("wire", ONE_EACH)
def test_a_million_labels(server: ServerProcess, wire: Wire) -> None:
    """As many entries of a map as a request can hold are refused for their number, for less CPU than parsing them."""
    body = many_labels(json_form=wire.name == "JSON")
    assert len(body) < 4 * 1024 * 1024
    usage = Usage(server)
    started = usage.seconds()
    assert sent(wire, server, CREATE, body) == "resource_exhausted"
    assert usage.seconds() - started < parsing_seconds()


@pytest.mark.parametrize("wire", WIRES, ids=repr)
@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "99999999999999999999", ""])
def test_a_malformed_deadline(server: ServerProcess, wire: Wire, value: str) -> None:
    """A malformed deadline is the caller's mistake."""
    name = "grpc_timeout" if wire.framed else "connect_timeout_ms"
    assert sent(wire, server, GET, get("a").SerializeToString(), **{name: value}) == "invalid_argument"


@pytest.mark.parametrize("wire", WIRES, ids=repr)
def test_a_deadline_that_has_passed(server: ServerProcess, wire: Wire) -> None:
    """A write whose time is over is DEADLINE_EXCEEDED, and changes nothing."""
    name, value = ("grpc_timeout", "0n") if wire.framed else ("connect_timeout_ms", "0")
    request = create("too-late")
    message = json.dumps({"app": {}}).encode() if wire.name == "JSON" else request.SerializeToString()
    assert sent(wire, server, CREATE, message, **{name: value}) == "deadline_exceeded"
    assert sent(BINARY[0], server, GET, get("too-late").SerializeToString()) == "not_found"


@pytest.mark.parametrize("path", ["/%ff", "/%c3%28/x", "/%ed%a0%80", "/a%zz", SERVICE + "/%e2%82"])
def test_a_path_that_is_no_text(server: ServerProcess, path: str) -> None:
    """A path that can't be decoded is answered: HTTP 404."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(PATIENCE)
        raw.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        assert b" 404 " in raw.recv(65_536).split(b"\r\n")[0]


def test_a_path_in_unicode(server: ServerProcess) -> None:
    """A path that is UTF-8 gets to its page."""
    answer = HTTP.get(f"{server.url}/v2/développement/日本語/😀")
    assert answer.status_code == 404 and "日本語" in answer.text


def test_bytes_that_are_no_http(server: ServerProcess) -> None:
    """Rubbish is HTTP 400, or cut."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(PATIENCE)
        raw.sendall(b"\x00\x01\x02 what is this\r\n\r\n")
        received = raw.recv(65_536)
        assert received == b"" or b" 400 " in received.split(b"\r\n")[0]


def test_a_client_that_leaves_in_the_middle_of_an_upload(server: ServerProcess) -> None:
    """Half a request and half an upload leave nothing behind."""
    head = f"POST {CREATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTO}\r\ncontent-length: 1000000\r\n\r\n"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(head.encode() + b"x" * 1000)
    with RawHttp2(server.port) as raw:
        for _ in range(20):
            number = raw.request(CREATE, GRPC)
            raw.send(number, b"\0\0\x01\0\0half", end=False)
            raw.reset(number)
        assert raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString()))).grpc_status == "5"


def test_streams_that_are_given_up(server: ServerProcess) -> None:
    """More streams than HTTP/2 libraries like to count, opened and reset on one connection: it goes on."""
    request = frame(watch("given-up").SerializeToString())
    with RawHttp2(server.port) as raw:
        for _ in range(1_200):
            raw.reset(raw.asked(WATCH, GRPC, request))
        assert raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString()))).grpc_status == "5"
    eventually(lambda: open_streams(server) == 0, "streams leaked")


@pytest.mark.slow
def test_a_get_beside_two_thousand_watches(server: ServerProcess) -> None:
    """A call on a connection with 2,000 open streams is answered."""
    request = frame(watch("beside").SerializeToString())
    with RawHttp2(server.port) as raw:
        for _ in range(2_000):
            raw.asked(WATCH, GRPC, request)
        assert raw.answer(raw.asked(GET, GRPC, frame(get("none").SerializeToString()))).grpc_status == "5"
        eventually(lambda: open_streams(server) == 2_000, "not all watches are open")
    eventually(lambda: open_streams(server) == 0, "streams leaked")


def open_streams(server: ServerProcess) -> int:
    return HTTP.get(f"{server.url}/healthz").json()["streams"]["open"]
