"""List, pages with writes in between: row LI-4. What a token stands at may be deleted, made again or changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.standard.listing.sorting import DOWN, UP, touch
from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import altered, by, id_of, order_of
from flyteapps_contract.outcomes import Broken
from flyteapps_contract.session import FAILED, PENDING, STOP, Session

LETTERS = "gcebhadf"
MAX_PAGES = 50
"""More pages than any chain here has."""
Incarnation = tuple[listing.AppId, int]


@check("LI-4", needs=("projects",))
def a_token_outlives_the_creation_of_its_app_anew(s: Session) -> None:
    """Where a token's app is deleted and created again, the pages go on: what stays is on exactly one of them."""
    for number, (key, direction) in enumerate(itertools.product(listing.SORT_KEYS, (UP, DOWN))):
        place = f"{s.project}-{number}"
        here = _apps(s, place)
        pages = _pages(s, by(key, direction, limit=2), project=s.scope(place))
        shown = next(pages)
        again = shown[-1]  # the app that the token stands at
        s.given_deleted(again)
        s.given_stopped(name=again.metadata.id.name, project=place)
        shown += [app for page in pages for app in page]
        what = f"while the app of a token was created again, the pages by {order_of(by(key, direction))}"
        _expect_once(shown, [app for app in here if id_of(app) != id_of(again)], what)


@check("LI-4", needs=("projects",))
def an_app_that_is_created_again_is_on_a_page_once(s: Session) -> None:
    """By created_at or name, an app that is created again, shown before or not, never makes another come twice."""
    for number, (key, direction) in enumerate(itertools.product(("created_at", "name"), (UP, DOWN))):
        place = f"{s.project}-{number}"
        here = {id_of(app): app for app in _apps(s, place)}
        shown: list[model.App] = []
        for page in _pages(s, by(key, direction, limit=2), project=s.scope(place)):
            shown += page
            coming = [each for each in sorted(here) if each not in {id_of(app) for app in shown}]
            for each in coming[-1:] if len(shown) <= len(LETTERS) // 2 else []:
                s.given_deleted(here.pop(each))
                s.given_stopped(name=each[-1], project=place)
        what = f"while others were created again, the pages by {order_of(by(key, direction))}"
        _expect_once(shown, here.values(), what)


@check("LI-4", needs=("projects",))
def a_token_outlives_a_change_of_its_app(s: Session) -> None:
    """Where a token's app is updated, so that its place changes, the pages go on after the place where it was."""
    for number, (key, direction) in enumerate(itertools.product(listing.SORT_KEYS, (UP, DOWN))):
        place = f"{s.project}-{number}"
        here = _apps(s, place)
        pages = _pages(s, by(key, direction, limit=2), project=s.scope(place))
        shown = next(pages)
        moved = shown[-1]
        touch(s, s.get(moved.metadata.id))
        shown += [app for page in pages for app in page]
        what = f"while the app of a token was updated, the pages by {order_of(by(key, direction))}"
        _expect_once(shown, [app for app in here if id_of(app) != id_of(moved)], what)


@check("LI-4", needs=("projects",))
def a_token_outlives_a_lease_of_its_app(s: Session) -> None:
    """Where the cluster leases and reports a token's app between two pages, those that stay come exactly once."""
    for number, (key, direction) in enumerate(itertools.product(listing.SORT_KEYS, (UP, DOWN))):
        place = f"{s.project}-{number}"
        mine = Cluster(s)
        here = [*_apps(s, place), s.given(mine.app(project=place))]
        moved = id_of(here[-1])
        shown: list[model.App] = []
        for page in _pages(s, by(key, direction, limit=1), project=s.scope(place)):
            shown += page
            if page and id_of(page[-1]) == moved and not shown[-1].status.assigned_cluster:
                mine.given_reports(mine.leases.take(1)[0], PENDING, FAILED)
        what = f"while the app of a token was leased, the pages by {order_of(by(key, direction))}"
        _expect_once(shown, here[:-1], what)


