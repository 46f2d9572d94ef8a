"""JSON in flyte-oss, rows OSS-51, OSS-76: documents that Go's protojson refuses, and fields that it drops."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToDict

from flyteapps_contract.checks.support.oss import shown
from flyteapps_contract.checks.support.raw import JSON, post
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import Session

REFUSED = (
    ("a field twice", "Get", b'{"appId":{"name":"a","name":"b"}}', 'duplicate field "name"'),
    ("a field by both of its names", "Get", b'{"appId":{},"app_id":{}}', 'duplicate field "app_id"'),
    ("two of a oneof", "Get", b'{"appId":{},"ingress":{}}', "oneof flyteidl2.app.GetRequest.identifier is already set"),
    (
        "a key of a map twice",
        "Create",
        b'{"app":{"metadata":{"labels":{"a":"1","a":"2"}}}}',
        'duplicate map key "a"',
    ),
    ("a BOM", "Get", b'\xef\xbb\xbf{"appId":{}}', "syntax error"),
    ("UTF-16", "Get", '{"appId":{}}'.encode("utf-16"), "syntax error"),
    ("a plus sign", "List", b'{"request":{"limit":"+5"}}', 'invalid value for uint32 field limit: "+5"'),
    (
        "a bool as an enum",
        "Create",
        b'{"app":{"spec":{"desiredState":true}}}',
        "invalid value for enum field desiredState: true",
    ),
    (
        "ten digits of a second",
        "Create",
        b'{"app":{"status":{"createdAt":"2024-01-02T03:04:05.0123456789Z"}}}',
        "invalid google.protobuf.Timestamp value",
    ),
    ("a lone surrogate", "Get", b'{"appId":{"name":"\\ud800x12345"}}', "invalid escape code"),
    ("a comma too many", "Get", b'{"appId":{},}', "unexpected token }"),
    ("two documents", "Get", b'{"appId":{}}{}', "unexpected token {"),
)
"""Documents with the method that they are sent to, and what is said of them."""


@check("OSS-51", needs=("http",))
def json_is_read_strictly(s: Session) -> None:
    """JSON that is ambiguous, in another encoding, or of another form is INVALID_ARGUMENT, and the message says why."""
    for what, method, body, says in REFUSED:
        answer = post(s, method, body, JSON)
        expect_equal((answer.status, answer.code), (400, "INVALID_ARGUMENT"), f"{method} with {what}")
        message = str(json.loads(answer.body).get("message", ""))
        expect(says in message, f"{method} with {what}: the message should have {says!r}, and is {message!r}")


@check("OSS-51", needs=("http",))
def what_json_names_in_vain_is_dropped(s: Session) -> None:
    """An unknown name of an enum's value, a number in a string, and a field in brackets are dropped."""
    for dropped in ({"desiredState": "3"}, {"desiredState": "NOPE"}, {"[foo.bar]": 5}):
        app = s.app()
        app.spec.ClearField("desired_state")
        place = app.metadata.id
        names = {"org": place.org, "project": place.project, "domain": place.domain, "name": place.name}
        container = {"image": app.spec.container.image, "args": list(app.spec.container.args)}
        sent: dict[str, Any] = {"metadata": {"id": names}, "spec": {"container": container, **dropped}}
        s.may_have(place)
        answer = post(s, "Create", json.dumps({"app": sent}).encode(), JSON)
        expect_equal(answer.status, 200, f"the status of Create with {dropped}")
        expect_equal(shown(s, place).spec, app.spec, f"the spec after Create with {dropped}")


@check("OSS-76", needs=("http",))
def the_cluster_of_a_spec_is_unknown_in_json(s: Session) -> None:
    """Create as JSON with spec.cluster is taken, and the spec has none."""
    app = s.app()
    app.spec.cluster = "east"
    s.may_have(app.metadata.id)
    body = json.dumps({"app": MessageToDict(app)}).encode()
    expect_equal(post(s, "Create", body, JSON).status, 200, "the status of Create as JSON with spec.cluster")
    expect_equal(s.get(app.metadata.id).spec.cluster, "", "spec.cluster after a Create as JSON")
