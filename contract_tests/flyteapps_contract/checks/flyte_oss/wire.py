"""The wire of flyte-oss: rows OSS-38 and OSS-65 to OSS-72."""

from __future__ import annotations

import base64
import gzip
import json

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.json_format import MessageToDict

from flyteapps_contract.checks.support.raw import (
    COMPRESSED,
    CONNECT_JSON_STREAM,
    CONNECT_STREAM,
    END_OF_CONNECT,
    GRPC,
    GRPC_WEB,
    JSON,
    PROTO,
    TRAILERS,
    Answer,
    frame,
    frames,
    get,
    post,
    request,
    undecoded,
)
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import SERVICE, Session

FITTING, BIG = 100_000, 6_000_000
"""Bytes of a request that a cluster takes, too, and of one that the backend's own code takes."""
DEADLINE_MS = 250
"""Real milliseconds after which a Watch is to end."""
DEADLINES = 2
"""So many Watches of each kind: how each ends is a race."""
GZIP_ONLY = {"accept-encoding": "gzip", "connect-accept-encoding": "gzip", "grpc-accept-encoding": "gzip"}


@check("OSS-38", needs=("http",))
def what_is_no_call_is_refused(s: Session) -> None:
    """An unknown method is 404, another content type 415, bytes that are no message 400."""
    expect_equal(post(s, "Nope", b"", PROTO).status, 404, "the status of an unknown method")
    expect_equal(post(s, "Get", b"", "text/plain").status, 415, "the status of another content type")
    for what, kind, body in (("half an object", JSON, b"{"), ("bytes that are no message", PROTO, b"\xff\xff\xff")):
        answer = post(s, "Get", body, kind)
        expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"Get with {what}")


@check("OSS-38", needs=("http",))
def unknown_json_fields_are_ignored(s: Session) -> None:
    """Get as JSON is answered, with an unknown field, too; and so is one that is gzipped."""
    app = s.given()
    read = rpc.GetRequest(app_id=app.metadata.id)
    for more in ({}, {"nope": 1}):
        body = json.dumps(MessageToDict(read) | more).encode()
        expect_equal(post(s, "Get", body, JSON).status, 200, f"the status of Get as JSON with {more}")
    packed = gzip.compress(read.SerializeToString())
    answer = post(s, "Get", packed, PROTO, {"content-encoding": "gzip"})
    expect_equal(answer.status, 200, "the status of Get with a gzip body")


@check("OSS-38", needs=("http",))
def a_request_of_100_kilobytes_is_taken(s: Session) -> None:
    """A Create of 100 kB is taken, and the app comes back whole."""
    app = _created_with(s, FITTING)
    expect_equal(s.get(app.metadata.id).spec, app.spec, "the spec of an app of 100 kB")


@check("OSS-38", needs=("http", "lenient"))
def a_request_has_no_size_limit(s: Session) -> None:
    """Where no cluster checks it, a Create of 6 MB is taken."""
    _created_with(s, BIG)


def _created_with(s: Session, size: int) -> model.App:
    """Return an app that was created with an argument of so many bytes."""
    app = s.app()
    app.spec.container.args.append("x" * size)
    s.may_have(app.metadata.id)
    body = rpc.CreateRequest(app=app).SerializeToString()
    expect_equal(post(s, "Create", body, PROTO).status, 200, f"the status of a Create of {size:,} bytes")
    return app


@check("OSS-38", needs=("http",))
def get_alone_is_answered_on_connect_get(s: Session) -> None:
    """Connect GET is answered on Get, and is 405 on Create."""
    app_id = s.given().metadata.id
    text = base64.urlsafe_b64encode(rpc.GetRequest(app_id=app_id).SerializeToString()).decode().rstrip("=")
    params = {"connect": "v1", "encoding": "proto", "base64": "1", "message": text}
    expect_equal(get(s, "Get", params).status, 200, "the status of Connect GET on Get")
    expect_equal(get(s, "Create", params).status, 405, "the status of Connect GET on Create")


# ---- the deadline of a Watch


@check("OSS-65", needs=("http",))
def a_deadline_ends_a_watch(s: Session) -> None:
    """A Watch whose deadline passes ends OK or with DEADLINE_EXCEEDED; before its first event OK or INTERNAL."""
    there, absent = s.given().metadata.id, s.id(s.name("-absent"))
    for what, app_id in (("an app that is there", there), ("an absent app", absent)):
        body = frame(rpc.WatchRequest(app_id=app_id).SerializeToString())
        for kind, header in ((CONNECT_STREAM, {"connect-timeout-ms": f"{DEADLINE_MS}"}), (GRPC, _grpc_timeout())):
            for _ in range(DEADLINES):
                answer = undecoded(s, "Watch", body, kind, header)
                _ended_by_deadline(answer, f"a Watch of {what} as {kind} whose deadline passed")


def _grpc_timeout() -> dict[str, str]:
    return {"grpc-timeout": f"{DEADLINE_MS}m"}


