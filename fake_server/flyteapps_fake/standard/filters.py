"""Filters of List: each is checked and compiled once a request, then applied to every app.

Fields and functions that have no meaning together are refused, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flyteidl2.app.app_definition_pb2 import App, Spec, Status
from flyteidl2.common.list_pb2 import Filter

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import status_name
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.standard.apps import AppRecord

Reader = Callable[[AppRecord, "Lazy"], Any]
"""Returns the value of a field of an app."""
Test = Callable[[Any], bool]
"""Tests a value."""


class Lazy:
    """The metadata and spec of a record, parsed at most once."""

    __slots__ = ("_app", "_record")

    def __init__(self, record: AppRecord) -> None:
        self._record = record
        self._app: App | None = None

    @property
    def app(self) -> App:
        """The app's metadata and spec."""
        if self._app is None:
            self._app = self._record.parse_front()
        return self._app


_EQUALITY = {Filter.EQUAL, Filter.NOT_EQUAL, Filter.VALUE_IN, Filter.VALUE_NOT_IN}
_TEXT = _EQUALITY | {Filter.CONTAINS, Filter.CONTAINS_CASE_INSENSITIVE, Filter.ENDS_WITH, Filter.NOT_ENDS_WITH}
_PRESENCE = {Filter.EXISTS, Filter.NOT_EXISTS}
_ORDER = {Filter.GREATER_THAN, Filter.GREATER_THAN_OR_EQUAL, Filter.LESS_THAN, Filter.LESS_THAN_OR_EQUAL}
_MANY = {Filter.VALUE_IN, Filter.VALUE_NOT_IN}
_TRUE_WITHOUT_LABEL = {Filter.NOT_EXISTS, Filter.NOT_EQUAL, Filter.VALUE_NOT_IN, Filter.NOT_ENDS_WITH}

_TEXT_FIELDS: dict[str, Callable[[AppRecord, Lazy], str]] = {
    "name": lambda record, _: record.key.name,
    "project": lambda record, _: record.key.project,
    "domain": lambda record, _: record.key.domain,
    "created_by": lambda _, lazy: _subject(lazy.app),
}
_ENUM_FIELDS: dict[str, tuple[Iterable[str], Callable[[AppRecord], str]]] = {
    "status_phase": (Status.DeploymentStatus.keys(), lambda record: status_name(record.status)),
    "desired_state": (
        Spec.DesiredState.keys(),
        lambda record: _state_name(record.desired_state),
    ),
}
_TIME_FIELDS: dict[str, Callable[[AppRecord, Lazy], int]] = {
    "created_at": lambda record, _: record.created_at,
    "updated_at": lambda record, _: record.updated_at,
}
LABEL_PREFIX = "labels."
MAX_FILTERS = 100
MAX_VALUES = 1_000
"""Filters of a List, and values of all of them: each is tried on every app."""


def compile_filters(filters: Sequence[Filter]) -> Callable[[AppRecord], bool]:
    """Return one predicate that holds where every filter does. Raises INVALID_ARGUMENT for one without a meaning."""
    if len(filters) > MAX_FILTERS:
        raise RpcError(Code.INVALID_ARGUMENT, f"request.filters: {len(filters):,} filters; at most {MAX_FILTERS} apply")
    values = sum(len(each.values) for each in filters)
    if values > MAX_VALUES:
        raise RpcError(
            Code.INVALID_ARGUMENT, f"request.filters: {values:,} values; all filters may have {MAX_VALUES:,}"
        )
    tests: dict[str, tuple[Reader, list[Test]]] = {}
    """By field, so that many filters of one field read it once an app."""
    for index, each in enumerate(filters):
        read, test = _compile(index, each)
        tests.setdefault(each.field, (read, []))[1].append(test)
    fields = list(tests.values())

    def matches(record: AppRecord) -> bool:
        lazy = Lazy(record)
        for read, wanted in fields:
            value = read(record, lazy)
            for test in wanted:
                if not test(value):
                    return False
        return True

    return matches


