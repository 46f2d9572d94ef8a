"""List, how many at once: rows LI-4, LI-5 and LI-6. Scopes, filters and orders have files of their own."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterable, Iterator
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.standard.listing.scopes import second_domain, second_project
from flyteapps_contract.checks.standard.listing.sorting import DOWN, UP, mixed, touch
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import altered, by, id_of, ids_of, order_of, where
from flyteapps_contract.outcomes import Broken, Unjudged
from flyteapps_contract.session import STOP, Session, preparing

USUAL = 100
MOST = 1000
MIB = 1 << 20
PAGE_BYTES = 3 * MIB
MAX_PAGES = 1000
"""A chain of more pages than any check has apps never ends."""
STEADY_KEYS = ("created_at", "name")
"""The sort keys that nothing changes while an app exists."""

FEW, MANY = 100, 100_000
ROUNDS = 41
DEARER = 1.5
TRIES = 3
"""A machine that does other things, too, is given so many tries."""


# ---- LI-4: pages


@check("LI-4", needs=("projects",))
def a_page_holds_as_many_apps_as_its_limit(s: Session) -> None:
    """Pages hold as many apps as the limit says, the last one the rest; a limit above what there is gives all."""
    apps = [s.given_stopped() for _ in range(5)]
    for limit, sizes in ((1, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (6, [5]), (MOST, [5])):
        pages = list(_pages(s, list_pb2.ListRequest(limit=limit)))
        expect_equal([len(page) for page in pages], sizes, f"the sizes of the pages of 5 apps with limit {limit}")
        found = ids_of(app for page in pages for app in page)
        expect_equal(found, ids_of(apps), f"the apps on all pages with limit {limit}")


@check("LI-4", needs=("projects",))
def a_limit_of_0_is_100(s: Session) -> None:
    """Without a limit a page holds 100 apps, and the next one the rest."""
    apps = [s.given_stopped() for _ in range(USUAL + 1)]
    pages = list(_pages(s, list_pb2.ListRequest()))
    expect_equal([len(page) for page in pages], [USUAL, 1], f"the sizes of the pages of {USUAL + 1} apps")
    expect_equal(ids_of(app for page in pages for app in page), ids_of(apps), "the apps on all pages")


@check("LI-4", needs=("fresh",))
def a_limit_over_1000_acts_as_1000(s: Session) -> None:
    """However high the limit, a page holds 1,000 apps at most."""
    for _ in range(MOST + 1):
        s.given_stopped()
    for limit in (MOST, MOST + 1, 2**32 - 1):
        page = s.list(list_pb2.ListRequest(limit=limit))
        expect_equal(len(page.apps), MOST, f"the apps on a page with limit {limit}")
        expect(page.token, f"a page of {MOST} of {MOST + 1} apps has no token")


@check("LI-4", needs=("projects",))
def a_page_ends_before_3_mib(s: Session) -> None:
    """Pages of big apps stay below 3 MiB, hold one app at least, and lose none."""
    big = MIB * 5 // 4
    apps = [s.given(_big(s, size)) for size in (MIB, MIB, MIB - 65536, 1024, big, big, big)]
    for query in (list_pb2.ListRequest(), list_pb2.ListRequest(limit=MOST)):
        found: list[model.App] = []
        for page in _answers(s, query):
            expect(page.apps, "a page without an app")
            expect(page.ByteSize() < PAGE_BYTES, f"a page of {page.ByteSize()} bytes, {len(page.apps)} apps")
            found += page.apps
        expect_equal(ids_of(found), ids_of(apps), "the apps on all pages")


@check("LI-4", needs=("projects",))
def pages_follow_the_order_of_the_whole(s: Session) -> None:
    """While nothing changes, the pages of any order put together are the list in one piece, ties included."""
    apps = mixed(s)
    queries = [by(key, direction) for key in listing.SORT_KEYS for direction in (UP, DOWN)]
    queries += [list_pb2.ListRequest(), by("status_phase", UP, "revision", DOWN), by("revision", UP, "name", DOWN)]
    for query, limit in itertools.product(queries, (1, 2, 3)):
        query.limit = 0
        whole = [id_of(app) for app in s.list(query).apps]
        query.limit = limit
        found = [id_of(app) for page in _pages(s, query) for app in page]
        expect_equal(found, whole, f"the pages of {limit} of the list by {order_of(query)}")
        expect_equal(sorted(found), ids_of(apps), f"the apps on the pages of {limit} by {order_of(query)}")


@check("LI-4", needs=("projects",))
def pages_keep_to_their_filters_and_scope(s: Session) -> None:
    """Every page of a chain holds only what the query's scope and filters let pass."""
    for odd in (1, 0, 0, 1, 1, 0, 1):
        s.given_stopped(labels={"odd": "yes"} if odd else {})
    s.given_stopped(project=second_project(s), labels={"odd": "yes"})
    query = list_pb2.ListRequest(filters=[where("EQUAL", "labels.odd", "yes")])
    whole = ids_of(s.list(query).apps)
    query.limit = 2
    expect_equal(ids_of(app for page in _pages(s, query) for app in page), whole, "the apps on the pages")


