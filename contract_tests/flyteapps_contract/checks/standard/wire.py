"""The wire: row ID-3, for bytes that no generated client sends. Sizes and unknown fields are in messages.py.

Whatever was sent, `unchanged` afterwards asks the plane the usual way, so a plane that crashed is found out.
"""

from __future__ import annotations

import base64
import gzip
import json

from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf import json_format
from google.protobuf.message import Message

from flyteapps_contract.checks.standard import messages
from flyteapps_contract.checks.support.raw import (
    COMPRESSED,
    CONNECT_STREAM,
    END_OF_CONNECT,
    GRPC_WEB,
    JSON,
    PROTO,
    TRAILERS,
    frame,
    frames,
    get,
    grpc_call,
    grpc_code,
    post,
)
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import STOP, Session, copy

METHODS = ("Create", "Get", "Update", "Delete", "List")
WRITES = ("Create", "Update", "Delete", "UpdateStatus")
STREAMS = ("Watch", "Lease")

RUBBISH = {
    "bytes that are no message": b"\xff\xff\xff",
    "a message that was cut": b"\x0a\x7f\x0a",
    "a field of the wrong wire type": b"\x0f",
    "a text that is no UTF-8": b"\x0a\x05\x0a\x03\x0a\x01\xff\x12\x05\x12\x03\x0a\x01\xff",
}
"""Bytes that are no message of any method."""
BAD_JSON = {"half an object": b"{", "no JSON": b"app", "no UTF-8": b'{"\xff": 1}', "a number": b"7"}
SHAPELESS_JSON = {
    "a list instead of an object": b"[]",
    "texts instead of messages": b'{"app": "x", "appId": "x", "request": "x"}',
    "lists instead of messages": b'{"app": [], "appId": [], "request": []}',
}
"""JSON, but none of any message: `app`, `appId` and `request` are messages, wherever they are."""


# ---- bytes that can't be decoded


@check("ID-3", needs=("http",))
def undecodable_bytes_over_connect_are_invalid(s: Session) -> None:
    """Over Connect, bytes that are no message of the method are INVALID_ARGUMENT, HTTP 400."""
    with s.unchanged(s.given_stopped()):
        for method in METHODS:
            for content_type, bodies in ((PROTO, RUBBISH), (JSON, BAD_JSON)):
                for what, body in bodies.items():
                    answer = post(s, method, body, content_type)
                    expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"{method} with {what}")
        zipped = gzip.compress(b"x" * 99)
        for what, body in (("no gzip", b"x"), ("a cut gzip", zipped[:-9]), ("a gzip of rubbish", zipped)):
            for content_type in (PROTO, JSON):
                answer = post(s, "Get", body, content_type, {"content-encoding": "gzip"})
                expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"Get with {what}")


@check("ID-3", needs=("http",))
def json_that_is_no_message_is_invalid(s: Session) -> None:
    """JSON that has another shape than the method's message is INVALID_ARGUMENT, not taken for an empty one."""
    with s.unchanged():
        for method in METHODS:
            for what, body in SHAPELESS_JSON.items():
                answer = post(s, method, body, JSON)
                expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"{method} with {what}")


@check("ID-3", needs=("http",))
def undecodable_bytes_of_a_stream_are_invalid(s: Session) -> None:
    """Over Connect, a Watch whose request is no message ends with INVALID_ARGUMENT."""
    with s.unchanged():
        for what, body in RUBBISH.items():
            expect_equal(post(s, "Watch", frame(body), CONNECT_STREAM).code, "INVALID_ARGUMENT", f"Watch with {what}")


@check("ID-3", needs=("http",))
def half_a_frame_is_invalid(s: Session) -> None:
    """A body that ends within a frame is INVALID_ARGUMENT, in a Connect stream and over gRPC-Web."""
    for what, body in (("half a frame", frame(b"xyz")[:-1]), ("half the head of a frame", b"\0\0")):
        expect_equal(post(s, "Watch", body, CONNECT_STREAM).code, "INVALID_ARGUMENT", f"Watch with {what}")
        expect_equal(post(s, "Get", body, GRPC_WEB).code, "INVALID_ARGUMENT", f"Get over gRPC-Web with {what}")


@check("ID-3", needs=("http",))
def undecodable_bytes_of_connect_get_are_invalid(s: Session) -> None:
    """Over Connect GET, a message that can't be decoded is INVALID_ARGUMENT, HTTP 400."""
    rubbish = base64.urlsafe_b64encode(b"\xff\xff\xff").decode()
    for params in (
        {"encoding": "json", "message": "{"},
        {"encoding": "proto", "message": "abc\x7f"},
        {"encoding": "proto", "base64": "1", "message": rubbish},
    ):
        for method in ("Get", "List"):
            answer = get(s, method, {"connect": "v1", **params})
            expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"GET of {method} with {params}")


@check("ID-3", needs=("http",))
def what_is_no_base64_is_invalid(s: Session) -> None:
    """Over Connect GET, a message that is said to be base64, but isn't, is INVALID_ARGUMENT, HTTP 400."""
    for text in ("!!!", "A", "AA!A"):
        answer = get(s, "List", {"connect": "v1", "encoding": "proto", "base64": "1", "message": text})
        expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"GET of List with base64 {text!r}")


