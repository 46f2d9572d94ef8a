"""CONTRACT, section Create (CR-1 to CR-6)."""

from __future__ import annotations

import re

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_definition_pb2 as model

from flyteapps_fake.control_plane import FakeControlPlane

from .api import INVALID, STOP, Api, app_of, kind, new_app, statuses
from .conftest import Refusal


def test_a_new_app_has_revision_1(api: Api) -> None:
    """CR-1: the app is stored with revision 1 and returned, whatever revision was sent."""
    app = new_app()
    app.metadata.revision = 7
    assert api.create(app).metadata.revision == 1
    assert api.get().metadata.revision == 1


def test_the_clients_status_is_ignored(api: Api) -> None:
    """CR-1: the plane owns the status."""
    app = new_app()
    app.status.current_replicas = 9
    app.status.assigned_cluster = "mine"
    app.status.ingress.public_url = "http://evil.example"
    app.status.conditions.add(deployment_status=model.Status.DEPLOYMENT_STATUS_ACTIVE)
    status = api.create(app).status
    assert status.current_replicas == 0
    assert status.assigned_cluster != "mine"
    assert "evil" not in status.ingress.public_url
    assert status.conditions[-1].deployment_status == model.Status.DEPLOYMENT_STATUS_ASSIGNED


def test_an_existing_app_is_left_alone(api: Api) -> None:
    """CR-2: ALREADY_EXISTS, and the stored app is unchanged."""
    before = api.create()
    with Refusal(Code.ALREADY_EXISTS):
        api.create(new_app(image="img:2"))
    assert api.get() == before


def test_the_spec_comes_back_as_sent(api: Api) -> None:
    """CR-3: save ingress and creator no field of the spec is touched or filled in."""
    app = new_app()
    app.metadata.labels["team"] = "red"
    app.metadata.code_bundle_uri = "s3://bundle"
    app.metadata.source_code.link = "http://source"
    app.spec.container.env.add(key="K", value="V")
    app.spec.container.resources.requests.add(name=1, value="100m")
    app.spec.autoscaling.replicas.max = 3
    app.spec.cluster_pool = "default"
    app.spec.timeouts.request_timeout.seconds = 30
    app.spec.links.add(path="/docs", title="Docs", is_relative=True)
    app.spec.profile.short_description = "short"
    app.spec.runtime_metadata.version = "2.12"
    app.spec.inputs.items.add(name="x", string_value="y")
    app.spec.security_context.allow_anonymous = True
    sent = model.App.FromString(app.SerializeToString())
    created = api.create(app)
    assert created == api.get()
    assert created.metadata.labels == sent.metadata.labels
    assert created.metadata.code_bundle_uri == "s3://bundle"
    assert created.metadata.source_code.link == "http://source"
    for field in ("ingress", "creator"):
        assert created.spec.HasField(field)
        created.spec.ClearField(field)
    assert created.spec == sent.spec


@pytest.mark.parametrize("sent", [False, True], ids=["absent", "default"])
def test_an_ingress_without_content_is_filled(api: Api, sent: bool) -> None:
    """CR-3: where ingress is absent or the default message, one with a generated subdomain is stored."""
    app = new_app()
    if sent:
        app.spec.ingress.SetInParent()
    created = api.create(app)
    subdomain = created.spec.ingress.subdomain
    assert created.spec.ingress == model.IngressConfig(subdomain=subdomain)
    assert created.status.ingress.public_url == f"http://{subdomain}.apps.localhost"


def test_an_ingress_with_content_is_kept(api: Api) -> None:
    """CR-3: where any field is set it is stored exactly as sent, and the generated host shows in the status alone."""
    app = new_app()
    app.spec.ingress.private = True
    created = api.create(app)
    assert created.spec.ingress == model.IngressConfig(private=True)
    assert re.fullmatch(r"http://demo-[0-9a-z]{8}\.apps\.localhost", created.status.ingress.public_url)


def test_a_creator_that_was_sent_is_kept(api: Api) -> None:
    """CR-3: only an empty creator is replaced by the caller."""
    app = new_app()
    app.spec.creator.user.id.subject = "ada"
    assert api.create(app).spec.creator.user.id.subject == "ada"


def test_an_app_that_should_run_begins_unassigned_and_is_shown_assigned(api: Api) -> None:
    """CR-4, LE-6: the first condition is UNASSIGNED; readers and the answer of Create see ASSIGNED."""
    created = api.create()
    assert statuses(created) == ["UNASSIGNED", "ASSIGNED"]
    assert statuses(api.get()) == ["UNASSIGNED", "ASSIGNED"]


@pytest.mark.parametrize("state", [0, 2, 3], ids=["unspecified", "started", "active"])
def test_an_app_that_should_run_becomes_active(api: Api, state: int) -> None:
    """CR-4, UP-5: UNSPECIFIED, STARTED and ACTIVE all run, no state is skipped, UNASSIGNED and STOPPED stay away."""
    app = api.running(state=state)
    seen = [s for i, s in enumerate(statuses(app)) if i == 0 or s != statuses(app)[i - 1]]
    assert seen == ["UNASSIGNED", "ASSIGNED", "PENDING", "DEPLOYING", "ACTIVE"]
    assert app.status.current_replicas == 1
    assert app.spec.desired_state == state
    assert app.status.k8s_metadata.namespace == "proj-dev"
    assert app.status.assigned_cluster and app.status.last_assigned_cluster == app.status.assigned_cluster
    assert app.status.HasField("last_started_at")