@check("LI-4", needs=("projects",))
def an_app_that_stays_appears_once_whatever_goes(s: Session) -> None:
    """By created_at or name, an app that exists throughout is on exactly one page, also while others are deleted."""
    for number, (key, direction) in enumerate(itertools.product(STEADY_KEYS, (UP, DOWN))):
        place = f"{s.project}-{number}"
        here = _named(s, place, "gcebhadf")
        found: list[str] = []
        for page in _pages(s, by(key, direction, limit=2), project=s.scope(place)):
            found += [app.metadata.id.name for app in page]
            gone = found[-1:]  # the app that the token stands at
            if len(found) == 2:
                gone += sorted(here.keys() - set(found))[3:4]  # and one that is still to come
            for name in gone:
                if name in here:
                    s.given_deleted(here.pop(name))
        _expect_once(found, here, f"while others were deleted, the pages by {key}")


@check("LI-4", needs=("projects",))
def an_app_that_stays_appears_once_whatever_comes(s: Session) -> None:
    """By created_at or name, an app that exists throughout is on exactly one page, also while others are created."""
    for number, (key, direction) in enumerate(itertools.product(STEADY_KEYS, (UP, DOWN))):
        place = f"{s.project}-{number}"
        here = _named(s, place, "gcebhadf")
        found: list[str] = []
        for page in _pages(s, by(key, direction, limit=2), project=s.scope(place)):
            found += [app.metadata.id.name for app in page]
            if len(found) < len(here):  # not endlessly: by created_at these come at the end
                for name in (min(here), max(here)):  # by name the first is before all of them, the other behind
                    head, letter = name.rsplit("-", 1)
                    new = f"{head}-{'0' if letter == 'a' else letter}{s.run.number()}"
                    s.given_stopped(name=new, project=place)
        _expect_once(found, here, f"while others were created, the pages by {key}")


@check("LI-4", needs=("projects",))
def a_change_moves_no_app_but_its_own(s: Session) -> None:
    """By a key that changes, an app whose own key doesn't change is on exactly one page; by a steady key all are."""
    for number, key in enumerate(listing.SORT_KEYS):
        project = f"{s.project}-{number}"
        apps = [s.given_stopped(project=project) for _ in range(6)]
        for app in apps[::2]:
            touch(s, app)
        restless = [s.given_stopped(project=project) for _ in range(2)]
        found: list[model.App] = []
        for page in _pages(s, by(key, UP, limit=1), project=s.scope(project)):
            found += page
            if len(found) < len(apps):  # not endlessly: what is updated may move ahead of the pages each time
                for app in restless:
                    touch(s, app)
        calm = apps if key in ("updated_at", "revision") else [*apps, *restless]
        for app in calm:
            times = sum(id_of(each) == id_of(app) for each in found)
            expect_equal(times, 1, f"while others were updated, the pages by {key}: the times an app appeared")