@check("ID-3", needs=("http",))
def undecodable_bytes_over_grpc_web_are_invalid(s: Session) -> None:
    """Over gRPC-Web, bytes that are no message of the method are INVALID_ARGUMENT."""
    with s.unchanged(s.given_stopped()):
        for method in (*METHODS, "Watch"):
            for what, body in RUBBISH.items():
                answer = post(s, method, frame(body), GRPC_WEB)
                expect_equal(answer.code, "INVALID_ARGUMENT", f"{method} over gRPC-Web with {what}")


@check("ID-3", needs=("raw_grpc",))
def undecodable_bytes_over_grpc_are_invalid(s: Session) -> None:
    """Over gRPC, bytes that are no message of the method are INVALID_ARGUMENT (of grpcio's own server INTERNAL)."""
    # A gRPC server that answers Connect, too, isn't grpcio's.
    allowed = ("INVALID_ARGUMENT",) if s.capabilities.http else ("INVALID_ARGUMENT", "INTERNAL")
    with s.unchanged(s.given_stopped()):
        for method in METHODS:
            for what, body in RUBBISH.items():
                code = grpc_code(s, method, body)
                expect(code in allowed, f"{method} over gRPC with {what}: expected {allowed}, got {code}")


# ---- what is taken: unknown JSON fields, gzip, Connect GET


@check("ID-3", needs=("http",))
def unknown_json_fields_are_dropped(s: Session) -> None:
    """JSON fields that no message has are dropped: the call goes on without them, and they don't come back."""
    app = s.given_stopped()
    sent = copy(app)
    sent.spec.container.image = "img:2"
    request = json_format.MessageToDict(rpc.UpdateRequest(app=sent))
    request |= {"newField": 1, "app": {**request["app"], "newField": {"a": [1, None]}}}
    request["app"]["spec"] |= {"newField": [], "container": {**request["app"]["spec"]["container"], "newField": True}}
    answer = post(s, "Update", json.dumps(request).encode(), JSON)
    expect_equal((answer.status, answer.code), (200, "OK"), "Update with JSON fields that are unknown")
    expect(b"newField" not in answer.body, "an unknown JSON field came back")
    now = s.get(app.metadata.id)
    expect_equal(now.metadata.revision, app.metadata.revision + 1, "the revision after that Update")
    expect_equal(
        now.spec.SerializeToString(deterministic=True), sent.spec.SerializeToString(deterministic=True), "spec"
    )


@check("ID-3", needs=("http",))
def gzip_bodies_are_accepted(s: Session) -> None:
    """A gzip body is read like any other: over Connect, in its streams, and over gRPC-Web."""
    app = s.given_stopped()
    request = rpc.GetRequest(app_id=app.metadata.id)
    zipped = gzip.compress(request.SerializeToString())
    answer = post(s, "Get", zipped, PROTO, {"content-encoding": "gzip"})
    _answers(answer.code, answer.body, app, "Get as gzip")
    text = gzip.compress(json_format.MessageToJson(request).encode())
    answer = post(s, "Get", text, JSON, {"content-encoding": "gzip"})
    expect_equal(answer.code, "OK", "Get as gzip of JSON")
    expect_equal(json_format.Parse(answer.body, rpc.GetResponse()).app, app, "the answer to Get as gzip of JSON")
    answer = post(s, "Get", frame(zipped, COMPRESSED), GRPC_WEB, {"grpc-encoding": "gzip"})
    body = next((content for flags, content in frames(answer.body) if not flags & TRAILERS), b"")
    _answers(answer.code, body, app, "Get as gzip over gRPC-Web")
    watch = gzip.compress(rpc.WatchRequest(app_id=s.id(s.name("-"))).SerializeToString())  # no name ends in a hyphen
    answer = post(s, "Watch", frame(watch, COMPRESSED), CONNECT_STREAM, {"connect-content-encoding": "gzip"})
    end = next((content for flags, content in frames(answer.body) if flags & END_OF_CONNECT), b"")
    expect(b"app_id.name" in end, f"Watch as gzip: the refusal should name what was in the body: {end!r}")


@check("ID-3", needs=("raw_grpc",))
def gzip_messages_are_accepted_over_grpc(s: Session) -> None:
    """A gzip message is read like any other over gRPC."""
    app = s.given_stopped()
    # A small message grows by gzip, and grpcio would send it as it is.
    request = messages.padded(rpc.GetRequest(app_id=app.metadata.id), messages.MARGIN_BYTES).SerializeToString()
    _answers("OK", grpc_call(s, "Get", request, gzip=True), app, "Get as gzip over gRPC")


