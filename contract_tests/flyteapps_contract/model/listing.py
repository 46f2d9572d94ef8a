"""The expected response of List, in plain Python over the apps as Get returns them: filters and orders.

Pure functions, written from the contract. Nothing here calls a plane, pages or checks; a filter that has no meaning
is a mistake of the caller and raises KeyError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2
from flyteidl2.common.identity_pb2 import Application, User
from google.protobuf.timestamp_pb2 import Timestamp

LABEL = "labels."
TEXTS = ("name", "project", "domain", "created_by")
ENUMS = ("status_phase", "desired_state")
TIMES = ("created_at", "updated_at")
SORT_KEYS = ("created_at", "updated_at", "name", "status_phase", "revision")

COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL")
SETS = ("VALUE_IN", "VALUE_NOT_IN")
ON_TEXTS = ("EQUAL", "NOT_EQUAL", "CONTAINS", "CONTAINS_CASE_INSENSITIVE", "ENDS_WITH", "NOT_ENDS_WITH", *SETS)
PRESENCE = ("EXISTS", "NOT_EXISTS")
MEANING: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TEXTS, ON_TEXTS),
    LABEL: (*ON_TEXTS, *PRESENCE),
    **dict.fromkeys(ENUMS, ("EQUAL", "NOT_EQUAL", *SETS)),
    **dict.fromkeys(TIMES, COMPARISONS),
}
"""The functions that each field takes; all labels together stand as "labels."."""
OF_THE_MISSING = {"NOT_EXISTS", "NOT_EQUAL", "VALUE_NOT_IN", "NOT_ENDS_WITH"}
"""The functions that match a missing label."""

SECOND = 10**9
_DIRECTION = {list_pb2.Sort.ASCENDING: "ascending", list_pb2.Sort.DESCENDING: "descending"}

AppId = tuple[str, str, str, str]


def where(function: str, field: str, *values: str) -> list_pb2.Filter:
    """Return a filter, its function by name."""
    return list_pb2.Filter(function=function, field=field, values=values)


def by(*keys_and_directions: Any, limit: int = 0) -> list_pb2.ListRequest:
    """Return a query sorted by key, direction, key, direction and so on."""
    pairs = zip(keys_and_directions[::2], keys_and_directions[1::2], strict=True)
    sorts = [list_pb2.Sort(key=key, direction=direction) for key, direction in pairs]
    return list_pb2.ListRequest(limit=limit, sort_by_fields=sorts)


def altered(query: list_pb2.ListRequest, **changes: Any) -> list_pb2.ListRequest:
    """Return the query with some of its fields replaced."""
    fields = {field.name: value for field, value in query.ListFields()}
    return list_pb2.ListRequest(**{**fields, **changes})


def sorts_of(query: list_pb2.ListRequest) -> list[list_pb2.Sort]:
    """Return what a query is sorted by."""
    return list(query.sort_by_fields) or ([query.sort_by] if query.HasField("sort_by") else [])


def order_of(query: list_pb2.ListRequest) -> str:
    """Return what a query is sorted by, for a reader."""
    return ", ".join(f"{sort.key} {_DIRECTION[sort.direction]}" for sort in sorts_of(query)) or "no key"


def matches(app: model.App, filters: Iterable[list_pb2.Filter]) -> bool:
    """Return whether the app passes all of the filters."""
    return all(_passes(app, each) for each in filters)


def ordered(apps: Iterable[model.App], sorts: Sequence[list_pb2.Sort] = ()) -> list[model.App]:
    """Return the apps by these keys, the first one first, ties by id; without keys by creation."""
    return _sorted(sorted(apps, key=id_of), sorts or [list_pb2.Sort(key="created_at", direction="ASCENDING")])


def orders(apps: Iterable[model.App], sorts: Sequence[list_pb2.Sort] = ()) -> list[list[model.App]]:
    """Return the orders that keep the contract: with a descending key, ties may descend as well."""
    first = ordered(apps, sorts)
    if all(sort.direction == list_pb2.Sort.ASCENDING for sort in sorts):
        return [first]
    return [first, _sorted(sorted(first, key=id_of, reverse=True), sorts)]


def without_enrichment(app: model.App) -> model.App:
    """Return the app with nothing but the ids of its identities."""
    bare = model.App()
    bare.CopyFrom(app)
    for identity in [bare.spec.creator, *(each.actor for each in bare.status.conditions if each.HasField("actor"))]:
        if identity.HasField("user"):
            identity.user.CopyFrom(User(id=identity.user.id))
        elif identity.HasField("application"):
            identity.application.CopyFrom(Application(id=identity.application.id))
    return bare


def id_of(app: model.App) -> AppId:
    """Return the app's id as something to compare."""
    found = app.metadata.id
    return (found.org, found.project, found.domain, found.name)