@check("LI-4", needs=("projects",))
def a_forged_token_is_refused(s: Session) -> None:
    """A token that no page gave is INVALID_ARGUMENT: made up, or one that was cut, lengthened or altered."""
    for _ in range(4):
        s.given_stopped()
    for query in (list_pb2.ListRequest(limit=2), by("name", DOWN, limit=2)):
        token = _token(s, query)
        made_up = ["x", "2", "3", "not a token", "bm90IGEgdG9rZW4=", "é", token[4:], token[:-4], token + token]
        for at in range(0, len(token) - 2, 3):  # the last ones may hold bits that an encoding ignores
            made_up.append(token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :])
        for forged in (each for each in made_up if each not in ("", token)):
            query.token = forged
            with expect_refusal("INVALID_ARGUMENT", f"List with the forged token {forged!r}"):
                s.list(query)
        query.token = token
        expect_equal(len(s.list(query).apps), 2, "the apps on the page of the token as it was given")


@check("LI-4", needs=("projects",))
def a_token_of_another_query_is_refused(s: Session) -> None:
    """A token goes with its scope, filters and order: with any other it is INVALID_ARGUMENT."""
    apps = [s.given_stopped(labels={"a": "b"}) for _ in range(3)]
    other = s.scope(second_project(s))
    domain = s.scope()
    domain.domain = second_domain(s)
    filters = [where("EQUAL", "labels.a", "b"), where("NOT_EQUAL", "name", s.name())]
    query = by("name", UP, limit=1)
    query.filters.extend(filters[:1])
    query.token = _token(s, query)
    strangers: list[tuple[str, list_pb2.ListRequest, dict[str, Any]]] = [
        ("project", query, {"project": other}),
        ("domain", query, {"project": domain}),
        ("scope", query, {"org": apps[0].metadata.id.org}),
        ("filter", altered(query, filters=filters[1:]), {}),
        ("number of filters", altered(query, filters=filters), {}),
        ("absence of filters", altered(query, filters=[]), {}),
        ("sort key", altered(query, sort_by_fields=by("created_at", UP).sort_by_fields), {}),
        ("direction", altered(query, sort_by_fields=by("name", DOWN).sort_by_fields), {}),
        ("second key", altered(query, sort_by_fields=by("name", UP, "revision", UP).sort_by_fields), {}),
    ]
    for what, stranger, scope in strangers:
        with expect_refusal("INVALID_ARGUMENT", f"List with the token of a query with another {what}"):
            s.list(stranger, **scope)
    expect_equal(len(s.list(query).apps), 1, "the apps on the page of the token with its own query")


# ---- LI-5: counts


@check("LI-5", needs=("projects",))
def the_total_counts_all_matches_where_it_is_asked_for(s: Session) -> None:
    """include_total_count counts what scope and filters let pass, whatever the page holds; unset it is 0."""
    for odd in (1, 0, 1, 0, 1):
        s.given_stopped(labels={"odd": "yes"} if odd else {})
    s.given_stopped(project=second_project(s), labels={"odd": "yes"})
    filters = [where("EQUAL", "labels.odd", "yes"), where("EQUAL", "labels.odd", "no")]
    for some, limit in itertools.product(range(len(filters) + 1), (0, 1, MOST)):
        query = list_pb2.ListRequest(filters=filters[:some])
        total = len(s.list(query).apps)
        query.limit = limit
        what = f"total_count with limit {limit} and {some} filters"
        expect_equal(_counted(s, query).total_count, total, what)
        expect_equal(s.list(query).total_count, 0, f"{what}, not asked for")


@check("LI-5", needs=("projects",))
def the_total_is_that_of_the_moment(s: Session) -> None:
    """On every page the count is of all that matches now, also before the page and after writes."""
    apps = [s.given_stopped() for _ in range(5)]
    query = list_pb2.ListRequest(limit=2)
    page = _counted(s, query)
    expect_equal(page.total_count, 5, "total_count on the first page")
    s.given_stopped()
    query.token = page.token
    page = _counted(s, query)
    expect_equal(page.total_count, 6, "total_count on the second page, after a Create")
    for app in apps[:2]:
        s.given_deleted(app)
    query.token = page.token
    expect_equal(_counted(s, query).total_count, 4, "total_count on the third page, after two Deletes")