def _ended_by_deadline(answer: Answer, what: str) -> None:
    shown = any(not flags & (END_OF_CONNECT | TRAILERS) for flags, _ in frames(answer.body))
    failed = ("DEADLINE_EXCEEDED", "") if shown else ("INTERNAL", "deadline_exceeded: context deadline exceeded")
    code, opening = failed
    fits = answer.code == "OK" or (answer.code == code and answer.message.startswith(opening))
    expect(fits, f"{what}: expected OK or {code} {opening!r}, got {answer.code} {answer.message!r}")


# ---- bodies that can't be read


@check("OSS-66", needs=("http",))
def what_is_no_base64_is_unknown(s: Session) -> None:
    """Over Connect GET, a message that is said to be base64 and isn't is UNKNOWN, HTTP 500, with the wrong byte."""
    for text, at in (("!!!", 0), ("A", 0), ("AA!A", 2), ("AAA=A", 3)):
        answer = get(s, "List", {"connect": "v1", "encoding": "proto", "base64": "1", "message": text})
        words = f"read message: illegal base64 data at input byte {at}"
        expect_equal((answer.status, answer.code, answer.message), (500, "UNKNOWN", words), f"GET with base64 {text!r}")


@check("OSS-66", needs=("http",))
def broken_gzip_is_unknown(s: Session) -> None:
    """A unary body whose gzip data is cut, has a wrong checksum, or a tail, is UNKNOWN, HTTP 500."""
    packed = gzip.compress(rpc.GetRequest(app_id=s.given().metadata.id).SerializeToString())
    wrong = packed[:-8] + bytes((packed[-8] ^ 0xFF,)) + packed[-7:]
    broken = {
        "is cut": (packed[:-9], "unexpected EOF"),
        "has a wrong checksum": (wrong, "gzip: invalid checksum"),
        "has a tail": (packed + b"tail", ""),
    }
    for what, (body, words) in broken.items():
        answer = post(s, "Get", body, PROTO, {"content-encoding": "gzip"})
        expect_equal((answer.status, answer.code), (500, "UNKNOWN"), f"Get with gzip that {what}")
        expect(answer.message.startswith(f"read message: {words}"), f"gzip that {what}: {answer.message!r}")


@check("OSS-66", needs=("http",))
def what_is_no_gzip_is_read_as_empty(s: Session) -> None:
    """A unary body that is said to be gzip and isn't is read as an empty one."""
    body = rpc.GetRequest(app_id=s.given().metadata.id).SerializeToString()
    answer = post(s, "Get", body, PROTO, {"content-encoding": "gzip"})
    expect_equal(
        (answer.code, answer.message), ("INVALID_ARGUMENT", "app_id is required"), "Get with gzip that is none"
    )


# ---- frames


@check("OSS-67", needs=("http",))
def a_body_of_frames_has_one_message(s: Session) -> None:
    """A Watch over Connect, and a Get over gRPC-Web, with no message or two are UNIMPLEMENTED."""
    app_id = s.given().metadata.id
    watch = frame(rpc.WatchRequest(app_id=app_id).SerializeToString())
    read = frame(rpc.GetRequest(app_id=app_id).SerializeToString())
    for number, times in (("zero", 0), ("multiple", 2)):
        for method, kind, one in (("Watch", CONNECT_STREAM, watch), ("Get", GRPC_WEB, read)):
            answer = post(s, method, one * times, kind)
            expected = ("UNIMPLEMENTED", f"unary request has {number} messages")
            expect_equal((answer.code, answer.message), expected, f"{method} as {kind} with {number} messages")


@check("OSS-67", needs=("http",))
def flags_of_no_message_are_refused(s: Session) -> None:
    """A Connect stream's frame with the flags 4 or 128 is INTERNAL; the end of a stream alone has no message."""
    body = rpc.WatchRequest(app_id=s.given().metadata.id).SerializeToString()
    for flags in (4, 128):
        answer = post(s, "Watch", frame(body, flags), CONNECT_STREAM)
        expect_equal(answer.code, "INTERNAL", f"Watch with the flags {flags}")
        expect("invalid envelope flags" in answer.message, f"the flags {flags}: {answer.message!r}")
    answer = post(s, "Watch", frame(b"{}", END_OF_CONNECT), CONNECT_STREAM)
    expect_equal(answer.code, "UNIMPLEMENTED", "Watch with the end of a stream alone")


@check("OSS-67", needs=("http",))
def an_empty_frame_is_an_empty_message(s: Session) -> None:
    """A frame without content is an empty message in JSON, too: a Watch of nothing is opened."""
    answer = post(s, "Watch", frame(b""), CONNECT_JSON_STREAM, {"connect-timeout-ms": f"{DEADLINE_MS}"})
    expect(answer.code != "INVALID_ARGUMENT", f"Watch with an empty JSON frame: {answer.message!r}")


# ---- content types, versions, timeouts


