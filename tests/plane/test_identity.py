"""CONTRACT, section Identity, validation, wire (ID-1 to ID-4)."""

from __future__ import annotations

import pytest
from buf.validate import validate_pb2
from connectrpc.code import Code
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.standard.organization import MAX_ADOPTED

from .api import INVALID, NOT_FOUND, Api, app_id, kind, new_app, project, statuses
from .conftest import Refusal


def test_every_part_of_the_id_counts(api: Api) -> None:
    """ID-1: apps that differ in name, project or domain alone are different apps."""
    for app in (new_app("a"), new_app("b"), new_app("a", project="p2"), new_app("a", domain="d2")):
        api.create(app)
    assert len(api.list().apps) == 4
    assert api.get("a", project="p2").metadata.id.project == "p2"


def test_ids_are_case_sensitive(api: Api) -> None:
    """ID-1: `Demo` is not `demo`."""
    api.create(new_app("demo"))
    with Refusal(NOT_FOUND):
        api.get("Demo")
    api.create(new_app("Demo"))
    assert api.get("Demo").metadata.id.name == "Demo"


def test_an_empty_org_is_the_planes_own_everywhere(api: Api) -> None:
    """ID-1: an empty org in any place of a request means the plane's own, and a returned app always carries it."""
    assert api.create().metadata.id.org == "acme"
    assert api.get().metadata.id.org == "acme"
    assert api.get(org="acme").metadata.id.org == "acme"
    cluster = api.get().status.assigned_cluster
    assert api.names(org="") == ["demo"]
    assert api.names(project=project()) == ["demo"]
    assert api.names(cluster_id=identifier_pb2.ClusterIdentifier(name=cluster)) == ["demo"]
    assert api.names() == ["demo"]
    assert [kind(e) for e in api.watch(org="").drain()] == ["create"]
    assert [kind(e) for e in api.watch().drain()] == ["create"]


def test_another_org_reads_nothing_and_creates_nothing(api: Api) -> None:
    """ID-1: reads of another org find nothing; Get and Create say which org the plane serves and what to do."""
    api.create()
    with Refusal(NOT_FOUND) as unread:
        api.get(org="other")
    assert "this plane serves org 'acme', not 'other'" in unread.message and "--org other" in unread.message
    assert api.names(org="other") == []
    assert api.names(project=project(organization="other")) == []
    assert api.watch(org="other").drain() == []
    with Refusal(NOT_FOUND) as refused:
        api.create(new_app("two", org="other"))
    assert "this plane serves org" in refused.message and "acme" in refused.message
    assert "--org" in refused.message


@pytest.mark.parametrize("org", ["127", "10", "192", "localhost"])
@pytest.mark.parametrize("arranged", [True, False])
def test_an_org_that_is_only_an_address_is_the_planes_own(org: str, arranged: bool) -> None:
    """ID-1: where none is configured, the org that the SDK makes of 127.0.0.1:8090 is the plane's own."""
    with FakeControlPlane(clock="manual") as plane:
        api = Api(plane)
        if arranged:
            api.create(new_app("one"))
        assert api.create(new_app("two", org=org)).metadata.id.org == plane.org == "flyte"
        assert api.get("two").metadata.id == api.get("two", org=org).metadata.id
        assert len(api.names(org=org)) == (2 if arranged else 1)
        with Refusal(NOT_FOUND) as refused:
            api.create(new_app("three", org="acme"))
        assert "task.org: flyte" in refused.message and "reset" not in refused.message


def test_a_configured_plane_has_one_org(plane: FakeControlPlane) -> None:
    """ID-1: where an org is configured, one that looks like an address is another."""
    with Refusal(NOT_FOUND):
        Api(plane).create(new_app(org="127"))


def test_an_unconfigured_plane_takes_the_first_org_that_a_request_names() -> None:
    """ID-1: without a configured org the first one named before the first app is the plane's, and stays so."""
    with FakeControlPlane(clock="manual") as plane:
        api = Api(plane)
        with Refusal(NOT_FOUND):
            api.get(org="first")
        assert api.create().metadata.id.org == "first"
        with Refusal(NOT_FOUND):
            api.create(new_app("two", org="second"))


