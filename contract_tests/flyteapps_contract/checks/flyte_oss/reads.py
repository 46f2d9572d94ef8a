"""Get and its cache, and List, in flyte-oss: rows OSS-12 to OSS-15, OSS-21 and OSS-22."""

from __future__ import annotations

from collections.abc import Iterable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.support.oss import changed, next_of, resource, rests, shown, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Broken, Refused
from flyteapps_contract.session import Session, copy, statuses

KEPT = 30.0
"""Seconds that Get answers the same."""
MARGIN = 1.0


@check("OSS-12")
def get_gives_no_revision_and_no_labels(s: Session) -> None:
    """Get gives the spec as it was sent, and neither the revision nor the labels that were."""
    app = s.app(labels={"a": "b"})
    app.metadata.revision = 7
    app.spec.ingress.private = True
    app.metadata.id.org = "mine"
    s.create(app)
    found = s.get(app.metadata.id)
    expect_equal(found.metadata, model.Meta(id=app.metadata.id), "the metadata that Get gives")
    expect_equal(found.spec, app.spec, "the spec that Get gives")


@check("OSS-12")
def get_of_an_absent_app_names_the_resource(s: Session) -> None:
    """Get of an absent app is NOT_FOUND, in the words of the cluster."""
    app_id = s.id()
    name = resource(app_id)
    text = f'KService {name} not found: services.serving.knative.dev "{name}" not found'
    with expect_refusal("NOT_FOUND", "Get of an absent app", opening=text):
        s.get(app_id)


@check("OSS-13")
def get_by_ingress_is_invalid(s: Session) -> None:
    """Get by the URL of an app that exists is INVALID_ARGUMENT."""
    url = s.given().status.ingress.public_url
    for ingress in ({"public_url": url}, {"cname_url": "https://x.example"}, {}):
        with expect_refusal("INVALID_ARGUMENT", f"Get by {ingress}", opening="app_id is required"):
            s.get_by_ingress(**ingress)


@check("OSS-14", needs=("cluster",))
def get_answers_from_a_cache(s: Session) -> None:
    """After the cluster has reported something, Get still gives what it gave before."""
    app = s.given()
    watcher = s.watch(app_id=app.metadata.id)
    first = s.get(app.metadata.id)
    while next_of(s, watcher, "a report of the cluster").app.status.conditions == first.status.conditions:
        pass
    expect_equal(s.get(app.metadata.id), first, "what Get gives after a report of the cluster")


@check("OSS-14", needs=("cluster", "clock"))
def get_forgets_after_30_seconds(s: Session) -> None:
    """Shortly before 30 s have passed Get gives what it gave, and shortly after what is there now."""
    app = s.given()
    first = s.get(app.metadata.id)
    s.advance(KEPT - MARGIN)
    expect_equal(s.get(app.metadata.id), first, "what Get gives before 30 s have passed")
    s.advance(2 * MARGIN)
    found = s.get(app.metadata.id)
    expect(rests(found), f"after 30 s Get should give an active app, not {statuses(found)}")
    expect_equal(found, shown(s, app.metadata.id), "what Get gives after 30 s")


@check("OSS-14")
def an_absent_app_is_not_remembered(s: Session) -> None:
    """Get of an app right after its creation finds it, also where it was just not there."""
    app = s.app()
    with expect_refusal("NOT_FOUND", "Get of an absent app"):
        s.get(app.metadata.id)
    s.create(app)
    expect_equal(s.get(app.metadata.id).spec, app.spec, "the spec of an app that was just created")


@check("OSS-15")
def a_write_has_get_forget(s: Session) -> None:
    """Get after Create, Update, a stop or a deletion gives what that write left."""
    app = s.given_active()
    s.get(app.metadata.id)
    for write, image in ((s.create, "img:2"), (s.update, "img:3")):
        write(changed(app, image))
        expect_equal(s.get(app.metadata.id).spec.container.image, image, "the image after a write")
    stopped(s, s.get(app.metadata.id))
    expect_equal(statuses(s.get(app.metadata.id)), ["STOPPED"], "the conditions after a stop")
    s.create(changed(app, "img:3"))
    expect("STOPPED" not in statuses(s.get(app.metadata.id)), "Get after a restart should not give a stopped app")
    s.delete(app.metadata.id)
    with expect_refusal("NOT_FOUND", "Get of an app that was deleted"):
        s.get(app.metadata.id)