def test_a_default_start_takes_about_a_second(api: Api) -> None:
    """The healthy scenario: an app is active within two seconds of the plane's time, and not at once."""
    api.create()
    assert statuses(api.get())[-1] == "ASSIGNED"
    api.plane.advance(2.0)
    assert statuses(api.get())[-1] == "ACTIVE"


def test_an_app_that_should_not_run_is_stopped(api: Api) -> None:
    """CR-4: with desired state STOPPED the first and only condition is STOPPED."""
    assert statuses(api.create(new_app(state=STOP))) == ["STOPPED"]
    api.settle()
    app = api.get()
    assert statuses(app) == ["STOPPED"]
    assert app.status.assigned_cluster == "" and app.status.current_replicas == 0


def test_a_restart_never_shows_unassigned_or_stopped(api: Api) -> None:
    """CR-4: watchers of a stopped app that is started again see neither UNASSIGNED nor STOPPED as the last one."""
    api.running()
    api.stop()
    api.settle()
    stream = api.watch()
    stream.drain()
    app = api.get()
    app.spec.desired_state = model.Spec.DESIRED_STATE_STARTED
    api.update(app)
    api.settle()
    events = stream.drain()
    assert {kind(e) for e in events} == {"update"}
    last = [statuses(app_of(e))[-1] for e in events]
    assert not {"UNASSIGNED", "STOPPED"} & set(last)
    assert last[-1] == "ACTIVE"


def test_a_deleted_id_starts_over(api: Api) -> None:
    """CR-5, CR-6: the same id has revision 1 again, its first conditions, and a subdomain of its own."""
    first = api.create(new_app(state=STOP))
    api.delete()
    second = api.create(new_app())
    assert second.metadata.revision == 1
    assert statuses(second) == ["UNASSIGNED", "ASSIGNED"]
    assert second.status.created_at.ToNanoseconds() > first.status.created_at.ToNanoseconds()
    assert second.spec.ingress.subdomain != first.spec.ingress.subdomain


def test_a_generated_subdomain_is_one_dns_label(api: Api) -> None:
    """CR-6: lower-case name, hyphen, 8 characters; different for ids that differ in case or project alone."""
    subdomains = [
        api.create(app).spec.ingress.subdomain
        for app in (new_app("My-App"), new_app("my-app"), new_app("my-app", project="p2"))
    ]
    assert len(set(subdomains)) == 3
    for subdomain in subdomains:
        assert re.fullmatch(r"my-app-[0-9a-z]{8}", subdomain)


def test_a_subdomain_depends_on_the_seed_and_the_id_alone() -> None:
    """CR-6: planes of one seed give one app the same subdomain, of another seed another."""

    def subdomain(seed: int, *before: str) -> str:
        with FakeControlPlane(clock="manual", org="acme", seed=seed) as plane:
            api = Api(plane)
            for name in before:
                api.create(name=name)
            return api.create().spec.ingress.subdomain

    assert subdomain(1) == subdomain(1, "other") != subdomain(2)


def test_the_url_survives_updates_and_stops(api: Api) -> None:
    """CR-6: the public URL is the same from creation to stop."""
    url = api.running().status.ingress.public_url
    app = api.get()
    app.spec.container.image = "img:2"
    assert api.update(app).status.ingress.public_url == url
    api.stop()
    api.settle()
    assert api.get().status.ingress.public_url == url


@pytest.mark.parametrize("field", ["subdomain", "cname"])
def test_a_taken_host_is_a_failed_precondition(api: Api, field: str) -> None:
    """CR-6: another app's subdomain or cname is refused on Create and Update, free again once that app is gone."""

    def claim(name: str, state: int = STOP) -> model.App:
        app = new_app(name, state=state)
        setattr(app.spec.ingress, field, "blue.example.com" if field == "cname" else "blue")
        return app

    api.create(claim("one"))
    with Refusal(Code.FAILED_PRECONDITION):
        api.create(claim("two"))
    api.create(new_app("two"))
    with Refusal(Code.FAILED_PRECONDITION):
        api.update(claim("two"))
    assert api.get("two").metadata.revision == 1
    api.delete("one")
    assert api.update(claim("two")).metadata.revision == 2


@pytest.mark.parametrize("subdomain", ["a_b", "-a", "a..b", "x" * 64, "ä", "a b", "a.b"])
def test_a_subdomain_is_a_dns_label(api: Api, subdomain: str) -> None:
    """CR-6: what isn't one DNS label is INVALID_ARGUMENT."""
    app = new_app()
    app.spec.ingress.subdomain = subdomain
    with Refusal(INVALID):
        api.create(app)


@pytest.mark.parametrize("cname", ["a_b.example", "-a.example", "a..b", "http://a.example", "a b", "\u212a.example"])
def test_a_cname_is_a_dns_name(api: Api, cname: str) -> None:
    """CR-6: what isn't a DNS name is INVALID_ARGUMENT."""
    app = new_app()
    app.spec.ingress.cname = cname
    with Refusal(INVALID):
        api.create(app)


def test_duplicate_inputs_are_refused(api: Api) -> None:
    """SP-4: two inputs of one name are INVALID_ARGUMENT."""
    app = new_app()
    app.spec.inputs.items.add(name="x", string_value="1")
    app.spec.inputs.items.add(name="x", string_value="2")
    with Refusal(INVALID):
        api.create(app)


def test_no_two_writes_share_a_time(api: Api) -> None:
    """Times: apps created without any time passing still have increasing times of creation."""
    times = [api.create(name=f"a{i}").status.created_at.ToNanoseconds() for i in range(5)]
    assert times == sorted(set(times))
