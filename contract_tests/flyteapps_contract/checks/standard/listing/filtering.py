"""List, which apps pass: row LI-2. Scopes are in listing.py, order and pages in paging.py.

What a filter has to keep is computed by model.listing from the apps as Get returns them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.standard.listing.scopes import listed, second_domain, second_project
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal, expect_refusal
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import ids_of, where
from flyteapps_contract.session import FAILED, RUN, STARTED, STOP, UNSPECIFIED, Session

SOME = {
    **dict.fromkeys(listing.ENUMS, ""),
    **dict.fromkeys(listing.TIMES, "2024-05-06T07:08:09Z"),
    "status_phase": "DEPLOYMENT_STATUS_ACTIVE",
    "desired_state": "DESIRED_STATE_ACTIVE",
}
"""A value that has a meaning for the field; for texts any has."""
RETIRED = (8, 10, 11)
NEVER_USED = 99
NEAR = (-1, 0, 1)
OFFSETS = (None, timedelta(0), timedelta(hours=5, minutes=30), timedelta(hours=-8), timedelta(hours=-3, minutes=-30))


# ---- LI-2: filters that have a meaning


@check("LI-2", needs=("projects",))
def texts_are_filtered_by_every_function_that_they_take(s: Session) -> None:
    """Filters on name, project, domain and created_by keep exactly the apps that match."""
    alice, bot = s.app(s.name("-Web"), state=STOP), s.app(s.name("-web"), state=STOP)
    alice.spec.creator.user.id.subject = "Alice"
    bot.spec.creator.application.id.subject = "bot-ALICE"
    apps = [s.given(alice), s.given(bot), s.given_stopped(name=s.name("-job"))]
    for field in listing.TEXTS:
        for asked in _text_filters(field, [_value(app, field) for app in apps]):
            expect_filtered(s, apps, asked)


@check("LI-2", needs=("fresh",))
def project_and_domain_are_filtered_across_the_org(s: Session) -> None:
    """In the scope of an org, filters on project and domain keep exactly the apps that match."""
    name = s.name()
    places: list[dict[str, str]] = [
        {},
        {"project": second_project(s).upper()},
        {"project": "x"},
        {"domain": second_domain(s)},
    ]
    apps = [s.given_stopped(name=name, **place) for place in places]
    for field in ("project", "domain"):
        for asked in _text_filters(field, [_value(app, field) for app in apps]):
            expect_filtered(s, apps, asked, org=apps[0].metadata.id.org)


@check("LI-2", needs=("projects",))
def labels_are_filtered_by_every_function_that_they_take(s: Session) -> None:
    """Filters on a label keep what matches; a missing label fails all but the four that say it may be missing."""
    values = ("gold", "Golden", "old", "", None)
    apps = [s.given_stopped(labels={"tier": value} if value is not None else {"Tier": "gold"}) for value in values]
    texts = [value for value in values if value is not None]
    for asked in (*_text_filters("labels.tier", texts), where("EXISTS", "labels.tier"), where("EXISTS", "labels.Tier")):
        expect_filtered(s, apps, asked)
    for key in ("tier", "Tier", "nobody-has-it"):
        expect_filtered(s, apps, where("NOT_EXISTS", f"labels.{key}"))


@check("LI-2", needs=("projects",))
def a_label_filter_takes_the_whole_key(s: Session) -> None:
    """A label's key may hold dots and slashes: all that stands after "labels." is the key."""
    keys = ("example.com/team.name", "team.name", "name", "labels.name")
    apps = [s.given_stopped(labels={key: "blue"}) for key in keys]
    for key in (*keys, "example.com/team"):
        expect_filtered(s, apps, where("EQUAL", f"labels.{key}", "blue"))
        expect_filtered(s, apps, where("EXISTS", f"labels.{key}"))