@check("LI-4", needs=("projects",))
def a_token_outlives_all_apps(s: Session) -> None:
    """Where every app is deleted, the page of an older token is empty and the last; what comes later is on it."""
    for number, (key, direction) in enumerate(itertools.product(listing.SORT_KEYS, (UP, DOWN))):
        place = f"{s.project}-{number}"
        here = _apps(s, place)
        query = by(key, direction, limit=2)
        query.token = s.list(query, project=s.scope(place)).token
        for app in here:
            s.given_deleted(app)
        page = s.list(query, project=s.scope(place))
        expect_equal((len(page.apps), page.token), (0, ""), f"apps and token by {order_of(query)} where none are left")
        if key in ("created_at", "updated_at") and direction == UP:
            made = s.given_stopped(project=place)
            found = [id_of(app) for app in s.list(query, project=s.scope(place)).apps]
            expect_equal(found, [id_of(made)], f"the page by {order_of(query)} after all were deleted and one made")


@check("LI-4", "LI-5", needs=("projects",))
def every_page_of_a_chain_is_of_its_moment(s: Session) -> None:
    """A page shows its apps, and counts all, as they are when it is asked for, not when the chain began."""
    apps = [s.given_stopped(labels={"kind": "old"}) for _ in range(6)]
    query = by("name", UP, limit=2)
    query.filters.add(function="EQUAL", field="labels.kind", values=["old"])
    request = rpc.ListRequest(project=s.scope(), request=query, include_total_count=True)
    first = s.call("List", request, rpc.ListResponse)
    expect_equal(first.total_count, 6, "total_count on the first page")
    rest = sorted((app for app in apps if id_of(app) not in map(id_of, first.apps)), key=id_of)
    changes: tuple[tuple[Callable[[model.App], object], int], ...] = (
        (lambda app: app.metadata.labels.update(kind="new"), 5),
        (lambda app: app.metadata.labels.update(more="more"), 5),
        (lambda app: app.metadata.labels.update(kind="old"), 6),
    )
    for change, count in changes:
        app = s.get(rest[1].metadata.id)
        app.metadata.revision = 0
        change(app)
        s.given_update(app)
        request.request.token = first.token
        page = s.call("List", request, rpc.ListResponse)
        expect_equal(page.total_count, count, "total_count on the second page, after an update")
        matching = [
            each for each in map(s.get, (each.metadata.id for each in rest)) if listing.matches(each, query.filters)
        ]
        expect_equal(list(page.apps), matching[:2], "the apps on the second page, after an update")


# ---- what they share


def _apps(s: Session, project: str) -> list[model.App]:
    """Return stopped apps of a project: names, creations and revisions in different orders."""
    head = s.name()
    apps = [s.given(s.app(f"{head}-{each}", project=project, state=STOP)) for each in LETTERS]
    for at in (6, 1, 3, 1):
        apps[at] = touch(s, apps[at])
    return apps


def _pages(s: Session, query: list_pb2.ListRequest, **scope: Any) -> Iterator[list[model.App]]:
    """Yield the apps of each page; the next one is asked for when it is wanted."""
    query = altered(query)
    for _ in range(MAX_PAGES):
        page = s.list(query, **scope)
        yield list(page.apps)
        if not page.token:
            return
        query.token = page.token
    raise Broken(f"the chain of pages by {order_of(query)} has no end: {MAX_PAGES} pages so far")


def _expect_once(shown: Sequence[model.App], stayed: Iterable[model.App], what: str) -> None:
    """Broken unless each app that stayed was shown once, and no incarnation of any other twice as it was."""
    found = [id_of(app) for app in shown]
    for app in stayed:
        expect_equal(found.count(id_of(app)), 1, f"{what}: the times that {app.metadata.id.name} appeared")
    states = [app.SerializeToString(deterministic=True) for app in shown]
    expect(len(states) == len(set(states)), f"{what}: an app came twice in one state")
