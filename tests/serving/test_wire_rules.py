"""The wire rules of the dialects: what is made of base64, gzip, frames and content types, and how deadlines end."""

from __future__ import annotations

import gzip
from contextlib import nullcontext
from typing import Any

import pytest
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_fake.core.draws import Seed
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.rules.wire import Framing, GzipFault, OneMessage, WireRules
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.flyte_oss.watch_hub import WatchHub
from flyteapps_fake.flyte_oss.wire.base64_text import base64_error
from flyteapps_fake.flyte_oss.wire.frames import one_message
from flyteapps_fake.flyte_oss.wire.rules import MAX_PEEKED_BYTES, WIRE
from flyteapps_fake.http.protocol.compression import GzipError, gunzip, gunzip_body
from flyteapps_fake.http.protocol.requests import is_acceptable
from flyteapps_fake.http.protocol.wire import frame

from .asgi_calls import Caller, calling

APPS = "/flyteidl2.app.AppService"
CONTROL = "/flyteapps.control.v1.ClockService/GetClock"
PACKED = gzip.compress(b"a message " * 9, mtime=0)
WRONG = PACKED[:-8] + bytes((PACKED[-8] ^ 0xFF,)) + PACKED[-7:]
CAP = 1_000
STANDARD = WireRules()


@pytest.mark.parametrize("text", ["", "AAAA", "AAA", "AA", "AA==", "AAA=", "A-_A", "AA\nAA", "AAAAAA"])
def test_base64_with_padding_or_without(text: str) -> None:
    """Padding may be left out, and line breaks don't count."""
    assert base64_error(text) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("!!!", 0),
        ("A", 0),
        ("AA!A", 2),
        ("AA+A", 2),  # of the other alphabet
        ("=AAA", 0),
        ("A=AA", 1),
        ("AA=A", 2),  # half of the padding
        ("AAA=AAAA", 4),  # something after the padding
        ("AAAAA", 0),  # one character is left
        ("AAAAA=", 1),  # padding where none is expected, counted from the last whole group
        ("\N{SNOWMAN}AA", 0),
    ],
)
def test_what_is_no_base64(text: str, at: int) -> None:
    """The error names the byte that Go's decoder refuses."""
    error = base64_error(text)
    assert error is not None
    assert (error.code, error.message) == (Code.UNKNOWN, f"read message: illegal base64 data at input byte {at}")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"no gzip, but more than a header", "header"),
        (PACKED[:5], "header"),
        (PACKED[:-9], "end"),
        (WRONG, "checksum"),
        (PACKED[:10] + b"\xff" * 20, "data"),
        (PACKED + b"tail", "end"),
        (PACKED + b"a tail as long as a header", "tail"),
        (PACKED + PACKED[:-9], "end"),
    ],
    ids=["no gzip", "half a header", "cut", "checksum", "corrupt", "short tail", "tail", "a second one that is cut"],
)
def test_faults_of_gzip(data: bytes, fault: GzipFault) -> None:
    """Each fault is told apart, and is INVALID_ARGUMENT by the standard rules."""
    with pytest.raises(GzipError) as caught:
        gunzip(data, CAP)
    assert (caught.value.fault, caught.value.code) == (fault, Code.INVALID_ARGUMENT)
    with pytest.raises(GzipError):
        gunzip_body(data, CAP, STANDARD)
    if fault == "header":
        assert gunzip_body(data, CAP, WIRE) == b""
    else:
        with pytest.raises(RpcError, match="UNKNOWN: read message: "):
            gunzip_body(data, CAP, WIRE)


def test_a_large_body_that_is_no_gzip() -> None:
    """The part that the layer around the backend's services has not taken from it is refused by these."""
    with pytest.raises(RpcError, match="INVALID_ARGUMENT: get decompressor: gzip: invalid header"):
        gunzip_body(b"x" * (MAX_PEEKED_BYTES + 1), CAP, WIRE)


