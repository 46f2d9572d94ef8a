"""Wrong planes: lists, their texts, and what is kept for them."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.list_pb2 import Filter
from sortedcontainers import SortedList

from flyteapps_fake.standard import filters, listing, reads, store
from flyteapps_fake.standard.apps import AppRecord
from flyteapps_fake.standard.store import SORT_KEYS, AppStore

from .planting import all_of, around, mutant

# ---- LI-1


@mutant("LI-1")
def a_cluster_lists_what_it_let_lapse() -> AbstractContextManager[Any]:
    def leave(real: Any, self: AppStore, scope: Any, old: AppRecord) -> None:
        current = self._records.get(old.key)
        if scope[0] != "cluster" or not old.lease or current is None or current.lease or current.cluster:
            real(self, scope, old)

    return around(AppStore, "_leave", leave)


@mutant("LI-1")
def a_cluster_lists_what_it_has_acknowledged() -> AbstractContextManager[Any]:
    real = listing._scope

    def scope(request: rpc.ListRequest, own_org: str) -> Any:
        found, keeps = real(request, own_org)
        if found is not None and found[0] == "cluster":
            return found, lambda record: not record.lease and keeps(record)
        return found, keeps

    return patch.object(listing, "_scope", scope)


# ---- LI-2


def _text_filter(function: int, test: Callable[[str, str], bool]) -> AbstractContextManager[Any]:
    """Compare a text and a filter's value in another way by one function."""

    def text_test(real: Any, asked: int, values: list[str]) -> Any:
        return (lambda text: test(text, values[0])) if asked == function else real(asked, values)

    return around(filters, "_text_test", text_test)


def _ascii_lower(text: str) -> str:
    return "".join(each.lower() if each.isascii() else each for each in text)


@mutant("LI-2")
def case_is_folded_in_ascii_alone() -> AbstractContextManager[Any]:
    return _text_filter(Filter.CONTAINS_CASE_INSENSITIVE, lambda text, value: _ascii_lower(value) in _ascii_lower(text))


@mutant("LI-2")
def case_is_lowered_and_not_folded() -> AbstractContextManager[Any]:
    return _text_filter(Filter.CONTAINS_CASE_INSENSITIVE, lambda text, value: value.lower() in text.lower())


@mutant("LI-2")
def accents_are_folded_too() -> AbstractContextManager[Any]:
    def bare(text: str) -> str:
        return unicodedata.normalize("NFC", text.casefold())

    return _text_filter(Filter.CONTAINS_CASE_INSENSITIVE, lambda text, value: bare(value) in bare(text))


@mutant("LI-2")
def an_underscore_stands_for_any_character() -> AbstractContextManager[Any]:
    return _text_filter(
        Filter.CONTAINS, lambda text, value: re.search(re.escape(value).replace("_", "."), text, re.DOTALL) is not None
    )


@mutant("LI-2")
def a_percent_sign_stands_for_any_text() -> AbstractContextManager[Any]:
    return _text_filter(
        Filter.ENDS_WITH,
        lambda text, value: re.search(re.escape(value).replace("%", ".*") + r"\Z", text, re.DOTALL) is not None,
    )


@mutant("LI-2")
def values_are_stripped_of_spaces() -> AbstractContextManager[Any]:
    return _text_filter(Filter.EQUAL, lambda text, value: text == value.strip())


# ---- LI-3


@mutant("LI-3")
def names_are_ordered_without_their_case() -> AbstractContextManager[Any]:
    return patch.dict(SORT_KEYS, {"name": lambda record: record.key.name.lower()})


@mutant("LI-3")
def names_are_ordered_without_hyphens() -> AbstractContextManager[Any]:
    return patch.dict(SORT_KEYS, {"name": lambda record: record.key.name.replace("-", "")})


@mutant("LI-3")
def revisions_are_ordered_as_texts() -> AbstractContextManager[Any]:
    return patch.dict(SORT_KEYS, {"revision": lambda record: str(record.revision)})


def _stale(key: str, missed: Callable[[AppRecord, AppRecord], bool]) -> AbstractContextManager[Any]:
    """Keep the order by a key as it was before commits that are `missed(old, new)`, until another kind of commit."""
    kept: dict[Any, SortedList[Any]] = {}

    def put(real: Any, self: AppStore, old: AppRecord | None, new: AppRecord | None) -> None:
        real(self, old, new)
        if old is None or new is None or not missed(old, new):
            for each in [each for each in kept if each[0] == id(self)]:
                del kept[each]

    def index(real: Any, self: AppStore, scope: Any, sort_key: str) -> Any:
        found = real(self, scope, sort_key)
        if sort_key != key or found is None:
            return found
        return kept.setdefault((id(self), scope), SortedList(found))

    return all_of(around(AppStore, "put", put), around(AppStore, "index", index))


