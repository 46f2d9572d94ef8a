"""Create: rows CR-1 to CR-5; CR-6 is in hosts.py.

Apps are stopped where the row allows, so that nothing but the check changes them. A check that sends several invalid
requests puts them into one `unchanged`.
"""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.standard import hosts
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.model import apps
from flyteapps_contract.session import (
    ACTIVE,
    RUN,
    STARTED,
    STOP,
    STOPPED,
    UNASSIGNED,
    UNSPECIFIED,
    Session,
    copy,
    preparing,
    status_name,
    statuses,
)

RUNNING = (RUN, STARTED, UNSPECIFIED)
"""The desired states that mean "run"."""
LONG_AGO = 86400
"""Seconds of a time that no plane has now."""


# ---- CR-1


@check("CR-1")
def a_new_app_is_stored_at_revision_1(s: Session) -> None:
    """A new app is returned with revision 1, whatever revision was sent, and is stored as it was returned."""
    for sent in (0, 1, 7):
        app = s.app(state=STOP)
        app.metadata.revision = sent
        made = s.create(app)
        expect_equal(made.metadata.revision, 1, f"the revision of a new app, sent with revision {sent}")
        expect_equal(s.get(made.metadata.id), made, "Get of the new app")


@check("CR-1")
def a_new_app_has_the_metadata_that_was_sent(s: Session) -> None:
    """A new app has the id, labels, code_bundle_uri and source_code that were sent."""
    other = s.given_stopped()
    app = s.app(state=STOP, labels={"team": "a", "empty": "", "flyteapps.example/Key": "ü"})
    app.metadata.code_bundle_uri = "s3://bucket/bundle.tar.gz"
    apps.fill(app.metadata.source_code, 0)
    made = s.create(app)
    expected = apps.created(app, other.metadata.id.org, other.spec.creator).metadata
    expect_equal(made.metadata, expected, "the metadata in the response of Create")
    expect_equal(s.get(made.metadata.id).metadata, expected, "the metadata in Get")


@check("CR-1")
def the_status_of_a_new_app_is_the_planes(s: Session) -> None:
    """Nothing of the status that a client sends into Create is taken over."""
    honest = s.given_stopped()
    app = s.app(state=STOP)
    _lie(app)
    made = s.create(app)
    for where, answer in (("the response of Create", made), ("Get", s.get(made.metadata.id))):
        expect_equal(statuses(answer), statuses(honest), f"the conditions in {where}, beside those of another new app")
        _expect_no_lie(answer, where)
        for field in ("current_replicas", "assigned_cluster", "materialized_inputs", "k8s_metadata", "last_started_at"):
            value, unset = getattr(answer.status, field), getattr(model.Status(), field)
            expect_equal(value, unset, f"status.{field} of an app that never ran, in {where}")


@check("CR-1")
def the_status_of_a_new_running_app_is_the_planes(s: Session) -> None:
    """Nothing of the status that a client sends into Create is taken over where the app should run, either."""
    app = s.app()
    _lie(app)
    _expect_no_lie(s.create(app), "the response of Create")
    _expect_no_lie(s.get(app.metadata.id), "Get")


def _lie(app: model.App) -> None:
    """Give the app a status that is valid, and untrue in every field."""
    apps.fill(app.status, 0)
    app.status.ingress.public_url = app.status.ingress.cname_url = app.status.ingress.vpc_url = "https://lie.invalid"
    for each in (app.status.created_at, app.status.last_updated_at, app.status.last_started_at):
        each.seconds = LONG_AGO
    app.status.lease_expiration.seconds = LONG_AGO
    for condition in app.status.conditions:
        condition.message = "a lie"


def _expect_no_lie(app: model.App, where: str) -> None:
    sent = model.App()
    _lie(sent)
    for field, reported in sent.status.ListFields():
        if field.name not in ("ingress", "conditions"):
            expect(
                getattr(app.status, field.name) != reported, f"status.{field.name} in {where} is what the client sent"
            )
    for field in ("created_at", "last_updated_at"):
        expect(app.status.HasField(field), f"status.{field} in {where} is missing")
    for url in (app.status.ingress.public_url, app.status.ingress.cname_url, app.status.ingress.vpc_url):
        expect("lie.invalid" not in url, f"status.ingress in {where} is what the client sent: {url}")
    reported = [condition for condition in app.status.conditions if condition.message == "a lie"]
    expect(not reported, f"the conditions in {where} hold one that the client sent")