@check("LI-2", needs=("projects",))
def desired_state_is_filtered_by_its_enum_name(s: Session) -> None:
    """Filters on desired_state compare the enum's name as it was sent: STARTED is not ACTIVE."""
    apps = [s.given(s.app(state=state)) for state in (RUN, STARTED, UNSPECIFIED, STOP)]
    for asked in _enum_filters("desired_state", model.Spec.DesiredState.keys()):
        expect_filtered(s, apps, asked)


@check("LI-2", needs=("projects", "cluster"))
def status_phase_is_filtered_by_the_last_condition(s: Session) -> None:
    """Filters on status_phase compare the enum's name of the last condition, not of one before."""
    apps = [s.given_stopped(), s.given_active()]
    if s.capabilities.failing:
        apps.append(s.given_rest(s.given(s.app(labels=s.capabilities.failing)).metadata.id, FAILED))
    apps = [s.get(app.metadata.id) for app in apps]
    for asked in _enum_filters("status_phase", model.Status.DeploymentStatus.keys()):
        expect_filtered(s, apps, asked)


@check("LI-2", needs=("projects",))
def times_are_filtered_to_the_nanosecond_at_any_offset(s: Session) -> None:
    """Filters on created_at and updated_at compare instants: at any offset, and one nanosecond makes a difference."""
    apps = [s.given_stopped() for _ in range(3)]
    apps[1] = s.given_update(s.changed(apps[1], "changed"))
    status = apps[1].status
    times = [listing.nanoseconds(time) + near for time in (status.created_at, status.last_updated_at) for near in NEAR]
    offsets = itertools.cycle(OFFSETS)
    for field, function in itertools.product(listing.TIMES, listing.COMPARISONS):
        for time in times:
            expect_filtered(s, apps, where(function, field, listing.rfc3339(time, next(offsets))))


@check("LI-2", needs=("projects",))
def all_filters_have_to_match(s: Session) -> None:
    """Several filters keep the apps that pass every one of them, also on one field."""
    names = [s.name(tail) for tail in ("-a1", "-a2", "-b1")]
    apps = [s.given_stopped(name=name, labels={"n": name[-1]}) for name in names]
    one, first, not_last = where("EQUAL", "labels.n", "1"), where("CONTAINS", "name", "-a"), where("EXISTS", "labels.n")
    never = where("EQUAL", "labels.n", "2")
    for asked in ((one, first), (first, one), (one, never), (first, never, not_last), (one, one), (first, not_last)):
        expect_filtered(s, apps, *asked)


# ---- LI-2: filters that have none


@check("LI-2")
def a_function_that_its_field_does_not_take_is_refused(s: Session) -> None:
    """A function without a meaning for its field, retired or unknown numbers included, is INVALID_ARGUMENT."""
    for place, functions in listing.MEANING.items():
        field = f"{place}a" if place == listing.LABEL else place
        for function in set(list_pb2.Filter.Function.keys()) - set(functions):
            values = [] if function in listing.PRESENCE else [SOME.get(field, "x")]
            _expect_refused(s, where(function, field, *values))
        for number in (*RETIRED, NEVER_USED):
            unknown = where("EQUAL", field, SOME.get(field, "x"))
            unknown.function = number  # type: ignore[assignment]  # the point is that it is none of the enum's
            _expect_refused(s, unknown)


@check("LI-2")
def a_field_that_is_not_in_the_list_is_refused(s: Session) -> None:
    """A filter on any other field is INVALID_ARGUMENT, whatever its function."""
    for field in ("", "image", "Name", "org", "revision", "status", "metadata.name", "labels", "label.a", "created"):
        _expect_refused(s, where("EQUAL", field, "x"))
    _expect_refused(s, where("VALUE_IN", "cluster_pool", "x", "y"))
    _expect_refused(s, where("EXISTS", "spec"))


@check("LI-2")
def a_wrong_number_of_values_is_refused(s: Session) -> None:
    """The set functions take at least one value, EXISTS and NOT_EXISTS none, all others exactly one."""
    for place, functions in listing.MEANING.items():
        field = f"{place}a" if place == listing.LABEL else place
        value = SOME.get(field, "x")
        for function in functions:
            if function in listing.PRESENCE:
                _expect_refused(s, where(function, field, value))
                continue
            _expect_refused(s, where(function, field))
            if function not in listing.SETS:
                _expect_refused(s, where(function, field, value, value))