def ids_of(apps: Iterable[model.App]) -> list[AppId]:
    """Return the ids of the apps, sorted: what two answers are compared by where their order doesn't count."""
    return sorted(id_of(app) for app in apps)


def phase(app: model.App) -> str:
    """Return the name of the last condition's status."""
    status = app.status.conditions[-1].deployment_status if app.status.conditions else 0
    return model.Status.DeploymentStatus.Name(status)


def subject(app: model.App) -> str:
    """Return who created the app."""
    creator = app.spec.creator
    return (creator.application if creator.HasField("application") else creator.user).id.subject


def nanoseconds(time: Timestamp) -> int:
    """Return the time since the epoch."""
    return time.seconds * SECOND + time.nanos


def rfc3339(time: int, offset: timedelta | None = None) -> str:
    """Nanoseconds since the epoch as text, at an offset from UTC or with a Z."""
    seconds, rest = divmod(time, SECOND)
    local = datetime.fromtimestamp(seconds, timezone(offset) if offset is not None else UTC)
    text = local.strftime("%Y-%m-%dT%H:%M:%S") + (f".{rest:09}".rstrip("0") if rest else "")
    return text + (local.isoformat()[-6:] if offset is not None else "Z")


def of_rfc3339(text: str) -> int:
    """Nanoseconds since the epoch."""
    found = re.fullmatch(r"([^.]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    assert found is not None, text
    whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (whole - epoch) // timedelta(seconds=1) * SECOND + int((found[2] or "").ljust(9, "0"))


def _sorted(apps: list[model.App], sorts: Sequence[list_pb2.Sort]) -> list[model.App]:
    for sort in reversed(sorts):  # sort() keeps the order of equals, also in reverse
        apps.sort(key=_SORTS[sort.key], reverse=sort.direction == list_pb2.Sort.DESCENDING)
    return apps


def _passes(app: model.App, asked: list_pb2.Filter) -> bool:
    function = list_pb2.Filter.Function.Name(asked.function)
    values = list(asked.values)
    if asked.field in TIMES:
        return _COMPARED[function](_TIMES[asked.field](app), of_rfc3339(values[0]))
    value = _text(app, asked.field)
    if value is None:
        return function in OF_THE_MISSING
    return _TEXT[function](value, values)


def _text(app: model.App, field: str) -> str | None:
    if field.startswith(LABEL):
        return app.metadata.labels.get(field.removeprefix(LABEL))
    return _READ[field](app)


_READ: dict[str, Callable[[model.App], str]] = {
    "name": lambda app: app.metadata.id.name,
    "project": lambda app: app.metadata.id.project,
    "domain": lambda app: app.metadata.id.domain,
    "created_by": subject,
    "status_phase": phase,
    "desired_state": lambda app: model.Spec.DesiredState.Name(app.spec.desired_state),
}
_TIMES: dict[str, Callable[[model.App], int]] = {
    "created_at": lambda app: nanoseconds(app.status.created_at),
    "updated_at": lambda app: nanoseconds(app.status.last_updated_at),
}
_SORTS: dict[str, Callable[[model.App], str | int]] = {
    "name": _READ["name"],
    "status_phase": phase,
    "revision": lambda app: app.metadata.revision,
    **_TIMES,
}
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "EQUAL": lambda one, other: one == other,
    "NOT_EQUAL": lambda one, other: one != other,
    "GREATER_THAN": lambda one, other: one > other,
    "GREATER_THAN_OR_EQUAL": lambda one, other: one >= other,
    "LESS_THAN": lambda one, other: one < other,
    "LESS_THAN_OR_EQUAL": lambda one, other: one <= other,
}
_TEXT: dict[str, Callable[[str, list[str]], bool]] = {
    "EQUAL": lambda text, values: text == values[0],
    "NOT_EQUAL": lambda text, values: text != values[0],
    "CONTAINS": lambda text, values: values[0] in text,
    "CONTAINS_CASE_INSENSITIVE": lambda text, values: values[0].casefold() in text.casefold(),
    "ENDS_WITH": lambda text, values: text.endswith(values[0]),
    "NOT_ENDS_WITH": lambda text, values: not text.endswith(values[0]),
    "VALUE_IN": lambda text, values: text in values,
    "VALUE_NOT_IN": lambda text, values: text not in values,
    "EXISTS": lambda text, values: True,
    "NOT_EXISTS": lambda text, values: False,
}