# ---- CR-2


@check("CR-2")
def an_id_that_exists_is_already_exists(s: Session) -> None:
    """Creating an id that exists is ALREADY_EXISTS, and the stored app stays as it was."""
    app = s.given_stopped(labels={"a": "b"})
    others = [s.app(app.metadata.id.name, image="other:1"), s.app(app.metadata.id.name, labels={"c": "d"}), copy(app)]
    others[2].metadata.revision = 0
    with s.unchanged(app):
        for again in (*others, app):
            with expect_refusal("ALREADY_EXISTS", "Create of an existing id"):
                s.create(again)


@check("CR-2")
def an_id_that_exists_since_an_update_is_already_exists(s: Session) -> None:
    """Creating an id whose app has been updated since is ALREADY_EXISTS, and the update stays."""
    first = s.given_stopped()
    changed = copy(first)
    changed.spec.container.image = "img:2"
    changed = s.given_update(changed)
    with s.unchanged(changed), expect_refusal("ALREADY_EXISTS", "Create of an existing id"):
        s.create(s.app(first.metadata.id.name, state=STOP))


@check("CR-2", needs=("cluster",))
def an_active_id_is_already_exists(s: Session) -> None:
    """Creating the id of an active app is ALREADY_EXISTS, and the app stays active as it was."""
    app = s.given_active()
    with s.unchanged(app):
        for state in (RUN, STOP):
            with expect_refusal("ALREADY_EXISTS", "Create of an active app's id"):
                s.create(s.app(app.metadata.id.name, image="other:1", state=state))


# ---- CR-3


@check("CR-3")
def a_spec_comes_back_as_it_was_sent(s: Session) -> None:
    """A spec with every field set comes back as it was sent, from Create and from Get."""
    for choice in range(3):
        app = s.app(state=STOP)
        apps.fill(app.spec, choice)
        app.spec.desired_state = STOP
        app.spec.ingress.subdomain, app.spec.ingress.cname = s.name(), f"{s.name()}.example.com"
        made = s.create(app)
        if s.capabilities.authenticated:  # the caller is the creator there: AU-7
            app.spec.creator.CopyFrom(made.spec.creator)
        expect_equal(made.spec, app.spec, "the spec in the response of Create")
        expect_equal(s.get(made.metadata.id).spec, app.spec, "the spec in Get")


@check("CR-3")
def no_default_is_written_into_a_spec(s: Session) -> None:
    """A spec that leaves things out gets an ingress and a creator and nothing else; what is set but empty stays."""
    other = s.given_stopped()
    bare = s.app(state=STOP)
    hollow = copy(bare)
    hollow.metadata.id.name = s.name()
    for field in ("autoscaling", "images", "security_context", "extended_resources", "runtime_metadata", "profile"):
        getattr(hollow.spec, field).SetInParent()
    for field in ("inputs", "timeouts", "ingress"):
        getattr(hollow.spec, field).SetInParent()
    hollow.spec.container.resources.SetInParent()
    for app in (bare, hollow):
        expected = apps.created(app, other.metadata.id.org, other.spec.creator)
        for answer in (s.given(app), s.get(app.metadata.id)):
            expect_equal(answer.spec, apps.settled(expected, answer).spec, "the spec of a new app")


@check("CR-3")
def a_desired_state_comes_back_as_it_was_sent(s: Session) -> None:
    """Each desired state comes back as it was sent, UNSPECIFIED and STARTED, too."""
    for state in (*RUNNING, STOP):
        made = s.given(s.app(state=state))
        expect_equal(made.spec.desired_state, state, "the desired state in the response of Create")
        expect_equal(s.get(made.metadata.id).spec.desired_state, state, "the desired state in Get")


