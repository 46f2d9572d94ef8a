"""Requests in flyte-oss that the standard refuses: rows OSS-1 to OSS-3."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.core import tasks_pb2

from flyteapps_contract.checks.support.oss import listed, resource, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Broken, Refused
from flyteapps_contract.session import Session, copy

LONG_PART, LONG_NAME, LONG_REASON = 63, 80, 200
"""Characters of a name that is the longest that a cluster takes, of one that only the backend's own code takes, and of
a reason; the rules of messages allow less of each."""


@check("OSS-1")
def a_create_lacks_something(s: Session) -> None:
    """Create without an identifier, a spec or a payload is INVALID_ARGUMENT, in that order, and creates nothing."""
    app = model.App()
    with expect_refusal("INVALID_ARGUMENT", "Create of nothing", opening="app identifier is required"):
        s.create(app)
    app.metadata.id.CopyFrom(s.id())
    with expect_refusal("INVALID_ARGUMENT", "Create without a spec", opening="app spec is required"):
        s.create(app)
    app.spec.SetInParent()
    opening = "app spec must include a container or pod payload"
    with expect_refusal("INVALID_ARGUMENT", "Create without a payload", opening=opening):
        s.create(app)
    expect(listed(s, app.metadata.id) is None, "a Create that was refused should create nothing")


@check("OSS-1")
def a_call_without_an_identifier(s: Session) -> None:
    """Update, Get and Delete without an identifier are INVALID_ARGUMENT; an empty one is an identifier."""
    with expect_refusal("INVALID_ARGUMENT", "Update of nothing", opening="app identifier is required"):
        s.update(model.App())
    with expect_refusal("INVALID_ARGUMENT", "Get of nothing", opening="app_id is required"):
        s.call("Get", rpc.GetRequest(), rpc.GetResponse)
    with expect_refusal("INVALID_ARGUMENT", "Delete of nothing", opening="app_id is required"):
        s.call("Delete", rpc.DeleteRequest(), rpc.DeleteResponse)
    with expect_refusal("NOT_FOUND", "Get of an empty identifier", opening="KService -- not found"):
        s.get(model.Identifier())


@check("OSS-1")
def no_other_rule_is_checked(s: Session) -> None:
    """A name of up to 63 characters, one in upper case, and a long reason are taken."""
    long_name = s.name("-").ljust(LONG_PART, "x")
    for app in (s.app(long_name), s.app(s.name().upper())):
        expect_equal(s.create(app).metadata.id, app.metadata.id, "the id of an app that breaks a rule")
    s.update(s.app(long_name, image="img:2"), "r" * LONG_REASON)


@check("OSS-1", needs=("lenient",))
def names_that_no_cluster_takes_are_taken(s: Session) -> None:
    """Where no cluster checks it, a name of any length, one with an underscore, and an empty project are taken."""
    long_name = s.name("-").ljust(LONG_NAME, "x")
    for app in (s.app(long_name), s.app(s.name("-a_b")), s.app(project="")):
        expect_equal(s.create(app).metadata.id, app.metadata.id, "the id of an app that breaks a rule")
    s.update(s.app(long_name, image="img:2"))


@check("OSS-2")
def an_update_without_a_payload_is_internal(s: Session) -> None:
    """Update without a spec or a payload, and Create of a pod without pod_spec, are INTERNAL and name the resource."""
    app = model.App(metadata=model.Meta(id=s.id()))
    opening = f"failed to build KService for app {resource(app.metadata.id)}: "
    with expect_refusal("INTERNAL", "Update without a spec", opening=opening):
        s.update(app)
    app.spec.desired_state = model.Spec.DESIRED_STATE_STARTED
    with expect_refusal("INTERNAL", "Update without a payload", opening=opening):
        s.update(app)
    app.spec.pod.SetInParent()
    with expect_refusal("INTERNAL", "Create of a pod without pod_spec", opening=opening):
        s.create(app)
    expect(listed(s, app.metadata.id) is None, "what can't be built should not be there")


@check("OSS-2")
def stopping_needs_no_payload(s: Session) -> None:
    """An update that stops is taken without a payload, and leaves the stored one."""
    app = s.given_active()
    bare = copy(stopped(s, app))
    bare.spec.ClearField("container")
    answer = s.update(bare)
    expect(not answer.spec.HasField("container"), "the response of an update without a payload should have none")
    expect_equal(s.get(app.metadata.id).spec.container, app.spec.container, "the payload of an app that was stopped")


@check("OSS-3")
def a_bad_quantity_ends_the_request(s: Session) -> None:
    """Create with a resource quantity that is none is UNAVAILABLE; nothing is created, and the plane goes on."""
    app = s.app()
    request = app.spec.container.resources.requests.add(value="not-a-quantity")
    request.name = tasks_pb2.Resources.CPU
    try:
        s.create(app)
    except Refused as error:
        expect(error.code == "UNAVAILABLE", f"Create with a bad quantity: expected UNAVAILABLE, got {error}")
        expect_equal(error.message, "unexpected EOF", "the message of a Create with a bad quantity")
    else:
        raise Broken("Create with a bad quantity: expected UNAVAILABLE, but the call succeeded")
    expect(listed(s, app.metadata.id) is None, "a Create with a bad quantity should create nothing")
