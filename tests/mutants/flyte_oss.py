"""Wrong planes of the dialect `flyte-oss`: one thing that the open-source backend does, done otherwise."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import PropertyMock, patch

from flyteidl2.app.app_definition_pb2 import App, Identifier, Ingress, Spec
from flyteidl2.app.app_payload_pb2 import WatchResponse

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.protobuf import encode, field
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.validation import check
from flyteapps_fake.flyte_oss import (
    answers,
    conditions,
    dialect,
    logs,
    names,
    payloads,
    reads,
    request_limits,
    services,
    watch_hub,
    writes,
)
from flyteapps_fake.flyte_oss.answers import Answers, CacheKey
from flyteapps_fake.flyte_oss.dialect import FlyteOss
from flyteapps_fake.flyte_oss.reads import Reads
from flyteapps_fake.flyte_oss.services import Service, Services
from flyteapps_fake.flyte_oss.simulation import operator
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.simulation.operator import Operator
from flyteapps_fake.flyte_oss.watch_hub import Subscription
from flyteapps_fake.flyte_oss.writes import Writes

from .planting import around, mutant

Planted = AbstractContextManager[Any]


@contextmanager
def in_place_of_resource_name(other: Callable[[Identifier], str]) -> Any:
    """Name resources by `other`, everywhere."""
    with ExitStack() as stack:
        for module in (dialect, logs, reads, writes):
            stack.enter_context(patch.object(module, "resource_name", other))
        yield


@mutant("OSS-1")
def the_rules_of_messages_are_checked() -> Planted:
    def call(real: Any, self: FlyteOss, call: Any) -> bytes:
        check(call.request)
        return real(self, call)

    return around(FlyteOss, "call", call)


@mutant("OSS-2")
def a_missing_payload_is_the_callers_mistake() -> Planted:
    return patch.object(
        payloads, "_unbuildable", lambda resource, why: RpcError(Code.INVALID_ARGUMENT, f"app {resource}: {why}")
    )


@mutant("OSS-3")
def a_bad_quantity_is_the_planes_failure() -> Planted:
    def checked(resource: str, spec: Spec) -> None:
        try:
            payloads.check_payload(resource, spec)
        except RpcError as error:
            raise RpcError(Code.INTERNAL if error.code is Code.UNAVAILABLE else error.code, error.message) from None

    return patch.object(writes, "check_payload", checked)


@mutant("OSS-4")
def case_tells_apps_apart() -> Planted:
    def name(app_id: Identifier) -> str:
        plain = names.resource_name(app_id)
        upper = any(part != part.lower() for part in (app_id.name, app_id.project, app_id.domain))
        return f"{plain[:50]}-u" if upper else plain

    return in_place_of_resource_name(name)


@mutant("OSS-4")
def projects_are_kept_apart() -> Planted:
    def name(app_id: Identifier) -> str:
        mark = hashlib.sha256(app_id.project.lower().encode()).hexdigest()[:4]
        return f"{names.resource_name(app_id)[:50]}-{mark}"

    return in_place_of_resource_name(name)


@mutant("OSS-5")
def long_names_are_hashed_in_lower_case() -> Planted:
    def name(app_id: Identifier) -> str:
        lower = Identifier(
            org=app_id.org, project=app_id.project.lower(), domain=app_id.domain.lower(), name=app_id.name.lower()
        )
        return names.resource_name(lower)

    return in_place_of_resource_name(name)


@mutant("OSS-6")
def an_app_without_an_org_has_none() -> Planted:
    return patch.object(services, "DEFAULT_ORG", "")


@mutant("OSS-7")
def a_second_create_is_refused() -> Planted:
    def create(real: Any, self: Writes, request: Any) -> Any:
        if self._cluster.services.get(names.resource_name(request.app.metadata.id)) is not None:
            raise RpcError(Code.ALREADY_EXISTS, "it is there already")
        return real(self, request)

    return around(Writes, "create", create)


@mutant("OSS-8")
def an_unchanged_spec_is_written() -> Planted:
    return patch.object(Service, "runs", lambda self, spec, map_order=b"": False)


@mutant("OSS-9")
def a_stopped_app_with_the_same_spec_stays_stopped() -> Planted:
    def deploy(real: Any, self: Writes, app: App) -> Any:
        resource = names.resource_name(app.metadata.id)
        old = self._cluster.services.get(resource)
        if old is not None and old.stopped and old.spec == encode(app.spec):
            return resource
        return (yield from real(self, app))

    return around(Writes, "_deploy", deploy)


@mutant("OSS-10")
def created_as_stopped_it_does_not_run() -> Planted:
    def create(real: Any, self: Writes, request: Any) -> Any:
        stopping = request.app.spec.desired_state == Spec.DESIRED_STATE_STOPPED
        app = yield from real(self, request)
        if stopping:
            yield from self._stop(names.resource_name(app.metadata.id))
        return app

    return around(Writes, "create", create)


@mutant("OSS-11")
def create_shows_the_whole_status() -> Planted:
    def create(real: Any, self: Writes, request: Any) -> Any:
        app = yield from real(self, request)
        app.status.k8s_metadata.namespace = services.NAMESPACE
        return app

    return around(Writes, "create", create)


@mutant("OSS-12")
def revisions_are_counted() -> Planted:
    def app(real: Any, self: Service, settings: Any, now: int) -> App:
        shown = real(self, settings, now)
        shown.metadata.revision = self.generation
        return shown

    return around(Service, "app", app)


@mutant("OSS-13")
def an_app_is_found_by_its_url() -> Planted:
    def get(real: Any, self: Reads, request: Any) -> bytes:
        if request.HasField("ingress"):
            raise RpcError(Code.NOT_FOUND, "no app answers under that ingress")
        return real(self, request)

    return around(Reads, "get", get)


@mutant("OSS-14")
def nothing_is_kept() -> Planted:
    return patch.object(reads, "_shows_stale_stop", lambda app: True)


@mutant("OSS-14")
def an_answer_is_kept_for_five_minutes() -> Planted:
    return patch.object(answers, "CACHE_LIFETIME_NS", 300 * SECOND)


@mutant("OSS-15")
def a_write_drops_what_is_kept_in_any_case() -> Planted:
    def forget(real: Any, self: Answers, key: CacheKey) -> None:
        for each in [each for each in self.encoded if each[3].lower() == key[3].lower()]:
            real(self, each)

    return around(Answers, "forget", forget)


@mutant("OSS-16")
def updating_an_absent_app_is_not_found() -> Planted:
    def update(real: Any, self: Writes, request: Any) -> Any:
        if request.app.metadata.HasField("id"):
            writes.require(self._cluster, names.resource_name(request.app.metadata.id))
        return real(self, request)

    return around(Writes, "update", update)


@mutant("OSS-17")
def a_revision_is_checked() -> Planted:
    def update(real: Any, self: Writes, request: Any) -> Any:
        if request.app.metadata.revision:
            raise RpcError(Code.ABORTED, "Either the change has already been applied, or it is for another revision")
        return real(self, request)

    return around(Writes, "update", update)


@mutant("OSS-18")
def a_conflicting_write_is_taken() -> Planted:
    return patch.object(Operator, "collides", lambda self, resource, since: False)


@mutant("OSS-18")
def a_conflicting_write_is_refused_and_taken() -> Planted:
    def deploy(real: Any, self: Writes, app: App) -> Any:
        try:
            return (yield from real(self, app))
        except RpcError as error:
            service = self._cluster.services.get(names.resource_name(app.metadata.id))
            if service is not None and "cannot be fulfilled" in error.message:
                self._cluster.put(replace(service, spec=encode(app.spec)))
            raise

    return around(Writes, "_deploy", deploy)


@mutant("OSS-19")
def update_status_is_taken() -> Planted:
    def call(real: Any, self: FlyteOss, call: Any) -> bytes:
        return field(1, encode(call.request.app)) if call.operation.method == "UpdateStatus" else real(self, call)

    return around(FlyteOss, "call", call)


@mutant("OSS-20")
def deleting_an_absent_app_is_not_found() -> Planted:
    def delete(real: Any, self: Writes, request: Any) -> Any:
        if request.HasField("app_id"):
            writes.require(self._cluster, names.resource_name(request.app_id))
        return real(self, request)

    return around(Writes, "delete", delete)


@mutant("OSS-21")
def an_org_can_be_listed() -> Planted:
    def list_(real: Any, self: Reads, request: Any) -> bytes:
        if request.WhichOneof("filter_by") == "org":
            request.ClearField("org")
        return real(self, request)

    return around(Reads, "list_", list_)


@mutant("OSS-22")
def a_filter_by_name_is_heeded() -> Planted:
    def listed(real: Any, self: Services, *arguments: Any) -> Any:
        return (each for each in real(self, *arguments) if not wanted or each.name in wanted)

    wanted: list[str] = []

    def list_(real: Any, self: Reads, request: Any) -> bytes:
        wanted[:] = [value for each in request.request.filters if each.field == "name" for value in each.values]
        return real(self, request)

    stack = ExitStack()
    stack.enter_context(around(Services, "listed", listed))
    stack.enter_context(around(Reads, "list_", list_))
    return stack


@mutant("OSS-24")
def without_a_target_everything_is_heard() -> Planted:
    def watching(real: Any, self: watch_hub.WatchHub, name: str) -> Any:
        return [*real(self, name), *(each for each in self.of(watch_hub.watch_scope("")))]

    return around(watch_hub.WatchHub, "watching", watching)


@mutant("OSS-25")
def only_the_very_app_is_heard() -> Planted:
    def watch(real: Any, self: Reads, request: Any) -> Subscription:
        stream = real(self, request)
        app_id = request.app_id

        def feed(event: bytes, *cause: Any) -> None:
            response = WatchResponse.FromString(event)
            body = getattr(response, response.WhichOneof("event") or "create_event")
            seen = (body.updated_app if hasattr(body, "updated_app") else body.app).metadata.id
            if (seen.project, seen.domain) == (app_id.project, app_id.domain):
                Subscription.feed(stream, event, *cause)

        stream.feed = feed
        return stream

    return around(Reads, "watch", watch)


@mutant("OSS-26")
def there_is_no_snapshot() -> Planted:
    return patch.object(reads, "matching", lambda *found: [])


@mutant("OSS-27")
def an_update_knows_the_app_before() -> Planted:
    def event_of(kind: int, app: bytes) -> bytes:
        return field(kind, field(1, app) + (field(2, app) if kind == 2 else b""))

    from flyteapps_fake.flyte_oss import cluster

    return patch.object(cluster, "event_of", event_of)


@mutant("OSS-28")
def a_deletion_ends_the_stream() -> Planted:
    def feed(real: Any, self: Subscription, event: bytes, *cause: Any) -> None:
        real(self, event, *cause)
        if event[0] >> 3 == 3:
            self.finish()

    return around(Subscription, "feed", feed)


@mutant("OSS-29")
def a_slow_watcher_is_told() -> Planted:
    def feed(real: Any, self: Subscription, event: bytes, *cause: Any) -> None:
        if len(self._queue) >= self._buffer:
            self.end(RpcError(Code.RESOURCE_EXHAUSTED, "too far behind"))
        real(self, event, *cause)

    return around(Subscription, "feed", feed)


@mutant("OSS-30")
def the_service_comes_first() -> Planted:
    def updated(real: Any, *arguments: Any) -> Any:
        found = real(*arguments)
        return (found[1], found[0], found[2])

    real = conditions.updated
    return patch.object(operator, "updated", lambda *arguments: updated(real, *arguments))


@mutant("OSS-31")
def an_update_clears_the_conditions() -> Planted:
    def put(real: Any, self: Any, service: Service) -> None:
        old = self.services.get(service.resource)
        changed = old is not None and old.generation != service.generation
        real(self, replace(service, conditions=()) if changed else service)

    from flyteapps_fake.flyte_oss.cluster import Cluster

    return around(Cluster, "put", put)


@mutant("OSS-32")
def a_failure_has_no_reason() -> Planted:
    def failed(real: Any, self: ClusterEnvironment, *arguments: Any) -> Any:
        said = real(self, *arguments)
        return type(said)(*(word._replace(reason="") for word in said))

    return around(ClusterEnvironment, "failed", failed)


@mutant("OSS-33")
def a_stopped_app_keeps_its_url() -> Planted:
    def status(real: Any, self: Service, settings: Any, now: int) -> Any:
        found = real(self, settings, now)
        if self.stopped:
            found.ingress.CopyFrom(names.ingress_of(settings, self.resource) or Ingress())
        return found

    return around(Service, "status", status)


@mutant("OSS-34")
def a_subdomain_is_heeded() -> Planted:
    def status(real: Any, self: Service, settings: Any, now: int) -> Any:
        found = real(self, settings, now)
        subdomain = Spec.FromString(self.spec).ingress.subdomain
        if subdomain and not self.stopped:
            found.ingress.CopyFrom(names.ingress_of(settings, subdomain) or Ingress())
        return found

    return around(Service, "status", status)


@mutant("OSS-35")
def an_unknown_replica_is_refused_at_once() -> Planted:
    def of_replica(real: Any, self: logs.Logs, replica: Any) -> Any:
        if replica.name and self.operator.pod(replica.name) is None:
            raise RpcError(Code.NOT_FOUND, f"pod {replica.name} not found in namespace {services.NAMESPACE}")
        return real(self, replica)

    return around(logs.Logs, "_of_replica", of_replica)


@mutant("OSS-36")
def lines_are_the_platforms() -> Planted:
    return patch.object(logs.logs, "USER", logs.logs.SYSTEM)


@mutant("OSS-37")
def log_streams_have_no_limit() -> Planted:
    return patch.object(logs, "MAX_STREAMS", 1_000)


@mutant("OSS-38")
def requests_have_a_limit() -> Planted:
    limited = replace(request_limits.LIMITS, request_bytes=RequestLimits().request_bytes)
    return patch.object(FlyteOss, "request_limits", PropertyMock(return_value=limited))


@mutant("OSS-76")
def the_cluster_of_a_spec_is_dropped() -> Planted:
    def deploy(real: Any, self: Writes, app: App, *more: Any) -> Any:
        app.spec.ClearField("cluster")
        return real(self, app, *more)

    return around(Writes, "_deploy", deploy)
