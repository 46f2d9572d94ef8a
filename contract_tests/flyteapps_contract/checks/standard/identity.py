"""Identity: rows ID-1 and ID-4; ID-2 is in validation.py.

The plane's own org is what an app shows that was created without one; other orgs are made from it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.auth import identity_pb2 as auth
from flyteidl2.common import identifier_pb2, identity_pb2

from flyteapps_contract.checks.support.answers import all_apps, first_of, if_offered, no_refusal, or_not_found, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import NotOffered, Refused, StreamEnded, Unjudged
from flyteapps_contract.session import ACTIVE, FAILED, SERVICE, STOP, STOPPED, Session, copy, preparing
from flyteapps_contract.targets.target import CALL_SECONDS

IDENTITY = "flyteidl2.auth.IdentityService"


# ---- ID-1: one app for each (org, project, domain, name)


@check("ID-1")
def names_in_another_case_are_other_apps(s: Session) -> None:
    """Two names that differ only in case are two apps."""
    name = s.name("-a")
    _are_two_apps(s, s.id(name), s.id(name[:-1] + "A"))


@check("ID-1", needs=("projects",))
def projects_and_domains_tell_apps_apart(s: Session) -> None:
    """The same name in another project or domain is another app, also where these differ only in case."""
    name = s.name()
    _are_two_apps(s, s.id(name), s.id(name, project=s.project + "-b"))
    _are_two_apps(s, s.id(name), s.id(name, project=s.project.upper()))
    _are_two_apps(s, s.id(name), s.id(name, domain="production"))
    _are_two_apps(s, s.id(name), s.id(name, domain=s.domain.upper()))


@check("ID-1", needs=("projects",))
def the_parts_of_an_id_do_not_run_together(s: Session) -> None:
    """Ids whose parts give the same text when joined by hyphens are different apps."""
    name = s.name()
    _are_two_apps(s, s.id(name, project="b-" + s.project), s.id(name + "-b"))
    _are_two_apps(s, s.id(name, domain="b-" + s.domain), s.id(name, project=s.project + "-b"))


def _are_two_apps(s: Session, one: model.Identifier, other: model.Identifier) -> None:
    both = f"{one.project}/{one.domain}/{one.name} and {other.project}/{other.domain}/{other.name}"
    first = s.given(stopped(s, one))
    with no_refusal(f"creating both {both}"):
        second = s.create(stopped(s, other, image="img:2"))
        expect_equal(s.get(one), first, f"the first app, after creating both {both}")
        expect_equal(s.get(other), second, f"the other app, after creating both {both}")
    s.given_deleted(first)
    with expect_refusal("NOT_FOUND", f"Get of the first, which was deleted, of {both}"):
        s.get(one)
    with no_refusal(f"Get of the other, which was not deleted, of {both}"):
        expect_equal(s.get(other), second, f"the app that was not deleted, of {both}")
    s.given_deleted(second)


# ---- ID-1: the plane's own org


@check("ID-1")
def a_returned_app_carries_an_org(s: Session) -> None:
    """An app that was created without an org comes back with the plane's own, from every call and event."""
    bare = stopped(s, s.id(org=""))
    created = s.given(bare)
    org = created.metadata.id.org
    expect(org, "an app created without an org came back without one")
    if s.capabilities.org:
        expect_equal(org, s.capabilities.org, "the org of an app created without one")
    changed = stopped(s, bare.metadata.id, image="img:2")
    with preparing("changing, reading and deleting the app"):
        watcher = s.watch(app_id=created.metadata.id)
        snapshot = watcher.next("the app in the snapshot")
        returned = [("CreateEvent", snapshot.app), ("Update", s.update(changed)), ("Get", s.get(created.metadata.id))]
        returned += [("List", app) for app in all_apps(s) if app.metadata.id.name == bare.metadata.id.name]
        s.delete(created.metadata.id)
        for event in watcher.until(lambda seen: seen.kind == "delete", "the deletion"):
            returned.append((f"a {event.kind} event", event.app))
            returned += [("old_app of an UpdateEvent", event.old)] if event.old else []
    for where, app in returned:
        expect_equal(app.metadata.id.org, org, f"the org of the app in {where}")


