"""Get, List and Watch, and the cache that Get is answered from.

An answer to Get is kept for 30 seconds, by project, domain and name as they were sent; a write drops that of its id.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import cast

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest, WatchRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import STOPPED
from flyteapps_fake.core.operations import CREATE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.protobuf import encode, field
from flyteapps_fake.core.time.clock import SECOND, Timer
from flyteapps_fake.flyte_oss.cluster import Cluster
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.services import Service
from flyteapps_fake.flyte_oss.watch_hub import LAG, Subscription, event_of
from flyteapps_fake.flyte_oss.writes import require

KEPT = 30 * SECOND
"""How long an answer to Get is given again."""
MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Bytes of the answers that are kept, the stand-in's own bound; the oldest are dropped before their time."""

CacheKey = tuple[str, str, str, str]
"""("get", PROJECT, DOMAIN, NAME)."""


def cache_key(app_id: Identifier) -> CacheKey:
    """What an answer is kept by: the org is no part of it, and case counts."""
    return ("get", app_id.project, app_id.domain, app_id.name)


class Reads:
    """The reads of one plane."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kept: dict[CacheKey, bytes] = {}
        self._kept_bytes = 0

    def get(self, request: GetRequest) -> bytes:
        """The encoded App: as it was read within the last 30 seconds, else as it is."""
        if not request.HasField("app_id"):
            raise RpcError(Code.INVALID_ARGUMENT, "app_id is required")
        timeline, key = self._cluster.timeline, cache_key(request.app_id)
        resource = resource_name(request.app_id)
        kept = self._kept.get(key)
        if kept is not None:
            timeline.read_late(resource)
            timeline.read_late(key)
            return kept
        timeline.read(resource)  # before it is looked at: the app may take a step because of that
        app = self._cluster.app(require(self._cluster, resource))
        encoded = encode(app)
        if not _in_between(app):
            self._keep(key, encoded)
            self._cluster.agenda.call_at(self._cluster.clock.now() + KEPT, key, self._expire)
            timeline.woken(key)
            timeline.read(key)
        return encoded

    def forget(self, app_id: Identifier) -> None:
        """Drops the answer that is kept for exactly that id: it was written."""
        key = cache_key(app_id)
        if self._drop(key):
            self._cluster.agenda.cancel(key)
            self._cluster.timeline.woken(key)

    def _keep(self, key: CacheKey, encoded: bytes) -> None:
        self._kept[key] = encoded
        self._kept_bytes += len(encoded)
        while self._kept_bytes > MAX_KEPT_BYTES and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._drop(oldest)
            self._cluster.agenda.cancel(oldest)

    def _drop(self, key: CacheKey) -> bool:
        """Forget the answer that is kept; whether there was one."""
        kept = self._kept.pop(key, None)
        self._kept_bytes -= len(kept) if kept is not None else 0
        return kept is not None

    def _expire(self, timer: Timer) -> None:
        self._drop(cast("CacheKey", timer.owner))

    def list_(self, request: ListRequest) -> bytes:
        """The encoded ListResponse: apps by resource name; filters, sort and total are not looked at."""
        match request.WhichOneof("filter_by"):
            case "org" | "cluster_id":
                message = "org and cluster_id filters are not supported by the data plane"
                raise RpcError(Code.UNIMPLEMENTED, message)
            case "project":
                project, domain = request.project.name, request.project.domain
            case _:
                project, domain = "", ""
        limit, token = request.request.limit, request.request.token
        start = _start_of(token, project, domain) if token else ""
        encoded: list[bytes] = []
        for service in self._cluster.services.listed(project, domain, start):
            if limit and len(encoded) == limit:
                encoded.append(field(2, _token(service.resource)))
                break
            self._cluster.timeline.read(service.resource)
            encoded.append(field(1, self._cluster.shown(service)))
        return b"".join(encoded)

    def watch(self, request: WatchRequest) -> Subscription:
        """A subscription by bare name, with a snapshot of the apps of that id's project and domain first."""
        match request.WhichOneof("target"):
            case "app_id":
                app_id = request.app_id
            case None:
                app_id = Identifier()
            case _:
                raise RpcError(Code.UNIMPLEMENTED, "only app_id watch target is supported")
        name = app_id.name
        snapshot = [self._cluster.shown(each) for each in self._seen(app_id)]
        return self._cluster.streams.subscribe(name, snapshot, self._late(name) if name else ())

    def _seen(self, app_id: Identifier) -> list[Service]:
        services = self._cluster.services
        found = services.named(app_id.name) if app_id.name else services.listed(app_id.project, app_id.domain)
        return [each for each in found if each.is_in(app_id.project, app_id.domain)]

    def _late(self, name: str) -> list[bytes]:
        """The events of writes that the informer has not heard of yet."""
        since = self._cluster.clock.now() - LAG
        found = [each for each in self._cluster.services.named(name) if each.written >= since]
        return [event_of(CREATE_EVENT if each.new else UPDATE_EVENT, self._cluster.shown(each)) for each in found]


def _in_between(app: App) -> bool:
    """Whether it shall run and shows that it is stopped: no answer to keep."""
    stopping = app.spec.desired_state == Spec.DESIRED_STATE_STOPPED
    return not stopping and any(each.deployment_status == STOPPED for each in app.status.conditions)


def _token(start: str) -> bytes:
    """Where the next page begins."""
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": -1, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=")


def _start_of(token: str, project: str, domain: str) -> str:
    try:
        start = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["start"]
        if isinstance(start, str) and start:
            return start
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    raise RpcError(
        Code.INTERNAL, f"failed to list KServices for {project}/{domain}: continue key is not valid: {token[:100]!r}"
    )