def _compile(index: int, each: Filter) -> tuple[Reader, Test]:
    """Return the reader of the filter's field, and its test of the field's value."""
    where = f"request.filters[{index}] on {quoted(each.field)}"
    function = each.function
    if function not in Filter.Function.values():
        raise RpcError(Code.INVALID_ARGUMENT, f"{where}: {function} is no filter function")
    values = list(each.values)
    if each.field in _TEXT_FIELDS:
        _check(where, function, values, _TEXT)
        return _TEXT_FIELDS[each.field], _text_test(function, values)
    if each.field in _ENUM_FIELDS:
        _check(where, function, values, _EQUALITY)
        names, value = _ENUM_FIELDS[each.field]
        for name in values:
            if name not in names:
                raise RpcError(Code.INVALID_ARGUMENT, f"{where}: {quoted(name)} is none of {', '.join(names)}")
        return lambda record, _: value(record), _text_test(function, values)
    if each.field in _TIME_FIELDS:
        _check(where, function, values, _ORDER | {Filter.EQUAL, Filter.NOT_EQUAL})
        compare, bound = _COMPARISONS[function], parse_time(where, values[0])
        return _TIME_FIELDS[each.field], lambda time: compare(time, bound)
    if each.field.startswith(LABEL_PREFIX) and len(each.field) > len(LABEL_PREFIX):
        _check(where, function, values, _TEXT | _PRESENCE)
        key = each.field.removeprefix(LABEL_PREFIX)
        return lambda _, lazy: lazy.app.metadata.labels.get(key), _label_test(function, values)
    known = ", ".join((*_TEXT_FIELDS, *_ENUM_FIELDS, *_TIME_FIELDS, "labels.KEY"))
    raise RpcError(Code.INVALID_ARGUMENT, f"{where}: no such field; apps are filtered by {known}")


def _check(where: str, function: int, values: list[str], allowed: set[Filter.Function]) -> None:
    name = Filter.Function.Name(Filter.Function.ValueType(function))
    if function not in allowed:
        offered = ", ".join(sorted(map(Filter.Function.Name, allowed)))
        raise RpcError(Code.INVALID_ARGUMENT, f"{where}: {name} does not apply; one of {offered} does")
    if function in _PRESENCE:
        good, wanted = not values, "no value"
    elif function in _MANY:
        good, wanted = bool(values), "at least one value"
    else:
        good, wanted = len(values) == 1, "exactly one value"
    if not good:
        raise RpcError(Code.INVALID_ARGUMENT, f"{where}: {name} takes {wanted}, not {len(values)}")


def _text_test(function: int, values: list[str]) -> Callable[[str], bool]:
    first, among = values[0], frozenset(values)
    folded = first.casefold()
    tests: dict[int, Callable[[str], bool]] = {
        Filter.EQUAL: lambda text: text == first,
        Filter.NOT_EQUAL: lambda text: text != first,
        Filter.CONTAINS: lambda text: first in text,
        Filter.CONTAINS_CASE_INSENSITIVE: lambda text: folded in text.casefold(),
        Filter.ENDS_WITH: lambda text: text.endswith(first),
        Filter.NOT_ENDS_WITH: lambda text: not text.endswith(first),
        Filter.VALUE_IN: lambda text: text in among,
        Filter.VALUE_NOT_IN: lambda text: text not in among,
    }
    return tests[function]


def _label_test(function: int, values: list[str]) -> Test:
    """Return the test of a label's text, None where there is no such label."""
    if function in _PRESENCE:
        wanted = function == Filter.EXISTS
        return lambda text: (text is not None) is wanted
    test, without = _text_test(function, values), function in _TRUE_WITHOUT_LABEL
    return lambda text: without if text is None else test(text)


_COMPARISONS: dict[int, Callable[[int, int], bool]] = {
    Filter.EQUAL: lambda a, b: a == b,
    Filter.NOT_EQUAL: lambda a, b: a != b,
    Filter.GREATER_THAN: lambda a, b: a > b,
    Filter.GREATER_THAN_OR_EQUAL: lambda a, b: a >= b,
    Filter.LESS_THAN: lambda a, b: a < b,
    Filter.LESS_THAN_OR_EQUAL: lambda a, b: a <= b,
}

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_STATES = frozenset(Spec.DesiredState.values())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(where: str, text: str) -> int:
    """Return an RFC 3339 time with any offset, as nanoseconds since 1970."""
    found = _RFC3339.match(text)
    try:
        if found is None:
            raise ValueError
        stem, fraction, offset = found.groups()
        moment = datetime.fromisoformat(stem.upper() + ("+00:00" if offset in "Zz" else offset))
    except ValueError:
        message = f"{where}: {quoted(text)} is no RFC 3339 time, such as 2026-01-31T12:00:00Z"
        raise RpcError(Code.INVALID_ARGUMENT, message) from None
    return (moment - _EPOCH) // timedelta(seconds=1) * SECOND + int((fraction or "").ljust(9, "0"))


def _state_name(number: int) -> str:
    """Return the enum's name, or the number if this version of the enum lacks it, which no filter matches."""
    return Spec.DesiredState.Name(Spec.DesiredState.ValueType(number)) if number in _STATES else str(number)


def _subject(app: App) -> str:
    creator = app.spec.creator
    return creator.user.id.subject if creator.HasField("user") else creator.application.id.subject