@check("CR-3")
def an_absent_ingress_is_filled(s: Session) -> None:
    """If the ingress is absent or the default message, the stored one has a subdomain and nothing else."""
    absent, default = s.app(state=STOP), s.app(state=STOP)
    default.spec.ingress.SetInParent()
    for app in (absent, default):
        for answer in (s.given(app), s.get(app.metadata.id)):
            subdomain = answer.spec.ingress.subdomain
            expect(subdomain, "an app without an ingress got no subdomain")
            expect_equal(answer.spec.ingress, model.IngressConfig(subdomain=subdomain), "the ingress that was filled")


@check("CR-3")
def a_set_ingress_is_stored_as_sent(s: Session) -> None:
    """An ingress with any field set is stored as sent; a generated host shows in status.ingress.public_url alone."""
    for ingress in (
        model.IngressConfig(private=True),
        model.IngressConfig(cname=f"{s.name()}.example.com"),
        model.IngressConfig(subdomain=s.name()),
        model.IngressConfig(private=True, cname=f"{s.name()}.example.com", subdomain=s.name()),
    ):
        app = s.app(state=STOP)
        app.spec.ingress.CopyFrom(ingress)
        for answer in (s.given(app), s.get(app.metadata.id)):
            expect_equal(answer.spec.ingress, ingress, "an ingress that was sent")
            label = hosts.label(answer)
            expect(label, "status.ingress.public_url has no subdomain")
            expect_equal(label, ingress.subdomain or label, "the subdomain in status.ingress.public_url")


@check("CR-3")
def a_creator_is_the_caller_unless_sent(s: Session) -> None:
    """An absent creator becomes the caller, the same for each of its apps; one that was sent stays, AU-7 apart."""
    first, second = s.given(s.app(state=STOP)), s.given(s.app(state=STOP))
    principal = first.spec.creator.WhichOneof("principal")
    expect(principal, "an app that was sent without a creator has none")
    expect(getattr(first.spec.creator, str(principal)).id.subject, "the creator of an app has no subject")
    expect_equal(second.spec.creator, first.spec.creator, "the creator of the same caller's second app")
    for choice in () if s.capabilities.authenticated else (0, 1):
        app = s.app(state=STOP)
        apps.fill(app.spec.creator, choice)
        for answer in (s.given(app), s.get(app.metadata.id)):
            expect_equal(answer.spec.creator, app.spec.creator, "a creator that was sent")


# ---- CR-4


@check("CR-4")
def an_app_that_should_run_begins_unassigned(s: Session) -> None:
    """The first condition of an app that should run is UNASSIGNED, whichever of the three states says so."""
    for state in RUNNING:
        made = s.given(s.app(state=state))
        for where, answer in (("the response of Create", made), ("Get", s.get(made.metadata.id))):
            expect_equal(statuses(answer)[:1], ["UNASSIGNED"], f"the first condition in {where}")


@check("CR-4")
def a_stopped_app_begins_stopped(s: Session) -> None:
    """The only condition of an app that was created as stopped is STOPPED."""
    made = s.given(s.app(state=STOP))
    for where, answer in (("the response of Create", made), ("Get", s.get(made.metadata.id))):
        expect_equal(statuses(answer), ["STOPPED"], f"the conditions in {where}")


@check("CR-4")
def a_first_start_is_not_unassigned(s: Session) -> None:
    """Starting an app that was created as stopped shows neither UNASSIGNED nor STOPPED."""
    for state in RUNNING:
        app = s.given_stopped()
        watcher = s.watch(app_id=app.metadata.id)
        wanted = copy(app)
        wanted.spec.desired_state = state  # type: ignore[assignment]  # an enum value of protobuf is a plain int
        _expect_no_return(app, s.given_update(wanted), "the response of the Update that starts it")
        with preparing("watching the start"):
            seen = watcher.until(lambda seen: seen.app.spec.desired_state != STOP, "the event of the update")[-1]
        _expect_no_return(app, seen.app, "the event of the Update that starts it")
        _expect_no_return(app, s.get(app.metadata.id), "Get after it was started")