# ---- LI-6: what a page costs


@check("LI-6", needs=("measured", "fresh"))
def a_page_costs_the_page_and_not_the_plane(s: Session) -> None:
    """A page of 100 of 100,000 apps takes at most 1.5 times the CPU time of 100 of 100, first or in the middle."""
    with Session(s.plane.another(), s.run) as crowded:
        few_apps = [s.given_stopped() for _ in range(FEW)]
        for _ in range(MANY):
            crowded.given_stopped()
        scopes: tuple[dict[str, Any], ...] = ({}, {"org": few_apps[0].metadata.id.org})
        for key, direction, scope in itertools.product(listing.SORT_KEYS, (UP, DOWN), scopes):
            query = by(key, direction, limit=FEW)
            deep = altered(query, token=_token(crowded, query, MANY // FEW // 2, **scope))
            for attempt in range(TRIES):
                few, first, middle = _medians((s, query), (crowded, query), (crowded, deep), **scope)
                if max(first, middle) <= DEARER * few:
                    break
                costs = (
                    f"{first * 1e6:.0f} and {middle * 1e6:.0f} us of CPU of {MANY} apps, {few * 1e6:.0f} us of {FEW}"
                )
                what = f"the first and the middle page by {order_of(query)} of {'an org' if scope else 'a project'}"
                expect(attempt < TRIES - 1, f"{what}: {costs}")


# ---- words


def _named(s: Session, project: str, letters: str) -> dict[str, model.App]:
    """Return stopped apps by name, their names in the order of the letters, created one after the other."""
    head = s.name()
    return {f"{head}-{each}": s.given_stopped(name=f"{head}-{each}", project=project) for each in letters}


def _expect_once(found: list[str], names: Iterable[str], what: str) -> None:
    for name in sorted(names):
        expect_equal(found.count(name), 1, f"{what}: the times that {name} appeared")


def _big(s: Session, size: int) -> model.App:
    app = s.app(state=STOP)
    app.spec.container.args.append("x" * size)
    return app


def _answers(s: Session, query: list_pb2.ListRequest, **scope: Any) -> Iterator[rpc.ListResponse]:
    """Return the pages of a query until there is no token; an empty one at the end doesn't count.

    Broken if it never ends.
    """
    query = altered(query)
    for _ in range(MAX_PAGES):
        page = s.list(query, **scope)
        if page.apps or page.token:
            yield page
        if not page.token:
            return
        query.token = page.token
    raise Broken(f"the chain of pages by {order_of(query)} has no end: {MAX_PAGES} pages so far")


def _pages(s: Session, query: list_pb2.ListRequest, **scope: Any) -> Iterator[list[model.App]]:
    """Return the apps on each page."""
    return (list(page.apps) for page in _answers(s, query, **scope))


def _token(s: Session, query: list_pb2.ListRequest, page: int = 1, **scope: Any) -> str:
    """Return the token that so many pages lead to."""
    query = altered(query)
    with preparing("List"):
        for _ in range(page):
            query.token = s.list(query, **scope).token
    if not query.token:
        raise Unjudged(f"page {page} of a longer list has no token")
    return query.token


def _counted(s: Session, query: list_pb2.ListRequest) -> rpc.ListResponse:
    request = rpc.ListRequest(project=s.scope(), request=query, include_total_count=True)
    return s.call("List", request, rpc.ListResponse)


def _medians(*pages: tuple[Session, list_pb2.ListRequest], **scope: Any) -> list[float]:
    """Return the CPU seconds of each page, asked for in turn so that a busy machine disturbs all alike.

    The first round doesn't count: the use that may build an index.
    """
    taken: list[list[float]] = [[] for _ in pages]
    for _ in range(ROUNDS + 1):
        for (session, query), times in zip(pages, taken, strict=True):
            before = time.process_time()
            session.list(query, **scope)
            times.append(time.process_time() - before)
    return [statistics.median(times[1:]) for times in taken]