@check("ID-3", needs=("http", "projects"))
def get_and_list_answer_connect_get(s: Session) -> None:
    """Get and List answer an HTTP GET, with a message in JSON or base64, as they answer the call."""
    app = s.given_stopped()
    calls: tuple[tuple[str, Message, Message], ...] = (
        ("Get", rpc.GetRequest(app_id=app.metadata.id), rpc.GetResponse(app=app)),
        ("List", rpc.ListRequest(project=s.scope()), s.list()),
    )
    for method, request, expected in calls:
        answer = get(s, method, {"encoding": "json", "message": json_format.MessageToJson(request, indent=None)})
        expect_equal((answer.status, answer.code), (200, "OK"), f"GET of {method} with JSON")
        expect_equal(json_format.Parse(answer.body, type(expected)()), expected, f"the answer to GET of {method}")
        binary = base64.urlsafe_b64encode(request.SerializeToString()).decode().rstrip("=")
        answer = get(s, method, {"connect": "v1", "encoding": "proto", "base64": "1", "message": binary})
        expect_equal((answer.status, answer.code), (200, "OK"), f"GET of {method} with base64")
        expect_equal(type(expected).FromString(answer.body), expected, f"the answer to GET of {method} with base64")


# ---- what is refused: GET of a write, unknown methods, wrong content types


@check("ID-3", needs=("http",))
def other_methods_refuse_connect_get(s: Session) -> None:
    """A method that may change something, or that streams, answers an HTTP GET with 405, and nothing changes."""
    app, new = s.given_stopped(), s.app(state=STOP)
    changed = copy(app)
    changed.spec.container.image = "img:2"
    requests: dict[str, Message] = {
        "Create": rpc.CreateRequest(app=new),
        "Update": rpc.UpdateRequest(app=changed),
        "Delete": rpc.DeleteRequest(app_id=app.metadata.id),
        "Watch": rpc.WatchRequest(app_id=app.metadata.id),
    }
    with s.unchanged(app, absent=[new.metadata.id]):
        for method in (*WRITES, *STREAMS):
            request = requests.get(method, rpc.GetRequest())
            text = json_format.MessageToJson(request, indent=None)
            expect_equal(get(s, method, {"encoding": "json", "message": text}).status, 405, f"GET of {method}")


@check("ID-3", needs=("http",))
def an_unknown_method_is_unimplemented_over_http(s: Session) -> None:
    """A method or a service that isn't there is HTTP 404 over Connect, UNIMPLEMENTED over gRPC-Web."""
    for method in ("NoSuchMethod", "get", "flyteidl2.app.NoSuchService/Get"):
        for content_type, body in ((PROTO, b""), (JSON, b"{}")):
            expect_equal(post(s, method, body, content_type).status, 404, f"{method} as {content_type}")
        expect_equal(post(s, method, frame(b""), GRPC_WEB).code, "UNIMPLEMENTED", f"{method} over gRPC-Web")


@check("ID-3", needs=("raw_grpc",))
def an_unknown_method_is_unimplemented_over_grpc(s: Session) -> None:
    """A method or a service that isn't there is UNIMPLEMENTED over gRPC."""
    for method in ("NoSuchMethod", "get", "flyteidl2.app.NoSuchService/Get"):
        expect_equal(grpc_code(s, method, b""), "UNIMPLEMENTED", f"{method} over gRPC")


@check("ID-3", needs=("http",))
def a_wrong_content_type_is_415(s: Session) -> None:
    """A content type that the method doesn't speak is HTTP 415, and nothing changes."""
    new = s.app(state=STOP)
    create = rpc.CreateRequest(app=new).SerializeToString()
    with s.unchanged(absent=[new.metadata.id]):
        for content_type in ("text/plain", "application/octet-stream", "application/xml", CONNECT_STREAM):
            expect_equal(post(s, "Create", create, content_type).status, 415, f"Create as {content_type}")
            expect_equal(post(s, "Get", b"", content_type).status, 415, f"Get as {content_type}")
        for content_type in ("text/plain", PROTO, JSON):
            expect_equal(post(s, "Watch", b"", content_type).status, 415, f"Watch as {content_type}")


@check("ID-3", needs=("http",))
def odd_requests_get_an_answer(s: Session) -> None:
    """Any headers get an answer, it isn't UNKNOWN, and the plane goes on."""
    app = s.given_stopped()
    request = rpc.GetRequest(app_id=app.metadata.id).SerializeToString()
    odd = {
        "connect-timeout-ms": ("soon", "-1", "1e3", "9" * 30),
        "connect-protocol-version": ("7", ""),
        "grpc-timeout": ("soon", "-1S", "1", "9" * 30 + "H"),
        "content-encoding": ("klingon", "br", ""),
        "connect-content-encoding": ("klingon",),
        "grpc-encoding": ("klingon",),
        "accept-encoding": ("klingon", ""),
        "grpc-accept-encoding": ("klingon",),
    }
    with s.unchanged(app):
        for name, values in odd.items():
            for value in values:
                for content_type, body in ((PROTO, request), (GRPC_WEB, frame(request))):
                    answer = post(s, "Get", body, content_type, {name: value})
                    expect(answer.code != "UNKNOWN", f"Get as {content_type} with {name}: {value!r} is UNKNOWN")


def _answers(code: str, body: bytes, app: Message, what: str) -> None:
    expect_equal(code, "OK", what)
    expect_equal(rpc.GetResponse.FromString(body).app, app, f"the answer to {what}")
