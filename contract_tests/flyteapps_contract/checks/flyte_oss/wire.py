"""The wire of flyte-oss: row OSS-38."""

from __future__ import annotations

import base64
import gzip
import json

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.json_format import MessageToDict

from flyteapps_contract.checks.support.raw import JSON, PROTO, get, post
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.session import Session

FITTING, BIG = 100_000, 6_000_000
"""Bytes of a request that a cluster takes, too, and of one that the backend's own code takes."""


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
    request = rpc.GetRequest(app_id=app.metadata.id)
    for more in ({}, {"nope": 1}):
        body = json.dumps(MessageToDict(request) | more).encode()
        expect_equal(post(s, "Get", body, JSON).status, 200, f"the status of Get as JSON with {more}")
    packed = gzip.compress(request.SerializeToString())
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
