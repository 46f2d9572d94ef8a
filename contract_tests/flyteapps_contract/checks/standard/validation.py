"""Validation: row ID-2. Which requests break which rule is in model/rules.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf import text_format
from google.protobuf.message import Message

from flyteapps_contract.checks.support.answers import first_of, if_offered, keeps_the_rules, or_not_found, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_refusal
from flyteapps_contract.model import rules
from flyteapps_contract.session import SERVICE, STOP, Session

LOGS = "flyteidl2.app.AppLogsService"
_EMPTY_ID = ("project", "domain", "name")


@check("ID-2")
def a_create_that_breaks_a_rule_is_refused(s: Session) -> None:
    """Create with an app that breaks a rule is INVALID_ARGUMENT, names the field, and stores nothing."""
    valid = s.app(state=STOP)
    with s.unchanged(absent=[valid.metadata.id]):
        for broken in rules.broken_apps(valid):
            with expect_refusal("INVALID_ARGUMENT", f"Create with {broken.what}", fields=[broken.field]):
                s.create(broken.app)
        with expect_refusal("INVALID_ARGUMENT", "Create without an app", fields=["app"]):
            s.call("Create", rpc.CreateRequest(), rpc.CreateResponse)


@check("ID-2")
def an_update_that_breaks_a_rule_is_refused(s: Session) -> None:
    """Update with an app or a reason that breaks a rule is INVALID_ARGUMENT, names the field, and changes nothing."""
    app = s.given_stopped()
    valid = stopped(s, app.metadata.id, image="img:2")
    with s.unchanged(app):
        for broken in rules.broken_apps(valid):
            with expect_refusal("INVALID_ARGUMENT", f"Update with {broken.what}", fields=[broken.field]):
                s.update(broken.app)
        with expect_refusal("INVALID_ARGUMENT", "Update without an app", fields=["app"]):
            s.call("Update", rpc.UpdateRequest(), rpc.UpdateResponse)
        with expect_refusal("INVALID_ARGUMENT", "Update with a reason of 101 characters", fields=["reason"]):
            s.update(valid, "é" * (rules.LONGEST_TEXT + 1))


@check("ID-2")
def a_read_or_delete_that_breaks_a_rule_is_refused(s: Session) -> None:
    """Get, Delete, List and Watch that break a rule are INVALID_ARGUMENT, name the field, and change nothing."""
    app = s.given_stopped()
    with s.unchanged(app):
        for method, request in (("Get", rpc.GetRequest), ("Delete", rpc.DeleteRequest), ("List", rpc.ListRequest)):
            response = {"Get": rpc.GetResponse, "Delete": rpc.DeleteResponse, "List": rpc.ListResponse}[method]
            _refuses(method, request, lambda broken, m=method, r=response: s.call(m, broken, r))
        _refuses("Watch", rpc.WatchRequest, lambda broken: first_of(s, SERVICE, "Watch", broken, rpc.WatchResponse))
        for name in rules.BAD_NAMES:
            app_id = s.id(name)
            with expect_refusal("INVALID_ARGUMENT", f"Get of the name {name!r}", fields=["app_id.name"]):
                s.get(app_id)
            with expect_refusal("INVALID_ARGUMENT", f"Delete of the name {name!r}", fields=["app_id.name"]):
                s.delete(app_id)


@check("ID-2")
def every_field_that_breaks_a_rule_is_named(s: Session) -> None:
    """A request that breaks several rules names all of their fields at once."""
    app = s.app("-", state=STOP)
    app.spec.ClearField("container")
    app.spec.links.add()
    app.status.ingress.public_url = "not a URI"
    fields = ["metadata.id.name", "spec.app_payload", "spec.links[0].path", "status.ingress.public_url"]
    with s.unchanged(), expect_refusal("INVALID_ARGUMENT", "Create", fields=[f"app.{field}" for field in fields]):
        s.create(app)
    with expect_refusal("INVALID_ARGUMENT", "Get of an empty id", fields=[f"app_id.{at}" for at in _EMPTY_ID]):
        s.get(model.Identifier())


@check("ID-2")
def what_keeps_the_rules_is_taken(s: Session) -> None:
    """Values at the edges of the rules, and what no rule speaks of, are no INVALID_ARGUMENT."""
    for name in rules.GOOD_NAMES:
        with keeps_the_rules(f"Get of the name {name!r}"), or_not_found():
            s.get(s.id(name))
    app = s.app(state=STOP)
    for text in rules.ALLOWED:
        app = rules.merged(app, text)
    with keeps_the_rules("Create with all that is allowed at once"):
        s.create(app)
    for number, text in enumerate(rules.ALLOWED):
        changed = stopped(s, app.metadata.id)
        changed.metadata.code_bundle_uri = f"s3://{number}"  # so that every update changes something
        with keeps_the_rules(f"Update with {text}"):
            s.update(rules.merged(changed, text), "é" * rules.LONGEST_TEXT)


@check("ID-2")
def the_data_planes_requests_keep_the_rules_too(s: Session) -> None:
    """Lease and UpdateStatus that break a rule are INVALID_ARGUMENT and name the field."""
    with if_offered("Lease and UpdateStatus"):
        _refuses("Lease", rpc.LeaseRequest, lambda broken: first_of(s, SERVICE, "Lease", broken, rpc.LeaseResponse))
        _refuses(
            "UpdateStatus",
            rpc.UpdateStatusRequest,
            lambda broken: s.call("UpdateStatus", broken, rpc.UpdateStatusResponse),
        )


@check("ID-2", needs=("http",))
def a_tail_that_breaks_a_rule_is_refused(s: Session) -> None:
    """TailLogs that breaks a rule is INVALID_ARGUMENT and names the field."""
    with if_offered("TailLogs"):
        _refuses(
            "TailLogs",
            logs.TailLogsRequest,
            lambda broken: first_of(s, LOGS, "TailLogs", broken, logs.TailLogsResponse),
        )


def _refuses(method: str, request: type[Message], call: Callable[[Any], object]) -> None:
    """Broken unless the method refuses all that break one of its rules."""
    for text, field in rules.REQUESTS[method]:
        broken = text_format.Parse(text, request())
        with expect_refusal("INVALID_ARGUMENT", f"{method} with {text or 'nothing set'}", fields=[field]):
            call(broken)
