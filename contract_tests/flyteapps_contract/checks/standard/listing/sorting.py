"""List, in which order: row LI-3. Pages are in paging.py.

What the order has to be is computed by model.listing from the apps as Get returns them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal, expect_refusal
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import by, id_of
from flyteapps_contract.session import FAILED, Session

UP, DOWN = list_pb2.Sort.ASCENDING, list_pb2.Sort.DESCENDING


# ---- LI-3: order


@check("LI-3", needs=("projects",))
def every_sort_key_sorts_up_and_down(s: Session) -> None:
    """Each sort key orders the apps, ascending and descending, and ties are broken by id."""
    apps = mixed(s)
    for key, direction in itertools.product(listing.SORT_KEYS, (UP, DOWN)):
        expect_ordered(s, apps, by(key, direction))


@check("LI-3", needs=("projects", "cluster"))
def status_phase_sorts_by_the_name_of_the_enum(s: Session) -> None:
    """Sorting by status_phase compares the names of the last conditions' statuses: ACTIVE, FAILED, STOPPED."""
    apps = [s.given_stopped(), s.given_active(), s.given_stopped()]
    if s.capabilities.failing:
        apps.append(s.given_rest(s.given(s.app(labels=s.capabilities.failing)).metadata.id, FAILED))
    apps = [s.get(app.metadata.id) for app in apps]
    for direction in (UP, DOWN):
        expect_ordered(s, apps, by("status_phase", direction))


@check("LI-3", needs=("fresh",))
def ties_are_broken_by_the_whole_id(s: Session) -> None:
    """Apps of one name in several projects and domains come in the order of their ids."""
    name = s.name()
    places = [("b", "y"), ("b", "x"), ("a", "y"), ("c", "x"), ("a", "x")]
    apps = [s.given_stopped(name=name, project=project, domain=domain) for project, domain in places]
    for key in ("name", "status_phase", "revision"):
        expect_ordered(s, apps, by(key, UP), org=apps[0].metadata.id.org)
        expect_ordered(s, apps, by(key, DOWN), org=apps[0].metadata.id.org)


@check("LI-3", needs=("projects",))
def several_keys_sort_one_after_the_other(s: Session) -> None:
    """With several sort_by_fields the first one counts most, each in its own direction."""
    apps = mixed(s)
    pairs = [("revision", "name"), ("status_phase", "updated_at"), ("revision", "created_at"), ("name", "revision")]
    for (one, other), *directions in itertools.product(pairs, (UP, DOWN), (UP, DOWN)):
        expect_ordered(s, apps, by(one, directions[0], other, directions[1]))
    expect_ordered(s, apps, by("status_phase", DOWN, "revision", UP, "name", DOWN))


@check("LI-3", needs=("projects",))
def the_deprecated_sort_by_sorts_where_it_stands_alone(s: Session) -> None:
    """sort_by sorts as one of sort_by_fields does, and these win where both are given."""
    apps = mixed(s)
    for key, direction in itertools.product(listing.SORT_KEYS, (UP, DOWN)):
        sort = list_pb2.Sort(key=key, direction=direction)
        expect_ordered(s, apps, list_pb2.ListRequest(sort_by=sort))
    both = by("name", DOWN)
    both.sort_by.CopyFrom(list_pb2.Sort(key="updated_at", direction=UP))
    expect_ordered(s, apps, both)


@check("LI-3", needs=("projects",))
def a_sort_without_a_direction_descends(s: Session) -> None:
    """A Sort that names no direction is descending, in either field of the request."""
    apps = mixed(s)
    for key in ("created_at", "name", "updated_at"):
        expect_ordered(s, apps, list_pb2.ListRequest(sort_by=list_pb2.Sort(key=key)))
        expect_ordered(s, apps, list_pb2.ListRequest(sort_by_fields=[list_pb2.Sort(key=key)]))


@check("LI-3", needs=("projects",))
def without_a_sort_the_oldest_come_first(s: Session) -> None:
    """A List that asks for no order gives the apps by created_at, ascending."""
    apps = mixed(s)
    for query in (list_pb2.ListRequest(), list_pb2.ListRequest(limit=10)):
        expect_ordered(s, apps, query)


@check("LI-3")
def an_unknown_sort_key_is_refused(s: Session) -> None:
    """Any other sort key is INVALID_ARGUMENT, in sort_by and at each place of sort_by_fields."""
    for key in ("size", "Name", "project", "created_by", "desired_state", "labels.a", "metadata.name"):
        sort = list_pb2.Sort(key=key, direction=UP)
        for query in (list_pb2.ListRequest(sort_by=sort), by(key, UP), by("name", UP, key, UP)):
            with expect_refusal("INVALID_ARGUMENT", f"List sorted by {key!r}"):
                s.list(query)


# ---- words


def mixed(s: Session) -> list[model.App]:
    """Return stopped apps whose names, creations, updates and revisions all have different orders, with ties."""
    head = s.name()
    apps = [s.given_stopped(name=f"{head}-{letter}") for letter in "dbgeachf"]
    for index in (6, 1, 3, 1, 6, 0):
        apps[index] = touch(s, apps[index])
    return apps


def touch(s: Session, app: model.App) -> model.App:
    """Return the app after an update that changes its revision and updated_at."""
    changed = s.changed(app, str(s.run.number()))
    changed.metadata.revision = 0
    return s.given_update(changed)


def expect_ordered(s: Session, apps: Sequence[model.App], query: list_pb2.ListRequest, **scope: Any) -> None:
    """Broken unless List gives the apps in the order of the query."""
    found = [id_of(app) for app in s.list(query, **scope).apps]
    expected = [[id_of(app) for app in order] for order in listing.orders(apps, listing.sorts_of(query))]
    if found not in expected:
        expect_equal(found, expected[0], f"the apps by {listing.order_of(query)}")