def test_an_invalid_request_does_not_decide_the_org() -> None:
    """ID-2: a request that breaks a rule changes nothing, the plane's org included."""
    with FakeControlPlane(clock="manual") as plane:
        api = Api(plane)
        with Refusal(INVALID):
            api.create(new_app("no dns label!", org="typo"))
        assert api.create().metadata.id.org == "flyte"


def test_an_unconfigured_plane_takes_the_first_apps_org() -> None:
    """ID-1: where no request named one before, the first app's org is the plane's."""
    with FakeControlPlane(clock="manual") as plane:
        assert Api(plane).create(new_app(org="mine")).metadata.id.org == "mine"
        assert plane.org == "mine"


def test_an_unconfigured_plane_that_hears_of_no_org_is_flyte() -> None:
    """ID-1: if the first app names no org either, it is "flyte", and another one comes too late."""
    with FakeControlPlane(clock="manual") as plane:
        api = Api(plane)
        assert api.create().metadata.id.org == "flyte"
        with Refusal(NOT_FOUND):
            api.get(org="late")
        assert plane.org == "flyte"


def test_every_offending_field_is_named(api: Api) -> None:
    """ID-2: a violation names all offending paths, carries Violations as a detail and changes nothing."""
    app = new_app("not_a_name")
    app.metadata.id.project = ""
    app.spec.ClearField("container")
    with Refusal(INVALID) as refused:
        api.create(app)
    for path in ("app.metadata.id.name", "app.metadata.id.project", "app_payload"):
        assert path in refused.message
    violations = validate_pb2.Violations()
    assert any(detail.Unpack(violations) for detail in refused.error.details)
    assert len(violations.violations) >= 3
    assert api.names() == []


@pytest.mark.parametrize("name", ["", "-a", "a-", "a.b", "a b", "x" * 31, "ä"])
def test_bad_names_are_refused(api: Api, name: str) -> None:
    """ID-2: a name has 1 to 30 letters, digits and inner hyphens."""
    with Refusal(INVALID):
        api.create(new_app(name))


@pytest.mark.parametrize("name", ["a", "x" * 30, "A-1", "9", "a--b"])
def test_good_names_are_taken(api: Api, name: str) -> None:
    """ID-2: whatever the rule of the message allows is an app."""
    assert api.create(new_app(name)).metadata.id.name == name


def test_requests_without_their_oneof_are_refused(api: Api) -> None:
    """ID-2: a Get without an identifier and a Create without an app are invalid."""
    with Refusal(INVALID):
        api.stub.get(rpc.GetRequest())
    with Refusal(INVALID):
        api.stub.create(rpc.CreateRequest())
    with Refusal(INVALID):
        api.stub.update(rpc.UpdateRequest())
    with Refusal(INVALID):
        api.stub.delete(rpc.DeleteRequest())


def test_a_reason_is_at_most_100_characters(api: Api) -> None:
    """ID-2: the limit of UpdateRequest.reason holds, and nothing is changed by a longer one."""
    app = api.create()
    app.spec.container.image = "img:2"
    with Refusal(INVALID):
        api.update(app, reason="r" * 101)
    assert api.get().metadata.revision == 1
    assert api.update(app, reason="r" * 100).metadata.revision == 2


def test_unchecked_fields_are_unchecked(api: Api) -> None:
    """ID-2: a container without an image and labels of any shape are legal."""
    app = new_app(image="")
    app.metadata.labels["any thing!"] = "é"
    assert api.create(app).metadata.labels["any thing!"] == "é"


UNKNOWN = b"\xfa\x3f\x03abc"  # field 1023 of wire type 2


def test_unknown_fields_of_a_spec_are_kept_and_count(api: Api) -> None:
    """ID-3: unknown binary fields are stored, returned and compared."""
    app = new_app()
    app.spec.MergeFromString(UNKNOWN)
    assert UNKNOWN in api.create(app).spec.SerializeToString()
    stored = api.get()
    assert UNKNOWN in stored.spec.SerializeToString()
    with Refusal(Code.ABORTED):
        api.update(stored)
    plain = new_app()
    plain.spec.creator.CopyFrom(stored.spec.creator)
    assert api.update(plain).metadata.revision == 2


def test_an_app_over_its_limit_is_refused(api: Api) -> None:
    """ID-3: an app over 1.5 MiB is RESOURCE_EXHAUSTED, on Create and on Update; one below is stored."""
    with Refusal(Code.RESOURCE_EXHAUSTED):
        api.create(new_app(image="i" * (3 << 19)))
    app = api.create(new_app(image="i" * (1 << 20)))
    app.spec.container.image = "i" * (3 << 19)
    with Refusal(Code.RESOURCE_EXHAUSTED):
        api.update(app)
    assert api.get().metadata.revision == 1