@mutant("LI-3")
def a_lease_leaves_the_order_of_phases() -> AbstractContextManager[Any]:
    return _stale("status_phase", lambda old, new: bool(new.cluster) and not old.cluster)


@mutant("LI-3")
def a_lapse_leaves_the_order_of_phases() -> AbstractContextManager[Any]:
    return _stale("status_phase", lambda old, new: bool(old.lease) and not new.cluster)


@mutant("LI-3")
def a_report_leaves_the_order_of_phases() -> AbstractContextManager[Any]:
    return _stale("status_phase", lambda old, new: bool(old.cluster and new.cluster) and old.revision == new.revision)


@mutant("LI-3")
def an_update_of_labels_leaves_the_order_of_revisions() -> AbstractContextManager[Any]:
    return _stale("revision", lambda old, new: old.revision != new.revision and old.counter == new.counter)


@mutant("LI-3")
def an_update_of_an_assigned_app_leaves_the_order_of_updates() -> AbstractContextManager[Any]:
    return _stale("updated_at", lambda old, new: old.revision != new.revision and bool(old.cluster))


# ---- LI-4


@mutant("LI-4")
def a_page_begins_where_the_last_app_is_by_now() -> AbstractContextManager[Any]:
    def by_index(real: Any, store: AppStore, scope: Any, order: Any, after: Any) -> Any:
        current = store.get(after.key) if after is not None else None
        if after is not None and current is not None:
            after = after._replace(values=[SORT_KEYS[order.key](current)])
        return real(store, scope, order, after)

    return around(listing, "_by_index", by_index)


@mutant("LI-4")
def the_app_of_a_token_that_is_made_again_ends_the_list() -> AbstractContextManager[Any]:
    """Where it was created later than the token says, no page follows."""

    def by_index(real: Any, store: AppStore, scope: Any, order: Any, after: Any) -> Any:
        current = store.get(after.key) if after is not None else None
        if (
            after is not None
            and current is not None
            and order.key == "created_at"
            and current.created_at > after.values[0]
        ):
            return iter(())
        return real(store, scope, order, after)

    return around(listing, "_by_index", by_index)


@mutant("LI-4")
def a_token_by_a_key_that_moves_compares_the_key_alone() -> AbstractContextManager[Any]:
    """Where its app has another place by now, ties are left out."""

    def by_index(real: Any, store: AppStore, scope: Any, order: Any, after: Any) -> Any:
        value = SORT_KEYS[order.key]
        current = store.get(after.key) if after is not None else None
        for record in real(store, scope, order, after):
            moved = after is not None and current is not None and value(current) != after.values[0]
            if not moved or after is None or value(record) != after.values[0]:
                yield record

    return around(listing, "_by_index", by_index)


# ---- LI-5


def _counts_kept(until: Callable[[AppRecord | None, AppRecord | None], bool]) -> AbstractContextManager[Any]:
    """Count once a query, and again after a commit that is `until(old, new)`."""
    kept: dict[Any, int] = {}

    def put(real: Any, self: AppStore, old: AppRecord | None, new: AppRecord | None) -> None:
        real(self, old, new)
        if until(old, new):
            kept.clear()

    def list_apps(real: Any, apps: AppStore, tokens: Any, own_org: str, request: rpc.ListRequest, *more: Any) -> Any:
        encoded, page = real(apps, tokens, own_org, request, *more)
        answer = rpc.ListResponse.FromString(encoded)
        if request.include_total_count:
            query = id(apps), listing._fingerprint(request)
            answer.total_count = kept.setdefault(query, answer.total_count)
        return answer.SerializeToString(), page

    return all_of(around(store.AppStore, "put", put), around(reads, "list_apps", list_apps))


@mutant("LI-5")
def a_count_is_kept_through_updates() -> AbstractContextManager[Any]:
    return _counts_kept(lambda old, new: old is None or new is None)


@mutant("LI-5")
def a_count_is_kept_until_a_client_writes() -> AbstractContextManager[Any]:
    return _counts_kept(lambda old, new: old is None or new is None or old.revision != new.revision)