@check("ID-1")
def an_empty_org_in_an_id_is_the_planes_own(s: Session) -> None:
    """Get, Update, Watch and Delete find an app by an id without an org, as by one with the plane's own."""
    app = s.given_stopped()
    own, bare = app.metadata.id, _with_org(app.metadata.id, "")
    with no_refusal("an id with an empty org, or the plane's own"):
        for app_id in (bare, own):
            expect_equal(s.get(app_id), app, "Get by an id with an empty org, or the plane's own")
            seen = s.watch(app_id=app_id).next("the app, watched by an id")
            expect_equal(seen.app, app, "Watch by an id with an empty org, or the plane's own")
            updated = s.update(stopped(s, app_id, image=f"img-{app_id.org}:2"))
            expect_equal(updated.metadata.id, own, "the id after an Update by one with an empty org")
            app = updated
        s.delete(bare)
    with expect_refusal("NOT_FOUND", "Get of an app that was deleted by an id with an empty org"):
        s.get(own)


@check("ID-1")
def an_empty_org_in_a_scope_is_the_planes_own(s: Session) -> None:
    """List and Watch take a scope without an org, and no scope at all, as the plane's own org."""
    app = s.given_stopped()
    place = {"name": s.project, "domain": s.domain}
    own = app.metadata.id.org
    for scope in (
        {"project": identifier_pb2.ProjectIdentifier(**place)},
        {"project": identifier_pb2.ProjectIdentifier(organization=own, **place)},
        {"org": ""},
        {"org": own},
        {"org": None},  # None sets nothing: no scope at all
    ):
        _shows(s, app, scope)


@check("ID-1", needs=("cluster",))
def an_empty_org_of_a_cluster_is_the_planes_own(s: Session) -> None:
    """List and Watch take a cluster without an org as one of the plane's own."""
    app = s.given_active()
    name, own = app.status.assigned_cluster, app.metadata.id.org
    if not name:
        raise Unjudged("an active app shows no assigned_cluster")
    for org in (own, ""):
        _shows(s, app, {"cluster_id": identifier_pb2.ClusterIdentifier(organization=org, name=name)})


@check("ID-1")
def of_another_org_nothing_is_found(s: Session) -> None:
    """Named another org, also the own one in another case, reads find nothing, Update and Delete are NOT_FOUND."""
    app = s.given_stopped()
    own = app.metadata.id.org
    watchers = [s.watch(app_id=app.metadata.id)]
    for org in _others(own):
        app_id = _with_org(app.metadata.id, org)
        project = identifier_pb2.ProjectIdentifier(organization=org, name=s.project, domain=s.domain)
        with s.unchanged(app):
            for what, call in (
                ("Get", lambda app_id=app_id: s.get(app_id)),
                ("Update", lambda app_id=app_id: s.update(stopped(s, app_id, image="img:2"))),
                (
                    "Delete",
                    lambda app_id=app_id: s.delete(app_id),
                ),
            ):
                with expect_refusal("NOT_FOUND", f"{what} of an app in org {org!r} on a plane of org {own!r}"):
                    call()
        cluster = identifier_pb2.ClusterIdentifier(organization=org, name="any")
        scopes: tuple[dict[str, Any], ...] = ({"org": org}, {"project": project}, {"cluster_id": cluster})
        for scope in scopes:
            with or_not_found():
                page = s.list(**scope)
                expect(not page.apps, f"List of {scope} on a plane of org {own!r} should be empty")
        watchers += [s.watch(**scope) for scope in (*scopes, {"app_id": app_id})]
    s.given_update(stopped(s, app.metadata.id, image="img:3"))
    for watcher in watchers[:1]:
        watcher.until(lambda seen: seen.kind == "update", "the update, in the plane's own org")
    for watcher in watchers[1:]:
        with or_not_found(), contextlib.suppress(StreamEnded):
            expect(watcher.poll() is None, "a Watch of another org should see nothing, but saw an app")


@check("ID-1")
def a_create_in_another_org_says_what_to_do(s: Session) -> None:
    """Create in another org is NOT_FOUND, says which org the plane serves and what to do, and changes nothing."""
    own = s.given_stopped().metadata.id.org
    for org in _others(own):
        app = stopped(s, s.id(org=org))
        with (
            s.unchanged(absent=[_with_org(app.metadata.id, own), app.metadata.id]),
            expect_refusal("NOT_FOUND", f"Create in org {org!r} on a plane of org {own!r}") as refusal,
        ):
            s.create(app)
        _says_which_org(refusal.message, own)


