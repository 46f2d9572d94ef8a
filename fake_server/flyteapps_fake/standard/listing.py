"""List: scope, filters, sort and keyset pages over the store's indexes.

A page costs the page for any single sort key; several keys are sorted in full.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flyteidl2.app.app_payload_pb2 import ListRequest
from flyteidl2.common.list_pb2 import ListRequest as Query
from flyteidl2.common.list_pb2 import Sort

from flyteapps_fake.core.call import Sees
from flyteapps_fake.core.draws import Seed
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.protobuf import encode, field, uint_field
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.filters import compile_filters
from flyteapps_fake.standard.store import SORT_KEYS, AppStore, Scope, SortValue

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_PAGE_BYTES = 3 * 1024 * 1024
MAX_SORT_KEYS = 10
"""Sort keys of a List: all apps are sorted by each."""


class Order(NamedTuple):
    """One sort key and its direction."""

    key: str
    ascending: bool


class Position(NamedTuple):
    """The end of a page: the sort values of its last app, and its id."""

    values: list[SortValue]
    key: AppKey


class Tokens:
    """Opaque page tokens, each valid for one query, also of another plane with that seed: a token is a position."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed

    def make(self, query: str, position: Position) -> str:
        """Return the token of a page of that query that begins after that position."""
        body = json.dumps([query, position.values, list(position.key)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def read(self, token: str, query: str) -> Position:
        """Return the position in a token of that query. Raises INVALID_ARGUMENT for any other token."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        mac, body = raw[:16], raw[16:]
        if base64.urlsafe_b64encode(raw).decode().rstrip("=") != token or not hmac.compare_digest(mac, self._mac(body)):
            raise RpcError(
                Code.INVALID_ARGUMENT, "request.token: it is the token of no page: leave it out to start over"
            )
        made_for, values, key = json.loads(body)
        if made_for != query:
            raise RpcError(Code.INVALID_ARGUMENT, "request.token: it belongs to another query")
        return Position(values, AppKey(*key))

    def _mac(self, body: bytes) -> bytes:
        secret = hashlib.sha256(f"page tokens of seed {self._seed}".encode()).digest()
        return hmac.digest(secret, body, "sha256")[:16]


def list_apps(
    store: AppStore, tokens: Tokens, own_org: str, request: ListRequest, sees: Sees | None = None
) -> tuple[bytes, list[AppRecord]]:
    """Return the encoded ListResponse, and the records on it; `sees`: the caller's view, None for all apps."""
    query = request.request
    if query.raw_filters:
        raise RpcError(Code.INVALID_ARGUMENT, "request.raw_filters: not supported; use request.filters")
    matches = _seen(sees, compile_filters(query.filters))
    orders = _orders(query)
    scope, consumes = _scope(request, own_org)
    fingerprint = _fingerprint(request)
    after = tokens.read(query.token, fingerprint) if query.token else None
    found = _sorted(store, scope, orders, after) if scope is not None else iter(())
    wanted = (r for r in found if consumes(r) and matches(r))
    total = 0
    if request.include_total_count and scope is not None:
        if after is None:  # the first page needs no second pass over all apps
            whole = list(wanted)
            total, wanted = len(whole), iter(whole)
        else:
            total = sum(1 for r in store.members(scope) if consumes(r) and matches(r))
    page, more = _page(wanted, min(query.limit or DEFAULT_LIMIT, MAX_LIMIT))
    shown = _bare if request.disable_identity_enrichment else _whole
    encoded = b"".join(field(1, shown(record)) for record in page)
    if more:
        last = page[-1]
        values = [SORT_KEYS[order.key](last) for order in orders]
        encoded += field(2, tokens.make(fingerprint, Position(values, last.key)).encode())
    return encoded + uint_field(3, total), page


def _seen(sees: Sees | None, matches: Callable[[AppRecord], bool]) -> Callable[[AppRecord], bool]:
    """Return the filter, and that the app is visible."""
    if sees is None:
        return matches
    return lambda record: sees(record.key.project, record.key.domain) and matches(record)


def _whole(record: AppRecord) -> bytes:
    return record.encoded


def _bare(record: AppRecord) -> bytes:
    """Return the app with its identities reduced to their ids."""
    app = record.parse()
    for identity in (app.spec.creator, *(condition.actor for condition in app.status.conditions)):
        kind = identity.WhichOneof("principal")
        if kind is not None:
            principal = getattr(identity, kind)
            for field, _ in principal.ListFields():
                if field.name != "id":
                    principal.ClearField(field.name)
    return encode(app)


def _orders(query: Query) -> list[Order]:
    sorts = list(query.sort_by_fields)
    if not sorts and query.HasField("sort_by"):
        sorts = [query.sort_by]
    if len(sorts) > MAX_SORT_KEYS:
        message = f"request.sort_by_fields: {len(sorts):,} sort keys; at most {MAX_SORT_KEYS} apply"
        raise RpcError(Code.INVALID_ARGUMENT, message)
    for sort in sorts:
        if sort.key not in SORT_KEYS:
            message = f"request.sort_by: no such key {quoted(sort.key)}; apps are sorted by {', '.join(SORT_KEYS)}"
            raise RpcError(Code.INVALID_ARGUMENT, message)
    return [Order(sort.key, sort.direction == Sort.ASCENDING) for sort in sorts] or [Order("created_at", True)]


def _scope(request: ListRequest, own_org: str) -> tuple[Scope | None, Callable[[AppRecord], bool]]:
    def everything(_: AppRecord) -> bool:
        return True

    match request.WhichOneof("filter_by"):
        case "org":
            return (("org",) if request.org == own_org else None), everything
        case "cluster_id":
            own = request.cluster_id.organization == own_org
            return (("cluster", request.cluster_id.name) if own else None), everything
        case "project":
            own = request.project.organization == own_org
            return (("project", request.project.name, request.project.domain) if own else None), everything
        case _:
            return ("org",), _consumer(request, own_org)


def _consumer(request: ListRequest, own_org: str) -> Callable[[AppRecord], bool]:
    wanted = request.artifact

    def consumes(record: AppRecord) -> bool:
        for item in record.parse_front().spec.inputs.items:
            if item.WhichOneof("value") == "artifact_id":
                key, version = item.artifact_id.key, item.artifact_id.version
                same = (key.project, key.domain, key.name) == (wanted.project, wanted.domain, wanted.name)
                if same and key.org in ("", own_org) and wanted.version in ("", version):
                    return True
        return False

    return consumes


def _fingerprint(request: ListRequest) -> str:
    query = ListRequest()
    query.CopyFrom(request)
    query.request.token = ""
    query.request.limit = 0
    query.include_total_count = False
    return hashlib.sha256(encode(query)).hexdigest()[:16]


def _sorted(store: AppStore, scope: Scope, orders: list[Order], after: Position | None) -> Iterator[AppRecord]:
    if len(orders) == 1:
        yield from _by_index(store, scope, orders[0], after)
        return
    records = sorted(store.members(scope), key=lambda record: record.key)
    for order in reversed(orders):
        records.sort(key=SORT_KEYS[order.key], reverse=not order.ascending)
    for record in records:
        if after is None or _comes_after(record, orders, after):
            yield record


def _comes_after(record: AppRecord, orders: list[Order], after: Position) -> bool:
    for order, bound in zip(orders, after.values, strict=True):
        value = SORT_KEYS[order.key](record)
        if value != bound:
            return (value > bound) is order.ascending  # type: ignore[operator]  # one key has one type
    return record.key > after.key


def _by_index(store: AppStore, scope: Scope, order: Order, after: Position | None) -> Iterator[AppRecord]:
    index = store.index(scope, order.key)
    if index is None:
        return
    bound = (after.values[0], after.key) if after is not None else None
    if order.ascending:
        entries = index.irange(minimum=bound, inclusive=(False, False))
    else:
        entries = index.irange(maximum=bound, inclusive=(False, False), reverse=True)
    for _, key in entries:
        record = store.get(key)
        if record is not None:
            yield record


def _page(found: Iterator[AppRecord], limit: int) -> tuple[list[AppRecord], bool]:
    page: list[AppRecord] = []
    size = 0
    for record in found:
        size += record.size + 16
        if page and (len(page) >= limit or size > MAX_PAGE_BYTES):
            return page, True
        page.append(record)
    return page, False
