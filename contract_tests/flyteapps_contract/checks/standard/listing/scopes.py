"""List, of which scope: rows LI-1 and LI-7. Filters are in filtering.py, order and pages in paging.py.

Apps are stopped ones where the row allows it: they don't move between the Get and the List.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2, list_pb2
from flyteidl2.core.artifact_id_pb2 import ArtifactKey, ArtifactVersionId

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import ids_of
from flyteapps_contract.outcomes import Refused, Unjudged
from flyteapps_contract.session import STOP, STOPPED, Session

# ---- LI-1: scopes


@check("LI-1", needs=("projects",))
def a_project_scope_gives_the_apps_of_that_project_and_domain(s: Session) -> None:
    """Listing a project and domain gives its apps, and none of another project or another domain."""
    name = s.name()
    own = [s.given_stopped(name=name), s.given_stopped()]
    s.given_stopped(name=name, project=second_project(s))
    s.given_stopped(name=name, domain=second_domain(s))
    expect_equal(listed(s), ids_of(own), "the apps of one project and domain")


@check("LI-1", needs=("projects",))
def an_org_scope_gives_the_apps_of_all_projects(s: Session) -> None:
    """Listing an org gives its apps in every project and domain; listing another org gives none of them."""
    places: list[dict[str, str]] = [{}, {"project": second_project(s)}, {"domain": second_domain(s)}]
    own = [s.given_stopped(**place) for place in places]
    org = own[0].metadata.id.org
    expect_equal(listed(s, _newest(), own, org=org), ids_of(own), f"the apps of org {org}")
    try:
        found = listed(s, _newest(), own, org=f"{org}-other")
    except Refused as error:
        expect(error.code == "NOT_FOUND", f"listing another org: expected NOT_FOUND or an empty result, got {error}")
    else:
        expect_equal(found, [], "the apps of another org")


@check("LI-1", needs=("cluster",))
def a_cluster_scope_gives_the_apps_that_are_assigned_to_it_now(s: Session) -> None:
    """Listing a cluster gives an app while it is assigned there: not before it runs, nor after it was stopped."""
    idle, app = s.given_stopped(), s.given_active()
    where_it_runs = identifier_pb2.ClusterIdentifier(organization=s.run.org, name=_cluster(app))
    elsewhere = identifier_pb2.ClusterIdentifier(organization=s.run.org, name=f"{_cluster(app)}-{s.run.prefix}")
    own = [idle, app]
    expect_equal(listed(s, _newest(), own, cluster_id=where_it_runs), ids_of([app]), "the apps of the cluster")
    expect_equal(listed(s, _newest(), own, cluster_id=elsewhere), [], "the apps of a cluster that has none")
    app.spec.desired_state = STOP
    app = s.given_rest(s.given_update(app).metadata.id, STOPPED)
    if app.status.assigned_cluster:
        raise Unjudged("a stopped app is still assigned to its cluster")
    expect_equal(listed(s, _newest(), own, cluster_id=where_it_runs), [], "the apps of the cluster after the stop")


@check("LI-1", needs=("projects",))
def an_artifact_scope_gives_the_apps_that_consume_it(s: Session) -> None:
    """Listing an artifact gives the apps of every project with an input of that artifact and version."""
    org = s.given_stopped().metadata.id.org
    art = s.name("-art")
    first, tenth = _consumer(s, org, art, "v1"), _consumer(s, org, art, "v10", place=second_project(s))
    other_domain = _consumer(s, org, art, "v1", artifact_domain="elsewhere")
    other_project = _consumer(s, org, art, "v1", artifact_project="elsewhere")
    other_name, other_org = _consumer(s, org, f"{art}-b", "v1"), _consumer(s, f"{org}-other", art, "v1")
    own = [first, tenth, other_domain, other_project, other_name, other_org]
    for version, expected in (("v1", [first]), ("v10", [tenth]), ("v", []), ("", [first, tenth])):
        found = listed(s, None, own, artifact=_artifact(art, version))
        expect_equal(found, ids_of(expected), f"the apps that consume {art}, version {version!r}")
    found = listed(s, None, own, artifact=_artifact(art, "v1", domain="elsewhere"))
    expect_equal(found, ids_of([other_domain]), "the apps that consume an artifact of another domain")


@check("LI-1")
def an_artifact_scope_looks_at_every_input_of_the_spec_as_it_is(s: Session) -> None:
    """An app consumes an artifact through any of its inputs, until an update takes that input away."""
    art, other = s.name("-art"), s.name("-art")
    org = s.given_stopped().metadata.id.org
    app = s.app(state=STOP)
    app.spec.inputs.items.add(name="text", string_value=art)
    app.spec.inputs.items.add(name="other", artifact_id=_version(org, other, "v1"))
    app.spec.inputs.items.add(name="art", artifact_id=_version(org, art, "v1"))
    app = s.given(app)
    expect_equal(listed(s, None, [app], artifact=_artifact(art)), ids_of([app]), "the apps that consume the last input")
    expect_equal(listed(s, None, [app], artifact=_artifact(other)), ids_of([app]), "the apps that consume the second")
    del app.spec.inputs.items[2]
    s.given_update(app)
    expect_equal(listed(s, None, [app], artifact=_artifact(art)), [], "the apps that consume what no spec names now")


# ---- LI-7: identities


@check("LI-7", needs=("projects",))
def identities_come_bare_where_enrichment_is_disabled(s: Session) -> None:
    """With disable_identity_enrichment creators and actors are their ids alone, and nothing else is missing."""
    user, application = s.app(state=STOP), s.app(state=STOP)
    user.spec.creator.user.id.subject = "alice"
    user.spec.creator.user.spec.first_name = "Alice"
    user.spec.creator.user.spec.email = "alice@example.com"
    application.spec.creator.application.id.subject = "bot"
    application.spec.creator.application.spec.name = "Bot"
    ids = [s.given(app).metadata.id for app in (user, application, s.app(state=STOP))]
    _expect_bare(s, [s.get(app_id) for app_id in ids])


@check("LI-7", needs=("projects",))
def roles_and_policies_go_with_the_enrichment(s: Session) -> None:
    """With disable_identity_enrichment a user's roles and policies are dropped, too."""
    app = s.app(state=STOP)
    app.spec.creator.user.id.subject = "alice"
    app.spec.creator.user.roles.add().id.name = "admin"
    app.spec.creator.user.policies.add().id.name = "all"
    _expect_bare(s, [s.get(s.given(app).metadata.id)])