@check("LI-2")
def a_value_of_the_wrong_type_is_refused(s: Session) -> None:
    """A time that is not RFC 3339 and a phase or state that does not exist are INVALID_ARGUMENT."""
    bad_times = ("", "yesterday", "1714979289", "2024-05-06", "2024-05-06T07:08:09", "2024-13-06T07:08:09Z")
    for field, value in itertools.product(listing.TIMES, bad_times):
        _expect_refused(s, where("EQUAL", field, value))
        _expect_refused(s, where("LESS_THAN", field, value))
    for field in listing.ENUMS:
        _expect_refused(s, where("EQUAL", field, "NO_SUCH_NAME"))
        _expect_refused(s, where("VALUE_IN", field, SOME[field], "NO_SUCH_NAME"))


@check("LI-2")
def one_bad_filter_among_good_ones_is_refused(s: Session) -> None:
    """A filter without a meaning is refused wherever it stands, also beside one that no app matches."""
    none, bad = where("EQUAL", "name", s.name()), where("EQUAL", "size", "x")
    _expect_refused(s, none, bad)
    _expect_refused(s, bad, none)


@check("LI-2")
def raw_filters_are_refused(s: Session) -> None:
    """raw_filters have no meaning here: INVALID_ARGUMENT, alone and beside a filter that has one."""
    good = where("EQUAL", "name", s.name())
    for filters in ([], [good]):
        with expect_refusal("INVALID_ARGUMENT", "List with raw_filters"):
            s.list(list_pb2.ListRequest(raw_filters=["eq(name,x)"], filters=filters))


# ---- words


def _value(app: model.App, field: str) -> str:
    found = app.metadata.id
    return listing.subject(app) if field == "created_by" else str(getattr(found, field))


def _text_filters(field: str, texts: Sequence[str]) -> list[list_pb2.Filter]:
    """Return every function on texts with values at its edges: whole values, parts, the other case, nothing."""
    text, nothing = texts[0], "no-such-value"
    values = {*texts, text.upper(), text.lower(), text[1:], text[:-1], text[1:-1], text[-1:], "", nothing}
    sets = ([text], texts[:2], [nothing, texts[-1]], [nothing], [text, text])
    single = [function for function in listing.ON_TEXTS if function not in listing.SETS]
    return [where(function, field, value) for function in single for value in sorted(values)] + [
        where(function, field, *some) for function in listing.SETS for some in sets
    ]


def _enum_filters(field: str, names: Sequence[str]) -> list[list_pb2.Filter]:
    """Return every function on enums with every name, and with two."""
    filters = [where(function, field, name) for function in ("EQUAL", "NOT_EQUAL", *listing.SETS) for name in names]
    return filters + [where(function, field, *pair) for function in listing.SETS for pair in itertools.pairwise(names)]


def expect_filtered(s: Session, apps: Sequence[model.App], *filters: list_pb2.Filter, **scope: Any) -> None:
    """Broken unless List with these filters gives the apps that pass them all."""
    query = list_pb2.ListRequest(limit=1000, filters=filters)
    expected = ids_of(app for app in apps if listing.matches(app, filters))
    expect_equal(listed(s, query, **scope), expected, f"the apps that pass {_filters_text(filters)}")


def _expect_refused(s: Session, *filters: list_pb2.Filter) -> None:
    with expect_refusal("INVALID_ARGUMENT", f"List with the filter {_filters_text(filters)}"):
        s.list(list_pb2.ListRequest(filters=filters))


def _filters_text(filters: Iterable[list_pb2.Filter]) -> str:
    names = {value.number: value.name for value in list_pb2.Filter.Function.DESCRIPTOR.values}
    return ", ".join(f"{each.field} {names.get(each.function, each.function)} {list(each.values)}" for each in filters)