@check("OSS-68", needs=("http",))
def a_content_type_has_no_parameters(s: Session) -> None:
    """A content type with a parameter is 415, save UTF-8 as the charset of JSON."""
    for kind in ("application/json; charset=utf-8", "application/json;charset=UTF-8"):
        expect_equal(post(s, "List", b"{}", kind).status, 200, f"the status of List as {kind}")
    for kind in ("application/json; charset=latin1", "application/json; a=b", "application/proto; charset=utf-8"):
        expect_equal(post(s, "List", b"", kind).status, 415, f"the status of List as {kind}")


@check("OSS-68", needs=("http",))
def a_415_names_the_content_types(s: Session) -> None:
    """Accept-Post of a 415 names the method's content types of Connect, gRPC and gRPC-Web."""
    both = {"application/grpc", "application/grpc+proto", "application/grpc-web+proto"}
    for method, kinds in (("Get", both | {PROTO, JSON}), ("Watch", both | {CONNECT_STREAM, CONNECT_JSON_STREAM})):
        answer = post(s, method, b"", "text/plain")
        named = {each.strip() for each in answer.headers.get("accept-post", "").split(",")}
        expect(kinds <= named, f"Accept-Post of {method} lacks {sorted(kinds - named)}: {sorted(named)}")


@check("OSS-69", needs=("http",))
def another_version_is_refused(s: Session) -> None:
    """A GET with connect=v2, or a POST with another Connect-Protocol-Version than 1, is INVALID_ARGUMENT."""
    params = {"connect": "v2", "encoding": "json", "message": "{}"}
    answer = get(s, "List", params)
    expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), "GET of List with connect=v2")
    for kind, body in ((PROTO, b""), (JSON, b"{}")):
        answer = post(s, "List", body, kind, {"connect-protocol-version": "7"})
        expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"List of version 7 as {kind}")


@check("OSS-69", needs=("http",))
def what_is_empty_is_absent(s: Session) -> None:
    """An empty `compression` of a GET, and an empty Connect-Protocol-Version, are taken."""
    answer = get(s, "List", {"connect": "v1", "encoding": "json", "message": "{}", "compression": ""})
    expect_equal(answer.status, 200, "the status of a GET with an empty compression")
    for kind, body in ((PROTO, b""), (JSON, b"{}")):
        answer = post(s, "List", body, kind, {"connect-protocol-version": ""})
        expect_equal(answer.status, 200, f"the status of List with an empty version as {kind}")


@check("OSS-69", needs=("http",))
def a_negative_timeout_has_passed(s: Session) -> None:
    """A negative Connect-Timeout-Ms is DEADLINE_EXCEEDED, HTTP 504."""
    for kind, body in ((PROTO, b""), (JSON, b"{}")):
        answer = post(s, "List", body, kind, {"connect-timeout-ms": "-1"})
        expect_equal(
            (answer.status, answer.code), (504, "DEADLINE_EXCEEDED"), f"List with a negative timeout as {kind}"
        )


# ---- gzip answers, OPTIONS, readiness


@check("OSS-70", needs=("http",))
def answers_are_compressed_where_accepted(s: Session) -> None:
    """An answer of any size is gzip for a client that accepts it, in each protocol, and plain for any other."""
    app = s.given()
    read = rpc.GetRequest(app_id=app.metadata.id).SerializeToString()
    watch = rpc.WatchRequest(app_id=app.metadata.id).SerializeToString()
    timeout = {"connect-timeout-ms": f"{DEADLINE_MS}"}
    for accepts in (True, False):
        sent = GZIP_ONLY if accepts else {"accept-encoding": "identity"}
        answer = undecoded(s, "Get", read, PROTO, sent)
        expect_equal(answer.headers.get("content-encoding", "") == "gzip", accepts, "whether Get is compressed")
        data = gzip.decompress(answer.body) if accepts else answer.body
        expect_equal(rpc.GetResponse.FromString(data).app.metadata.id.name, app.metadata.id.name, "the name in Get")
        for method, kind, body, more in (
            ("Get", GRPC, read, {}),
            ("Get", GRPC_WEB, read, {}),
            ("Watch", CONNECT_STREAM, watch, timeout),
        ):
            answer = undecoded(s, method, frame(body), kind, {**sent, **more})
            flags, content = frames(answer.body)[0]
            expect_equal(bool(flags & COMPRESSED), accepts, f"whether {method} as {kind} is compressed")
            expect(not accepts or gzip.decompress(content), f"{method} as {kind} should have a message")


@check("OSS-71", needs=("http",))
def options_is_204(s: Session) -> None:
    """OPTIONS on a method is 204, without a body."""
    for method in ("Get", "Create", "Watch"):
        answer = request(s, "OPTIONS", f"{SERVICE}/{method}")
        expect_equal((answer.status, answer.body), (204, b""), f"OPTIONS of {method}")


@check("OSS-72", needs=("http",))
def it_says_that_it_is_ready(s: Session) -> None:
    """GET /readyz is 200 with the text OK; /healthz is 200."""
    answer = request(s, "GET", "readyz")
    expect_equal((answer.status, answer.body), (200, b"OK"), "GET /readyz")
    expect_equal(request(s, "GET", "healthz").status, 200, "the status of GET /healthz")