@check("CR-4", needs=("cluster",))
def a_restart_is_neither_unassigned_nor_stopped(s: Session) -> None:
    """From a restart, or from a new revision of an active app, to ACTIVE nothing shows UNASSIGNED or STOPPED."""
    app = s.given_active()
    stopped = copy(app)
    stopped.spec.desired_state = STOP
    s.given_update(stopped)
    before = s.given_rest(app.metadata.id, STOPPED)
    for image in ("img:2", "img:3"):
        wanted = copy(before)
        wanted.spec.desired_state, wanted.spec.container.image = RUN, image
        watcher = s.watch(app_id=app.metadata.id)
        s.given_update(wanted)
        after = s.given_rest(app.metadata.id, ACTIVE)
        with preparing("watching the restart"):
            events = watcher.until(lambda seen: seen.app == after, "the app's last event")  # noqa: B023  # used at once
        for seen in events[1:]:  # the first is the snapshot
            _expect_no_return(before, seen.app, "an event of the restart")
        before = after


def _expect_no_return(before: model.App, after: model.App, where: str) -> None:
    """Neither state among the conditions that came since `before`, nor one left as the last."""
    added = after.status.conditions[len(before.status.conditions) :] or after.status.conditions[-1:]
    for condition in added:
        status = condition.deployment_status
        expect(status not in (UNASSIGNED, STOPPED), f"{where} shows {status_name(status)}")


# ---- CR-5


@check("CR-5")
def a_deleted_id_starts_over(s: Session) -> None:
    """A deleted id can be created again, at revision 1, also more than once."""
    app = s.given_stopped()
    for image in ("img:2", "img:3"):
        changed = copy(app)
        changed.spec.container.image = image
        s.given_deleted(s.given_update(changed))
        app = s.create(s.app(app.metadata.id.name, state=STOP))
        expect_equal(app.metadata.revision, 1, "the revision of a re-created app")
        expect_equal(s.get(app.metadata.id), app, "Get of the re-created app")


@check("CR-5")
def a_created_again_app_has_nothing_of_the_old(s: Session) -> None:
    """An app that is created again has nothing of the deleted one."""
    first = s.app(state=STOP, image="old:1", labels={"old": "yes"})
    first.metadata.code_bundle_uri = "s3://old"
    apps.fill(first.spec.creator, 0)
    old = s.given(first)
    s.given_deleted(old)
    fresh = s.given_stopped()
    new = s.create(s.app(first.metadata.id.name, state=STOP))
    for where, answer in (("the response of Create", new), ("Get", s.get(new.metadata.id))):
        expected = copy(fresh)
        expected.metadata.id.name = first.metadata.id.name
        expected.spec.ingress.subdomain = answer.spec.ingress.subdomain
        expect_equal(answer.metadata, expected.metadata, f"the metadata of a re-created app in {where}")
        expect_equal(answer.spec, expected.spec, f"the spec of a re-created app in {where}")
        expect_equal(statuses(answer), statuses(fresh), f"the conditions of a re-created app in {where}")
        created = answer.status.created_at.ToNanoseconds()
        expect(created > old.status.created_at.ToNanoseconds(), "created_at of the re-created app is the old one's")


@check("CR-5", needs=("cluster",))
def a_created_again_app_has_never_run(s: Session) -> None:
    """An app that ran, was deleted and is created again starts with its first condition and has never run."""
    app, fresh, running = s.given_active(), s.given_stopped(), s.given()
    s.given_deleted(app)
    new = s.create(s.app(app.metadata.id.name, state=STOP))
    expect_equal(statuses(new), statuses(fresh), "the conditions of the re-created app")
    expect_equal(new.status.last_assigned_cluster, "", "last_assigned_cluster of the re-created app")
    expect(not new.status.HasField("last_started_at"), "the re-created app has a last_started_at")
    s.given_deleted(new)
    again = s.create(s.app(app.metadata.id.name))
    expect_equal(statuses(again)[:1], statuses(running)[:1], "the first condition of the app created again")
