"""Get, List and Watch: nothing here changes an app.

Requests come with their org filled in and validated.
"""

from __future__ import annotations

from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest, WatchRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.listing import list_apps
from flyteapps_fake.standard.watch import Subscription, WatchScope, app_scope

UNKNOWN_INGRESS = "no app answers under that ingress"


def get(state: State, request: GetRequest) -> AppRecord:
    """Return the app of that id, or the owner of those URLs. Raises NOT_FOUND."""
    if request.HasField("app_id"):
        return state.require(AppKey.of(request.app_id))
    key = state.hosts.resolve(request.ingress)
    if key is None:
        raise RpcError(Code.NOT_FOUND, UNKNOWN_INGRESS)
    if state.sees is not None and not state.sees(key.project, key.domain):
        raise RpcError(Code.NOT_FOUND, UNKNOWN_INGRESS)
    return state.require(key)


def list_(state: State, request: ListRequest) -> tuple[bytes, list[AppRecord]]:
    """Return one page, encoded, and the records on it."""
    return list_apps(state.store, state.tokens, state.organization.name, request, state.sees)


def watch(state: State, request: WatchRequest) -> Subscription:
    """Return a subscription that starts with a snapshot."""
    scope = scope_of(request, state.organization.name)
    if scope is None:
        return state.events.subscribe(None, ())
    if scope[0] == "app":
        record = state.store.get(AppKey.of(request.app_id))
        return state.events.subscribe(scope, (record,) if record is not None else ())
    return state.events.subscribe(scope, state.store.members(scope))


def scope_of(request: WatchRequest, own_org: str) -> WatchScope | None:
    """Return the scope that a Watch is of; None for one that nothing is in."""
    match request.WhichOneof("target"):
        case "app_id":
            return app_scope(AppKey.of(request.app_id)) if request.app_id.org == own_org else None
        case "project":
            own = request.project.organization == own_org
            return ("project", request.project.name, request.project.domain) if own else None
        case "cluster_id":
            return ("cluster", request.cluster_id.name) if request.cluster_id.organization == own_org else None
        case _:
            return ("org",) if request.org == own_org else None