@pytest.mark.parametrize("framing", ["connect", "grpc", "grpc-web"])
def test_one_message_in_a_frame(framing: Framing) -> None:
    """It is returned, with whether it is compressed."""
    assert one_message(frame(b"abc"), framing, False) == OneMessage(b"abc", False)
    assert one_message(frame(b"abc", 1), framing, True) == OneMessage(b"abc", True)
    assert one_message(frame(b""), framing, False) == OneMessage(b"", False)


@pytest.mark.parametrize(
    ("framing", "end"), [("connect", frame(b"{}", 2)), ("grpc-web", frame(b"a: b\r\n", 0x80)), ("grpc-web", b"")]
)
def test_a_message_and_the_end_of_its_stream(framing: Framing, end: bytes) -> None:
    """A client may end its stream."""
    assert one_message(frame(b"abc") + end, framing, False) == OneMessage(b"abc", False)


@pytest.mark.parametrize(
    ("body", "framing", "code", "message"),
    [
        (b"", "connect", Code.UNIMPLEMENTED, "unary request has zero messages"),
        (b"", "grpc", Code.UNIMPLEMENTED, "unary request has zero messages"),
        (frame(b"{}", 2), "connect", Code.UNIMPLEMENTED, "unary request has zero messages"),
        (frame(b"a") * 2, "grpc-web", Code.UNIMPLEMENTED, "unary request has multiple messages"),
        (frame(b"a", 4), "connect", Code.INTERNAL, "protocol error: invalid envelope flags 4"),
        (frame(b"a", 128), "connect", Code.INTERNAL, "protocol error: invalid envelope flags 128"),
        (frame(b"a", 128), "grpc", Code.INTERNAL, "protocol error: invalid envelope flags 128"),
        (frame(b"a", 128), "grpc-web", Code.INTERNAL, "gRPC-Web protocol error: trailers invalid"),
        (frame(b"a", 2), "connect", Code.INTERNAL, "unmarshal end stream message: "),
        (frame(b"{}", 2) + b"more", "connect", Code.INTERNAL, "corrupt response: 4 extra bytes after end of stream"),
        (frame(b"a", 1), "grpc", Code.INTERNAL, "protocol error: sent compressed message without compression support"),
        (b"\0\0", "grpc", Code.INVALID_ARGUMENT, "protocol error: incomplete envelope: unexpected EOF"),
        (
            frame(b"ab")[:-1],
            "grpc",
            Code.INVALID_ARGUMENT,
            "protocol error: promised 2 bytes in enveloped message, got",
        ),
    ],
)
def test_bodies_of_other_frames(body: bytes, framing: Framing, code: Code, message: str) -> None:
    """Each is refused with the code and the words of connect-go."""
    try:
        error = one_message(body, framing, False).following
    except RpcError as refusal:
        error = refusal
    assert error is not None
    assert error.code is code
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    ("content_type", "acceptable"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json; charset=utf-8", True),
        ('application/json ;charset="UTF-8";', True),
        ("application/json; charset=latin1", False),
        ('application/json; charset="utf-8', False),
        ("application/json; charset=utf-8; a=b", False),
        ("application/proto; charset=utf-8", False),
        ("application/grpc+json; charset=utf-8", True),
        ("application/connect+json", False),
        ("application/xml", False),
        ("", False),
    ],
)
def test_content_types(content_type: str, acceptable: bool) -> None:
    """The charset of JSON may be named; no other parameter may."""
    assert is_acceptable(content_type, WIRE, streaming=False) is acceptable


def hub(seed: int) -> WatchHub:
    """Return a hub of Watches with that seed."""
    return WatchHub(10, nullcontext(), Changes(), Seed(seed))