@check("ID-1")
def a_lease_in_another_org_says_what_to_do(s: Session) -> None:
    """Lease by a cluster of another org is NOT_FOUND, and says which org the plane serves and what to do."""
    own = s.given_stopped().metadata.id.org
    cluster = identifier_pb2.ClusterIdentifier(organization=_others(own)[0], name=s.name())
    with expect_refusal("NOT_FOUND", "Lease by a cluster of another org") as refusal, if_offered("Lease"):
        first_of(s, SERVICE, "Lease", rpc.LeaseRequest(id=cluster), rpc.LeaseResponse)
    _says_which_org(refusal.message, own)


@check("ID-1", needs=("fresh",))
def the_first_org_named_is_the_planes_own(s: Session) -> None:
    """Without a configured org, the first that any request names before the first app is stored is the plane's."""
    for what, call in _NAMING.items():
        with _nameless_plane(s) as plane:
            with preparing("List without a scope"):
                plane.list(org=None)
            for org in ("acme", "later"):
                with contextlib.suppress(Refused):
                    call(plane, org)
            app = plane.given(stopped(plane, plane.id(org="")))
            expect_equal(app.metadata.id.org, "acme", f"the plane's org after {what} of org acme, then of org later")


@check("ID-1", needs=("fresh",))
def the_first_apps_org_is_the_planes_own(s: Session) -> None:
    """Without an org configured or named, it is the first app's, "flyte" if that names none; for good."""
    for named, org in (("acme", "acme"), ("", "flyte")):
        with _nameless_plane(s) as plane:
            app = plane.given(stopped(plane, plane.id(org=named)))
            expect_equal(app.metadata.id.org, org, f"the plane's org after a first app of org {named!r}")
            with expect_refusal("NOT_FOUND", f"Get of org 'later' on a plane of org {org!r}"):
                plane.get(_with_org(app.metadata.id, "later"))
            with expect_refusal("NOT_FOUND", f"Create in org 'later' on a plane of org {org!r}"):
                plane.create(stopped(plane, plane.id(org="later")))
            again = plane.given(stopped(plane, plane.id(org="")))
            expect_equal(again.metadata.id.org, org, "the plane's org after a request of org 'later'")


_NAMING: dict[str, Callable[[Session, str], object]] = {
    "Get": lambda s, org: s.get(s.id(org=org)),
    "Delete": lambda s, org: s.delete(s.id(org=org)),
    "List by org": lambda s, org: s.list(org=org),
    "List by project": lambda s, org: s.list(
        project=identifier_pb2.ProjectIdentifier(organization=org, name=s.project, domain=s.domain)
    ),
    "List by cluster": lambda s, org: s.list(cluster_id=identifier_pb2.ClusterIdentifier(organization=org, name="any")),
}


@contextlib.contextmanager
def _nameless_plane(s: Session) -> Generator[Session]:
    if s.capabilities.org:
        raise NotOffered(f"the target's planes are configured with org {s.capabilities.org}")
    with Session(s.plane.another(), s.run) as plane:
        yield plane


def _shows(s: Session, app: model.App, scope: dict[str, Any]) -> None:
    """Broken unless List and Watch of the scope show the app; other apps may be there, too."""
    name = app.metadata.id.name
    with no_refusal(f"List and Watch of {scope}"):
        found = any(each.metadata.id.name == name for each in all_apps(s, **scope))
        expect(found, f"List of {scope} should show an app of the plane's own org")
        s.watch(**scope).until(lambda seen: seen.name == name, f"an app of the plane's own org, watching {scope}")


def _others(own: str) -> list[str]:
    """Orgs that are not the plane's own."""
    return [org for org in (own + "-other", own.swapcase()) if org != own]


def _says_which_org(message: str, own: str) -> None:
    expect(message.startswith("this plane serves org "), f'should begin with "this plane serves org": {message}')
    expect(own in message, f"should name the plane's org {own}: {message}")
    expect("--org" in message or "reset" in message, f"should say what to do (--org, or reset): {message}")


# ---- ID-4: an app that came back can be sent back


@check("ID-4")
def a_returned_app_is_valid_for_update(s: Session) -> None:
    """Each app that a call or an event returns is valid input for Update, status included."""
    created = s.given_stopped(labels={"a": "b"})
    app_id = created.metadata.id
    with preparing("changing and reading the app"):
        watcher = s.watch(app_id=app_id)
        watcher.next("the app in the snapshot")
        updated = s.update(stopped(s, app_id, image="img:2"), "a change")  # an app that was not returned
        returned = [("Create", created), ("Update", updated), ("Get", s.get(app_id))]
        returned += _listed(s, app_id)
    for where, app in returned:
        _is_valid(s, app, where)
    with preparing("watching the app go"):
        s.delete(app_id)
        watcher.until(lambda seen: seen.kind == "delete", "the deletion")
    for event in watcher.seen:
        _is_valid(s, event.app, f"a {event.kind} event")
        if event.old is not None:
            _is_valid(s, event.old, "old_app of an update event")