# ---- words


def second_project(s: Session) -> str:
    """Return a project that no other check uses."""
    return f"{s.project}-b"


def second_domain(s: Session) -> str:
    """Return a domain beside the session's."""
    return "production" if s.domain != "production" else "staging"


def _newest() -> list_pb2.ListRequest:
    """Return the page on which a plane that others use, too, has what was just created."""
    return list_pb2.ListRequest(limit=1000, sort_by=list_pb2.Sort(key="created_at", direction="DESCENDING"))


def listed(
    s: Session, query: list_pb2.ListRequest | None = None, own: Sequence[model.App] | None = None, **scope: Any
) -> list[listing.AppId]:
    """Return the ids on the first page, sorted; where `own` is given, foreign ones don't count."""
    found = ids_of(s.list(query, **scope).apps)
    return found if own is None else [each for each in found if each in set(ids_of(own))]


def _cluster(app: model.App) -> str:
    if not app.status.assigned_cluster:
        raise Unjudged("an active app has no assigned_cluster")
    return app.status.assigned_cluster


def _version(org: str, name: str, version: str, project: str = "arts", domain: str = "dev") -> ArtifactVersionId:
    return ArtifactVersionId(key=ArtifactKey(org=org, project=project, domain=domain, name=name), version=version)


def _artifact(name: str, version: str = "", domain: str = "dev") -> rpc.ConsumedArtifactFilter:
    return rpc.ConsumedArtifactFilter(project="arts", domain=domain, name=name, version=version)


def _consumer(
    s: Session,
    org: str,
    name: str,
    version: str,
    artifact_project: str = "arts",
    artifact_domain: str = "dev",
    place: str = "",
) -> model.App:
    app = s.app(state=STOP, project=place or s.project)
    artifact = _version(org, name, version, artifact_project, artifact_domain)
    app.spec.inputs.items.add(name="in", artifact_id=artifact)
    return s.given(app)


def _expect_bare(s: Session, apps: Sequence[model.App]) -> None:
    whole = {app.metadata.id.name: app for app in apps}
    for disabled in (False, True):
        request = rpc.ListRequest(project=s.scope(), disable_identity_enrichment=disabled)
        found = s.call("List", request, rpc.ListResponse).apps
        expect_equal(sorted(app.metadata.id.name for app in found), sorted(whole), "the apps of the project")
        for app in found:
            expected = whole[app.metadata.id.name]
            expected = listing.without_enrichment(expected) if disabled else expected
            expect_equal(app, expected, f"an app with disable_identity_enrichment={disabled}")
