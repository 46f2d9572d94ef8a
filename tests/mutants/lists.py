"""Wrong planes: List."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.list_pb2 import Filter

from flyteapps_fake.standard import filters, listing, reads

from .planting import around, mutant


@mutant("LI-1")
def a_project_scope_ignores_the_project() -> AbstractContextManager[Any]:
    real = listing._scope

    def scope(request: rpc.ListRequest, own_org: str) -> Any:
        found, keeps = real(request, own_org)
        return (("org",) if found is not None and found[0] == "project" else found), keeps

    return patch.object(listing, "_scope", scope)


@mutant("LI-2")
def contains_ignores_case() -> AbstractContextManager[Any]:
    def test(real: Any, function: int, values: list[str]) -> Any:
        return real(Filter.CONTAINS_CASE_INSENSITIVE if function == Filter.CONTAINS else function, values)

    return around(filters, "_text_test", test)


@mutant("LI-2")
def a_missing_label_fails_not_equal() -> AbstractContextManager[Any]:
    return patch.object(filters, "_TRUE_WITHOUT_LABEL", {Filter.NOT_EXISTS, Filter.VALUE_NOT_IN, Filter.NOT_ENDS_WITH})


@mutant("LI-3")
def no_direction_means_ascending() -> AbstractContextManager[Any]:
    return around(listing, "_orders", lambda real, query: [each._replace(ascending=True) for each in real(query)])


@mutant("LI-4")
def tokens_are_not_signed() -> AbstractContextManager[Any]:
    return patch.object(listing.Tokens, "_mac", lambda self, body: b"0" * 16)


@mutant("LI-5")
def the_total_is_of_the_page() -> AbstractContextManager[Any]:
    def list_apps(real: Any, store: Any, tokens: Any, own_org: str, request: rpc.ListRequest) -> Any:
        encoded, page = real(store, tokens, own_org, request)
        answer = rpc.ListResponse.FromString(encoded)
        answer.total_count = len(answer.apps) if request.include_total_count else 0
        return answer.SerializeToString(), page

    return around(reads, "list_apps", list_apps)


@mutant("LI-7")
def identities_stay_rich() -> AbstractContextManager[Any]:
    return patch.object(listing, "_bare", listing._whole)


@mutant("LI-4")
def a_page_begins_with_the_last_ones_end() -> AbstractContextManager[Any]:
    def by_index(store: Any, scope: Any, order: Any, after: Any) -> Any:
        if after is not None and (last := store.get(after.key)) is not None:
            yield last
        yield from real(store, scope, order, after)

    real = listing._by_index
    return patch.object(listing, "_by_index", by_index)


@mutant("LI-4")
def a_page_skips_one() -> AbstractContextManager[Any]:
    def by_index(store: Any, scope: Any, order: Any, after: Any) -> Any:
        found = real(store, scope, order, after)
        if after is not None:
            next(found, None)
        yield from found

    real = listing._by_index
    return patch.object(listing, "_by_index", by_index)


@mutant("LI-4")
def there_is_always_another_page() -> AbstractContextManager[Any]:
    return around(listing, "_page", lambda real, found, limit: ((page := real(found, limit)[0]), bool(page)))


@mutant("LI-2")
def later_than_is_not_earlier_than() -> AbstractContextManager[Any]:
    return patch.dict(filters._COMPARISONS, {Filter.GREATER_THAN: lambda a, b: a >= b})


@mutant("LI-2")
def the_last_filter_alone_counts() -> AbstractContextManager[Any]:
    return around(listing, "compile_filters", lambda real, each: real(list(each)[-1:]))


@mutant("LI-3")
def a_second_sort_key_is_ignored() -> AbstractContextManager[Any]:
    return around(listing, "_orders", lambda real, query: real(query)[:1])
