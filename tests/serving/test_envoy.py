"""Answers and limits of Envoy itself, before the application sees a request: lengths, refusals, floods."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import hpack
import pytest

from flyteapps_fake.servers.config import ServeConfig

from .messages import get, watch
from .server_process import CUT_SECONDS, PATIENCE, ServerProcess, eventually
from .test_connections import END_HEADERS, HEADERS_FRAME, PREFACE, SETTINGS, answered, tasks
from .test_edges import GET, GRPC, PROTO, WATCH, frame
from .test_http import UPGRADE, said
from .usage import Usage

pytest.importorskip("pyvoy")
from flyteapps_fake.servers.envoy_config import Configuration

pytestmark = pytest.mark.slow

DATA_FRAME, RESET_FRAME, CONTINUATION_FRAME = 0, 3, 9
RESET_FRAME_HEAD = bytes((0, 0, 4, RESET_FRAME, 0))
END_STREAM = 1


@pytest.fixture(scope="module")
def envoy() -> Iterator[ServerProcess]:
    """A server on Envoy."""
    with ServerProcess("--server", "pyvoy") as running:
        yield running


LENGTHS = {
    "an unknown coding": "transfer-encoding: xchunked",
    "chunked is not the last": "transfer-encoding: chunked, identity",
    "two codings": "transfer-encoding: chunked\r\ntransfer-encoding: identity",
    "a space before the colon": "transfer-encoding : chunked",
    "a vertical tab": "transfer-encoding: \x0bchunked",
    "two different lengths": "content-length: 5\r\ncontent-length: 0",
    "a list of lengths": "content-length: 0, 5",
    "a length with a sign": "content-length: +0",
    "a negative length": "content-length: -1",
    "a length in hex": "content-length: 0x0",
    "a length with an underscore": "content-length: 1_0",
    "a long length": "content-length: 99999999999999999999999",
}
CHUNKS = {
    "a chunk's size with 0x": "0x0\r\n\r\n",
    "a negative size": "-1\r\n\r\n",
    "a size beyond 64 bits": "1ffffffffffffffff\r\n\r\n",
    "a chunk longer than its size": "1\r\naX0\r\n\r\n",
}
MALFORMED = {
    **{what: (each, "") for what, each in LENGTHS.items()},
    **{what: ("transfer-encoding: chunked", each) for what, each in CHUNKS.items()},
}


@pytest.mark.parametrize(("header", "body"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_of_doubtful_length(envoy: ServerProcess, header: str, body: str) -> None:
    """A length that could be read in two ways is refused, no request is found behind it, and the connection ends."""
    smuggled = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    answer = said(envoy.port, f"POST {GET} HTTP/1.1", f"content-type: {PROTO}", header, body=body + smuggled)
    assert answer.split()[1] in ("400", "501") and answer.count("HTTP/1.1") == 1, answer
    assert "SERVING" not in answer


REFUSED = {
    "WebSocket": ("GET / HTTP/1.1", "upgrade: websocket\r\n" + UPGRADE.rstrip()),
    "CONNECT": ("CONNECT localhost:1 HTTP/1.1", "connection: close"),
    "a path that is no text": ("GET /%ff HTTP/1.1", "connection: close"),
    "two lengths": (f"POST {GET} HTTP/1.1", "content-length: 5\r\ntransfer-encoding: chunked"),
}


@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_no_page(envoy: ServerProcess, lines: tuple[str, str]) -> None:
    """A refusal of the server's own has the header that keeps browsers from taking text for a page, too."""
    head = said(envoy.port, *lines).partition("\r\n\r\n")[0].lower()
    assert "x-content-type-options: nosniff" in head, head


@pytest.mark.parametrize("path", [GET, WATCH])
def test_streams_that_are_reset_at_once(envoy: ServerProcess, path: str) -> None:
    """20,000 requests that are reset as soon as they are sent cost Envoy little, and other calls are answered."""
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
    encoder = hpack.Encoder()
    encoder.header_table_size = 0  # so that each request has the same block
    block = encoder.encode([*fields, ("content-type", GRPC), ("te", "trailers")])
    body = frame(watch("none").SerializeToString() if path == WATCH else get("none").SerializeToString())

    def sent(kind: int, flags: int, number: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + number.to_bytes(4, "big") + payload

    assert answered(envoy)
    usage = Usage(envoy)
    before = usage.seconds()
    with socket.create_connection(("127.0.0.1", envoy.port), PATIENCE) as raw:
        raw.sendall(PREFACE + SETTINGS)
        for number in range(1, 40_000, 2):
            raw.sendall(
                sent(HEADERS_FRAME, END_HEADERS, number, block)
                + sent(DATA_FRAME, END_STREAM, number, body)
                + sent(RESET_FRAME, 0, number, (8).to_bytes(4, "big"))
            )
        assert answered(envoy)
    eventually(lambda: tasks(envoy) < 20, "tasks of streams that are gone are left")
    assert usage.seconds() - before < 4


@pytest.mark.parametrize("dribbled", [True, False], ids=["goes on", "stops"])
def test_a_head_over_http_2_that_never_ends(dribbled: bool) -> None:
    """A head whose last frame doesn't come is cut after its time, also while frames without a byte follow it."""
    block = hpack.Encoder().encode([(":method", "POST"), (":path", GET)])
    begun = len(block).to_bytes(3, "big") + bytes((HEADERS_FRAME, 0)) + (1).to_bytes(4, "big") + block
    following = bytes((0, 0, 0, CONTINUATION_FRAME, 0)) + (1).to_bytes(4, "big")
    with (
        ServerProcess("--server", "pyvoy", "--quiet", "--request-timeout", "1") as server,
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as raw,
    ):
        raw.sendall(PREFACE + SETTINGS + begun)
        raw.settimeout(0.05)
        received = b""
        until = time.monotonic() + CUT_SECONDS
        while RESET_FRAME_HEAD not in received:
            assert time.monotonic() < until, "it is still read"
            try:
                if dribbled:
                    raw.sendall(following)
                received += (part := raw.recv(65_536))
                if not part:
                    break
            except TimeoutError:
                continue
            except OSError:
                break  # as good as the end
        eventually(lambda: answered(server), "no other client is answered")


def test_the_administration_has_one_path(tmp_path: Path) -> None:
    """Envoy's administration, which no port leads to, says whether it is ready, and does nothing else."""
    config = Configuration(ServeConfig(settings={}), tmp_path / "admin").get_envoy_config()
    assert config["admin"] == {
        "address": {"pipe": {"path": str(tmp_path / "admin"), "mode": 0o600}},
        "allow_paths": [{"exact": "/ready"}],
    }