@check("OSS-15")
def a_write_has_get_forget_its_own_id_alone(s: Session) -> None:
    """An app that was deleted under a name in another case can still be got, and is not listed."""
    app = s.given_active()
    other = copy(app).metadata.id
    other.name = other.name.upper()
    first = s.get(app.metadata.id)
    s.delete(other)
    try:
        expect_equal(s.get(app.metadata.id), first, "what Get gives of an app deleted under another case")
    except Refused as error:
        raise Broken(f"Get of an app deleted under another case should give what it gave: {error}") from error
    s.delete(app.metadata.id)
    with expect_refusal("NOT_FOUND", "Get after a deletion under its own name"):
        s.get(app.metadata.id)


def _given(s: Session, *names: str, project: str = "") -> list[str]:
    """Return the names of apps that were created in that order."""
    made = [s.app(s.name(f"-{name}")) for name in names]
    for app in made:
        if project:
            app.metadata.id.project = project
        s.create(app)
    return [app.metadata.id.name for app in made]


def _own(s: Session, apps: Iterable[model.App]) -> list[str]:
    return [app.metadata.id.name for app in apps if app.metadata.id.name.startswith(s.run.prefix)]


@check("OSS-21")
def lists_of_an_org_or_a_cluster_are_not_there(s: Session) -> None:
    """List by org or by cluster is UNIMPLEMENTED."""
    opening = "org and cluster_id filters are not supported by the data plane"
    with expect_refusal("UNIMPLEMENTED", "List by org", opening=opening):
        s.list(org=s.run.org or "flyte")
    with expect_refusal("UNIMPLEMENTED", "List by cluster", opening=opening):
        s.list(cluster_id=s.cluster("c"))


@check("OSS-21")
def the_organization_of_a_project_does_not_count(s: Session) -> None:
    """List of a project gives the same apps under any organization."""
    [name] = _given(s, "a")
    scope = s.scope()
    scope.organization = "elsewhere"
    expect(name in s.names(project=scope), "an app should be listed under another organization")


@check("OSS-21", needs=("projects",))
def a_project_has_its_own_apps(s: Session) -> None:
    """List of a project gives its apps alone; of one without apps it gives none."""
    names = _given(s, "a")
    _given(s, "b", project=f"{s.project}-other")
    expect_equal(s.names(), names, "the apps of the project")
    expect_equal(s.names(project=s.scope(f"{s.project}-none")), [], "the apps of a project without any")


@check("OSS-21")
def other_lists_give_every_app(s: Session) -> None:
    """List without a scope, and by artifact, gives the apps of all projects."""
    names = sorted(_given(s, "a") + (_given(s, "b", project=f"{s.project}-other") if s.capabilities.projects else []))
    artifact = {"project": "x", "domain": "y", "name": "z"}
    for what, scope in (("nothing", None), ("an artifact", artifact)):
        expect_equal(sorted(set(_own(s, s.list(artifact=scope).apps)) & set(names)), names, f"the apps by {what}")


@check("OSS-22", needs=("projects",))
def filters_and_sorting_are_ignored(s: Session) -> None:
    """Any List returns all apps of the project, by resource name, and counts none."""
    names = sorted(_given(s, "c", "a", "b"), key=lambda name: resource(s.id(name)))
    queries = {
        "a filter": list_pb2.ListRequest(filters=[list_pb2.Filter(field="name", values=[names[0]])]),
        "an unknown filter": list_pb2.ListRequest(filters=[list_pb2.Filter(field="nope", values=["x"])]),
        "a sort key": list_pb2.ListRequest(sort_by=list_pb2.Sort(key="name", direction=list_pb2.Sort.DESCENDING)),
        "an unknown sort key": list_pb2.ListRequest(sort_by_fields=[list_pb2.Sort(key="nope")]),
        "raw filters": list_pb2.ListRequest(raw_filters=["nope"]),
    }
    for what, query in queries.items():
        expect_equal(s.names(query), names, f"the apps that List with {what} gives")
    page = s.list(include_total_count=True)
    expect_equal(page.total_count, 0, "the total, asked for")