@check("ID-4", needs=("cluster",))
def an_app_that_ran_is_valid_for_update(s: Session) -> None:
    """An app is valid input for Update in each state that events show, on its way to active and to stopped."""
    app = s.app()
    with preparing("watching the app"):
        watcher = s.watch(app_id=app.metadata.id)
        s.create(app)
        s.given_rest(app.metadata.id, ACTIVE)
        s.update(stopped(s, app.metadata.id))  # an app that was not returned
        last = s.given_rest(app.metadata.id, STOPPED)
        watcher.until(lambda seen: seen.app == last, "the stopped app")
    for event in watcher.seen:
        _is_valid(s, event.app, f"a {event.kind} event")


@check("ID-4", needs=("failing",))
def an_app_that_failed_is_valid_for_update(s: Session) -> None:
    """An app that failed to deploy is valid input for Update."""
    app = s.given(s.app(labels=s.capabilities.failing))
    _is_valid(s, s.given_rest(app.metadata.id, FAILED), "Get of a failed app")


@check("ID-4")
def a_creator_that_was_given_is_valid_for_update(s: Session) -> None:
    """An app whose creator the client gave, a user or an application, comes back valid for Update."""
    user = identity_pb2.User(id={"subject": "someone"}, spec={"first_name": "Some"})
    application = identity_pb2.Application(id={"subject": "something"}, spec={"name": "thing"})
    for creator in (identity_pb2.EnrichedIdentity(user=user), identity_pb2.EnrichedIdentity(application=application)):
        app = s.app(state=STOP)
        app.spec.creator.CopyFrom(creator)
        created = s.given(app)
        with preparing("List"):
            listed = _listed(s, created.metadata.id)
        for where, each in (("Create", created), *listed):
            _is_valid(s, each, f"{where}, with a creator that is a {creator.WhichOneof('principal')}")


@check("ID-4", needs=("http",))
def the_creator_is_who_the_identity_service_says(s: Session) -> None:
    """The creator and actor that the plane fills in is the subject that IdentityService.UserInfo gives."""
    app = s.given_stopped()
    with if_offered("IdentityService.UserInfo"):
        info = s.plane.link.unary(IDENTITY, "UserInfo", auth.UserInfoRequest(), auth.UserInfoResponse, CALL_SECONDS)
    assert isinstance(info, auth.UserInfoResponse)
    expect_equal(_subject(app.spec.creator), info.subject, "the subject of the creator, as UserInfo gives it")
    for condition in app.status.conditions:
        if condition.HasField("actor"):
            expect_equal(_subject(condition.actor), info.subject, "the subject of a condition's actor")


def _is_valid(s: Session, app: model.App, where: str) -> None:
    """Broken if the app lacks a creator, has half an actor, or an Update to something else calls it invalid."""
    expect(_subject(app.spec.creator), f"the app in {where} has no creator")
    for condition in app.status.conditions:
        whole = not condition.HasField("actor") or _subject(condition.actor)
        expect(whole, f"the app in {where} has a condition whose actor is incomplete: {condition}")
    sent = copy(app)
    sent.metadata.revision = 0  # whatever is there, so that it is taken or refused for what it holds
    sent.spec.container.image = f"img:{s.run.number()}"
    try:
        s.update(sent, "sent back")
    except Refused as error:
        # It may have been deleted; that says nothing of what was sent.
        expect(error.code == "NOT_FOUND", f"the app in {where}, sent back by Update: {error}")


def _subject(identity: identity_pb2.EnrichedIdentity) -> str:
    return identity.user.id.subject or identity.application.id.subject


def _listed(s: Session, app_id: model.Identifier) -> list[tuple[str, model.App]]:
    """Return the app as List gives it, with and without what enriches identities; others' apps are left alone."""
    plain = [("List", app) for app in all_apps(s)]
    bare = [("List with disable_identity_enrichment", app) for app in all_apps(s, disable_identity_enrichment=True)]
    return [(where, app) for where, app in plain + bare if app.metadata.id == app_id]


def _with_org(app_id: model.Identifier, org: str) -> model.Identifier:
    return model.Identifier(org=org, project=app_id.project, domain=app_id.domain, name=app_id.name)
