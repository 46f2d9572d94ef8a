"""Filters and order of a service's lists, over the fields of an item, each a text.

An unknown field or function is rejected, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from flyteidl2.common.list_pb2 import Filter, ListRequest, Sort

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.validation import quoted

Item = TypeVar("Item")
Fields = Mapping[str, Callable[[Item], str]]
"""The fields to filter and sort by, each with a function that returns its text."""
MAX_FILTERS = 32
MAX_VALUES = 100

_TESTS: dict[int, Callable[[str, Sequence[str]], bool]] = {
    Filter.EQUAL: lambda text, values: text == values[0],
    Filter.NOT_EQUAL: lambda text, values: text != values[0],
    Filter.CONTAINS: lambda text, values: values[0] in text,
    Filter.VALUE_IN: lambda text, values: text in values,
    Filter.VALUE_NOT_IN: lambda text, values: text not in values,
}


def matches(filters: Sequence[Filter], fields: Fields[Item]) -> Callable[[Item], bool]:
    """Return a function that reports whether an item matches every filter. Raises RpcError."""
    if len(filters) > MAX_FILTERS or any(len(each.values) > MAX_VALUES for each in filters):
        raise _invalid(f"filters: at most {MAX_FILTERS} with {MAX_VALUES} values each are allowed")
    tests = [_compile(each, fields) for each in filters]
    return lambda item: all(test(item) for test in tests)


def _compile(each: Filter, fields: Fields[Item]) -> Callable[[Item], bool]:
    text, test, values = _field(each.field, fields), _TESTS.get(each.function), list(each.values)
    if test is None:
        names = ", ".join(Filter.Function.Name(Filter.Function.ValueType(number)) for number in _TESTS)
        raise _invalid(f"filters: the function of {quoted(each.field)} must be one of {names}")
    if not values:
        raise _invalid(f"filters: {quoted(each.field)} has no value")
    return lambda item: test(text(item), values)


def ordered(items: Iterable[Item], request: ListRequest, fields: Fields[Item]) -> list[Item]:
    """Return the items in the order of the request's sort keys, unchanged if it has none. Raises RpcError."""
    sorts = list(request.sort_by_fields) or ([request.sort_by] if request.sort_by.key else [])
    return by_keys(items, sorts, fields)


def by_keys(items: Iterable[Item], sorts: Sequence[Sort], fields: Fields[Item]) -> list[Item]:
    """Return the items sorted by the keys, the first key being the most significant. Raises RpcError."""
    if len(sorts) > MAX_FILTERS:
        raise _invalid(f"sort_by: at most {MAX_FILTERS} keys are allowed")
    found = list(items)
    for sort in reversed(sorts):
        found.sort(key=_field(sort.key, fields), reverse=sort.direction == Sort.DESCENDING)
    return found


def _field(name: str, fields: Fields[Item]) -> Callable[[Item], str]:
    if name not in fields:
        raise _invalid(f"{quoted(name)} is not a field of these items; use one of {', '.join(fields)}")
    return fields[name]


def _invalid(message: str) -> RpcError:
    return RpcError(Code.INVALID_ARGUMENT, message)
