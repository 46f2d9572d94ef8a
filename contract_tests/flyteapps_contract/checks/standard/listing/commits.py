"""List after each kind of commit: rows LI-1, LI-2, LI-3 and LI-5. What a plane keeps for its lists has to follow.

A cluster of the check's own moves its apps through all that an app goes through; after each step the lists are those
of the apps as Get returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.standard.listing.sorting import DOWN, UP
from flyteapps_contract.checks.support.clusters import Cluster, run_out
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import by, id_of, ids_of, where
from flyteapps_contract.session import ACTIVE, DEPLOYING, FAILED, PENDING, RUN, STOP, STOPPED, Session, copy
from flyteapps_contract.symptoms import Ability

APPS = 5
STATES = ("DESIRED_STATE_ACTIVE", "DESIRED_STATE_STOPPED")


class Commit(NamedTuple):
    """A commit that has just been made: its description, the cluster of the check, and the apps as Get returns them."""

    text: str
    cluster: Cluster
    apps: list[model.App]


@check("LI-1", needs=("projects",))
def a_cluster_scope_follows_every_commit(s: Session) -> None:
    """Listing a cluster gives the apps that it holds, after each lease, report, release, lapse and deletion."""
    for commit in _commits(s):
        held = [app for app in commit.apps if app.status.assigned_cluster == commit.cluster.name]
        found = ids_of(s.list(cluster_id=s.cluster(commit.cluster.name)).apps)
        expect_equal(found, ids_of(held), f"the apps of a cluster after {commit.text}")
        expect_equal(ids_of(s.list().apps), ids_of(commit.apps), f"the apps of a project after {commit.text}")


@check("LI-3", needs=("projects",))
def every_order_follows_every_commit(s: Session) -> None:
    """After each kind of commit, each single sort key orders the apps as they are now, in a project and a cluster."""
    for number, commit in enumerate(_commits(s)):
        held = [app for app in commit.apps if app.status.assigned_cluster == commit.cluster.name]
        scopes: tuple[tuple[str, list[model.App], dict[str, Any]], ...] = (
            ("a project", commit.apps, {}),
            ("a cluster", held, {"cluster_id": s.cluster(commit.cluster.name)}),
        )
        for scope, apps, where_they_are in scopes:
            for key in listing.SORT_KEYS:
                query = by(key, DOWN if number % 2 else UP)
                found = [id_of(app) for app in s.list(query, **where_they_are).apps]
                orders = [[id_of(app) for app in order] for order in listing.orders(apps, listing.sorts_of(query))]
                if found not in orders:
                    what = f"the apps of {scope} by {listing.order_of(query)} after {commit.text}"
                    expect_equal(found, orders[0], what)


@check("LI-2", needs=("projects",))
def every_filter_follows_every_commit(s: Session) -> None:
    """After each kind of commit, filters on phase, desired state, labels and times look at the apps as they are now."""
    for commit in _commits(s):
        for filters in _filters(commit.apps):
            expected = ids_of(app for app in commit.apps if listing.matches(app, filters))
            found = ids_of(s.list(list_pb2.ListRequest(filters=filters)).apps)
            expect_equal(found, expected, f"the apps after {commit.text} that pass {_text(filters)}")


@check("LI-5", needs=("projects",))
def every_count_follows_every_commit(s: Session) -> None:
    """After each kind of commit the count is of what matches now: in a project, in a cluster, and under filters."""
    for commit in _commits(s):
        held = [app for app in commit.apps if app.status.assigned_cluster == commit.cluster.name]
        request = rpc.ListRequest(cluster_id=s.cluster(commit.cluster.name))
        expect_equal(_count(s, request), len(held), f"total_count of a cluster after {commit.text}")
        for filters in ([], *_filters(commit.apps)):
            expected = sum(listing.matches(app, filters) for app in commit.apps)
            request = rpc.ListRequest(project=s.scope(), request=list_pb2.ListRequest(filters=filters, limit=1))
            what = f"total_count after {commit.text} of the apps that pass {_text(filters)}"
            expect_equal(_count(s, request), expected, what)


# ---- what they share


def _commits(s: Session) -> Iterator[Commit]:
    """Yield after each kind of commit; lists are asked for from the beginning, so that what serves them is there."""
    mine = Cluster(s)
    ids = [s.given(mine.app(labels={"n": str(number)})).metadata.id for number in range(APPS)]
    first, second, third, fourth, fifth = range(APPS)
    # what the cluster doesn't move, so that the others pass it in the order of phases
    ids += [s.given(app).metadata.id for app in (Cluster(s).app(), mine.app(state=STOP))]

    def done(text: str) -> Commit:
        return Commit(text, mine, [s.get(app_id) for app_id in ids])

    def get(at: int) -> model.App:
        return s.get(ids[at])

    def update(at: int, change: Callable[[model.App], object]) -> None:
        changed = copy(get(at))
        changed.metadata.revision = 0
        change(changed)
        s.given_update(changed)

    yield done("Create")
    if Ability.LABEL not in s.faults:
        update(third, lambda app: app.metadata.labels.update(n="updated"))
        yield done("an update of labels")
    update(third, lambda app: app.spec.container.args.append("--more"))
    yield done("an update of the spec")
    mine.leases.take(APPS)
    yield done("a lease")
    for text, at, states in (
        ("the report PENDING", first, (PENDING,)),
        ("the report DEPLOYING", second, (PENDING, DEPLOYING)),
        ("the report ACTIVE", fifth, (PENDING, ACTIVE)),
        ("the report FAILED", first, (FAILED,)),
    ):
        mine.given_reports(get(at), *states)
        yield done(text)
    mine.given_reports(get(fifth), ACTIVE, replicas=2)
    yield done("a report of replicas alone")
    update(fifth, lambda app: app.spec.container.args.append("--more"))
    yield done("an update of an active app")
    update(second, lambda app: setattr(app.spec, "desired_state", STOP))
    yield done("an update that stops an app")
    mine.given_reports(get(second), STOPPED, replicas=0)
    yield done("the report STOPPED")
    mine.leave()
    if s.capabilities.clock:
        run_out(s, get(third))
        yield done("the end of a lease")
    update(second, lambda app: setattr(app.spec, "desired_state", RUN))
    yield done("an update that starts an app")
    s.given_deleted(get(fourth))
    gone = ids.pop(fourth)
    yield done("Delete")
    again = s.given(s.app(gone.name, state=STOP, labels={"n": "again"}))
    ids.append(again.metadata.id)
    yield done("the creation of a deleted app")


def _filters(apps: Sequence[model.App]) -> Iterator[list[list_pb2.Filter]]:
    """Yield filters by which a commit moves an app in or out."""
    phases = sorted({listing.phase(app) for app in apps})
    for phase in phases:
        yield [where("EQUAL", "status_phase", phase)]
    yield [where("VALUE_NOT_IN", "status_phase", *phases[:2])]
    for state in STATES:
        yield [where("EQUAL", "desired_state", state)]
    yield [where("CONTAINS", "labels.n", "a")]
    newest = max(listing.nanoseconds(app.status.last_updated_at) for app in apps)
    yield [where("GREATER_THAN_OR_EQUAL", "updated_at", listing.rfc3339(newest))]
    yield [where("EQUAL", "desired_state", STATES[0]), where("NOT_EQUAL", "status_phase", phases[-1])]


def _count(s: Session, request: rpc.ListRequest) -> int:
    request.include_total_count = True
    return s.call("List", request, rpc.ListResponse).total_count


def _text(filters: Sequence[list_pb2.Filter]) -> str:
    function = list_pb2.Filter.Function.Name
    return " and ".join(f"{each.field} {function(each.function)} {list(each.values)}" for each in filters) or "all"