def test_the_deadline_of_a_watch_is_drawn_from_the_seed() -> None:
    """One in three ends well; the same seed draws the same, also after the plane has gone on from another state."""
    drawing = hub(7)
    endings = [drawing.deadline_ends_well() for _ in range(3_000)]
    assert 900 < sum(endings) < 1_100
    again = hub(7)
    assert [again.deadline_ends_well() for _ in range(20)] == endings[:20]
    again.draw_anew()
    assert [again.deadline_ends_well() for _ in range(20)] == endings[:20]
    other = hub(8)
    assert [other.deadline_ends_well() for _ in range(20)] != endings[:20]


async def status_of(caller: Caller, path: str, body: bytes, kind: str, **more: Any) -> int:
    """Return the HTTP status of an answer."""
    events = await caller.send(path, body, [("content-type", kind), *more.pop("headers", ())], **more)
    return events[0]["status"]


@pytest.mark.parametrize(("dialect", "statuses"), [("standard", (200, 415, 404)), ("flyte-oss", (415, 204, 200))])
async def test_each_dialect_has_its_own(dialect: str, statuses: tuple[int, ...]) -> None:
    """Only flyte-oss refuses parameters of content types, answers OPTIONS, and says that it is ready."""
    from flyteapps_fake.console.pages import pages

    async with calling(dialect, page=pages) as caller:
        parameter = await status_of(caller, f"{APPS}/List", b"{}", "application/json; a=b")
        options = await status_of(caller, f"{APPS}/List", b"", "", method="OPTIONS")
        ready = await status_of(caller, "/readyz", b"", "", method="GET")
        assert (parameter, options, ready) == statuses


@pytest.mark.parametrize("path", [f"{APPS}/List", f"{APPS}/Create", CONTROL])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
async def test_pages_of_other_origins_stay_out(path: str, method: str) -> None:
    """The backend lets in any page; this server refuses them, on methods of its control API as on all others."""
    async with calling("flyte-oss") as caller:
        headers = [("origin", "https://elsewhere.example")]
        assert await status_of(caller, path, b"{}", "application/json", method=method, headers=headers) == 403


@pytest.mark.parametrize("codec", ["grpc", "grpc-web+proto", "connect+proto", "connect+json"])
async def test_a_message_is_judged_before_what_follows_it(codec: str) -> None:
    """The first of two messages is INVALID_ARGUMENT where it can't be decoded, else the second is UNIMPLEMENTED."""
    async with calling("flyte-oss") as caller:
        headers = [("content-type", f"application/{codec}")]
        for first, code in ((b"\xff", "INVALID_ARGUMENT"), (b"{}" if "json" in codec else b"", "UNIMPLEMENTED")):
            assert await caller.code(f"{APPS}/Watch", frame(first) + frame(b"x"), headers) == code


@pytest.mark.parametrize("header", ["connect-timeout-ms", "grpc-timeout"])
async def test_each_protocol_has_its_own_deadline(header: str) -> None:
    """The header of the other protocol doesn't count, whatever it says, in flyte-oss alone."""
    for dialect, code in (("standard", "INVALID_ARGUMENT"), ("flyte-oss", "OK")):
        async with calling(dialect) as caller:
            kind, body = ("application/grpc", frame(b"")) if header.startswith("c") else ("application/proto", b"")
            assert await caller.code(f"{APPS}/List", body, [("content-type", kind), (header, "soon")]) == code


async def test_ends_of_streams_are_compressed_too() -> None:
    """A client that accepts gzip gets each frame so, the last one included, in both codecs."""
    async with calling("flyte-oss") as caller:
        for codec, body in (("proto", rpc.WatchRequest().SerializeToString()), ("json", b"{}")):
            headers = [("content-type", f"application/connect+{codec}"), ("connect-timeout-ms", "1")]
            headers.append(("connect-accept-encoding", "gzip"))
            events = await caller.send(f"{APPS}/Watch", frame(body), headers)
            last = b"".join(each.get("body", b"") for each in events)
            assert last[0] == 3
            assert gzip.decompress(last[5:]).startswith(b"{")