def test_what_the_plane_returns_is_valid_input(api: Api) -> None:
    """ID-4: a whole returned app, status included, can be sent back at every stage of its life."""
    app = api.create()
    for step in range(20):
        app.spec.container.image = f"img:{step + 2}"
        app = api.update(app)
        api.plane.advance(0.25)
        app = api.get()
    assert app.metadata.revision == 21


def test_the_caller_is_anonymous(api: Api) -> None:
    """ID-4: without authentication the creator is the configured subject, and an actor is complete or unset."""
    app = api.running()
    assert app.spec.creator.user.id.subject == "anonymous"
    for condition in app.status.conditions:
        assert not condition.HasField("actor") or condition.actor.user.id.subject == "anonymous"
    with FakeControlPlane(clock="manual", subject="ada") as plane:
        assert Api(plane).create().spec.creator.user.id.subject == "ada"


def test_a_bad_watch_is_refused_at_once(api: Api) -> None:
    """ID-2: a watch of an invalid id never opens."""
    with pytest.raises(Exception, match="name"):
        api.watch(app_id=app_id("not_a_name"))
    assert api.plane.open_streams() == 0


def test_an_app_of_the_largest_size_can_live_and_end(api: Api) -> None:
    """ID-3: the cap counts what the client sent: an app as large as can be still starts, stops and goes."""
    app = new_app(image="x")
    rest = app.metadata.ByteSize() + app.spec.ByteSize()
    app.spec.container.image = "x" * (3 * 1024 * 1024 // 2 - rest - 200)  # the org, a creator and an ingress come along
    api.create(app)
    api.settle()
    api.stop()
    api.settle()
    assert statuses(api.get())[-1] == "STOPPED"
    api.delete()


def test_a_long_word_of_a_client_does_not_grow_in_messages(api: Api) -> None:
    """ID-3: names that a client made up are shown short in the plane's messages, so that events stay under 4 MiB."""
    app = new_app()
    app.metadata.labels["flyteapps.dev/scenario"] = "x" * 500_000
    api.create(app)
    api.settle()
    last = api.get().status.conditions[-1]
    assert last.message.startswith("Unknown scenario 'xxx") and len(last.message) < 500


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ingress_scheme", "ftp"),
        ("base_domain", ""),
        ("base_domain", "a b"),
        ("base_domain", "apps.localhost:80"),
        ("ingress_port", 65_536),
    ],
)
def test_settings_that_make_no_url_are_refused(field: str, value: object) -> None:
    """CR-6: what public URLs are built from is checked when the plane is made, by name."""
    with pytest.raises(ValueError, match=field):
        FakeControlPlane(**{field: value})  # type: ignore[arg-type]  # what is wrong is the point


def test_a_refusal_is_short_whatever_it_speaks_of(api: Api) -> None:
    """ID-2: codes and messages travel in trailers, so neither grows with the request."""
    with Refusal(NOT_FOUND) as refused:
        api.get(project="p" * 100_000)
    assert len(refused.message) < 3_000
    app = new_app()
    for _ in range(1_000):
        app.spec.inputs.items.add()
    with Refusal(INVALID) as refused:
        api.create(app)
    assert len(refused.message) < 3_000
    assert sum(len(detail.value) for detail in refused.error.details) < 6_000


def test_an_org_of_any_length_is_not_adopted() -> None:
    """ID-1: what is longer than an org can be doesn't become the plane's, by a write, a read or a stream."""
    with FakeControlPlane(clock="manual") as plane:
        api = Api(plane)
        longest = "o" * MAX_ADOPTED
        with Refusal(NOT_FOUND) as refused:
            api.create(new_app(org=longest + "o"))
        assert len(refused.message) < 2_000
        with Refusal(NOT_FOUND):
            api.get(org=longest + "o")
        with Refusal(NOT_FOUND):
            api.delete(org=longest + "o")
        assert api.names(org=longest + "o") == []
        assert api.watch(org=longest + "o").drain() == []
        assert plane.org == "flyte"
        assert api.create(new_app(org=longest)).metadata.id.org == longest
        api.close()
