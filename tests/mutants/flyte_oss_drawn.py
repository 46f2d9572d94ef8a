"""Wrong planes of the dialect `flyte-oss` that no directed check finds: what is drawn of the dialect has to."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from flyteidl2.app.app_payload_pb2 import WatchResponse

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.lifecycle import FAILED
from flyteapps_fake.core.operations import DELETE_EVENT
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.flyte_oss import answers, dialect, names, reads, writes
from flyteapps_fake.flyte_oss.answers import Answers, CacheKey
from flyteapps_fake.flyte_oss.cluster import Cluster
from flyteapps_fake.flyte_oss.pending_writes import Steps
from flyteapps_fake.flyte_oss.reads import Reads
from flyteapps_fake.flyte_oss.services import Service, Services
from flyteapps_fake.flyte_oss.simulation.operator import Operator
from flyteapps_fake.flyte_oss.watch_hub import Subscription, WatchHub
from flyteapps_fake.flyte_oss.writes import Writes

from .planting import all_of, around, mutant

Planted = AbstractContextManager[Any]


def _old(self: Writes, app: App) -> Service | None:
    """Return the service that a write of the app meets."""
    return self._cluster.services.get(names.resource_name(app.metadata.id))


def _stops(app: App) -> bool:
    return app.spec.desired_state == Spec.DESIRED_STATE_STOPPED


@mutant("OSS-12")
def answers_are_cached_without_the_domain() -> Planted:
    def key(app_id: Identifier) -> CacheKey:
        return ("get", app_id.project, "", app_id.name)

    return all_of(*(patch.object(module, "cache_key", key) for module in (reads, dialect)))


@mutant("OSS-14")
def a_stopped_app_is_cached_for_ever() -> Planted:
    def store(real: Any, self: Answers, key: CacheKey, encoded: bytes) -> None:
        longer = 10_000 if App.FromString(encoded).spec.desired_state == Spec.DESIRED_STATE_STOPPED else 30
        with patch.object(answers, "CACHE_LIFETIME_NS", longer * SECOND):
            real(self, key, encoded)

    return around(Answers, "store", store)


@mutant("OSS-17")
def an_app_created_as_stopped_is_not_stopped() -> Planted:
    def update(real: Any, self: Writes, request: Any) -> Steps[App]:
        old = _old(self, request.app)
        if _stops(request.app) and old is not None and _stops(App(spec=Spec.FromString(old.spec))):
            request.app.status.CopyFrom(self._cluster.status(old))
            return request.app
        return (yield from real(self, request))

    return around(Writes, "update", update)


@mutant("OSS-17")
def an_update_that_restarts_keeps_the_old_spec() -> Planted:
    def update(real: Any, self: Writes, request: Any) -> Steps[App]:
        old, sent = _old(self, request.app), request.app.spec
        if _stops(request.app) or old is None or not old.stopped:
            return (yield from real(self, request))
        kept = Spec()
        kept.CopyFrom(sent)
        state = sent.desired_state
        sent.CopyFrom(Spec.FromString(old.spec))
        sent.desired_state = state
        answer = yield from real(self, request)
        answer.spec.CopyFrom(kept)
        return answer

    return around(Writes, "update", update)


@mutant("OSS-21")
def a_project_is_listed_with_all_its_domains() -> Planted:
    return around(Services, "listed", lambda real, self, project, domain, *start: real(self, project, "", *start))


@mutant("OSS-22")
def apps_are_listed_by_name() -> Planted:
    def listed(real: Any, self: Services, *arguments: Any) -> Iterator[Service]:
        yield from sorted(real(self, *arguments), key=lambda each: each.name)

    return around(Services, "listed", listed)


@mutant("OSS-25")
def events_of_other_domains_are_held_back() -> Planted:
    def watch(real: Any, self: Reads, request: Any) -> Subscription:
        subscription = real(self, request)
        subscription.domain = request.app_id.domain
        return subscription

    def feed(real: Any, self: Any, event: bytes, *cause: Any) -> None:
        seen = WatchResponse.FromString(event)
        kind = str(seen.WhichOneof("event"))
        app = seen.update_event.updated_app if kind == "update_event" else getattr(seen, kind).app
        if getattr(self, "domain", "") in ("", app.metadata.id.domain):
            real(self, event, *cause)

    return all_of(around(Reads, "watch", watch), around(Subscription, "feed", feed))


@mutant("OSS-28")
def a_deletion_shows_a_stopped_app_as_running() -> Planted:
    def notify(real: Any, self: Cluster, kind: int, service: Service) -> None:
        real(self, kind, replace(service, stopped=False) if kind == DELETE_EVENT else service)

    return around(Cluster, "_notify", notify)


@mutant("OSS-26")
def one_watch_of_a_name_is_notified() -> Planted:
    return around(WatchHub, "watching", lambda real, self, name: real(self, name)[:1])


@mutant("OSS-33")
def a_deleted_app_comes_back_as_stopped() -> Planted:
    stopped: set[tuple[int, str]] = set()

    def delete(real: Any, self: Writes, request: Any) -> Steps[Identifier]:
        resource = names.resource_name(request.app_id)
        old = self._cluster.services.get(resource)
        if old is not None and old.stopped:
            stopped.add((id(self._cluster), resource))
        return (yield from real(self, request))

    def create(real: Any, self: Writes, request: Any) -> Steps[App]:
        app = yield from real(self, request)
        resource = names.resource_name(app.metadata.id)
        if (id(self._cluster), resource) in stopped:
            stopped.remove((id(self._cluster), resource))
            yield from self._stop(resource)
        return app

    return all_of(around(Writes, "delete", delete), around(Writes, "create", create))


@mutant("OSS-30")
def the_operator_passes_over_a_restart() -> Planted:
    def start(real: Any, self: Operator, service: Service, app: App) -> None:
        if service.generation == 1 or service.resource in self._rollouts:
            real(self, service, app)

    return around(Operator, "start", start)


@mutant("OSS-8")
def an_unchanged_spec_is_written_under_another_name() -> Planted:
    def create(real: Any, self: Writes, request: Any) -> Steps[App]:
        old = _old(self, request.app)
        if old is not None and old.name != request.app.metadata.id.name:
            with patch.object(Service, "runs", lambda self, spec: False):
                return (yield from real(self, request))
        return (yield from real(self, request))

    return around(Writes, "create", create)


@mutant("OSS-7")
def a_replaced_app_is_as_young_as_its_spec() -> Planted:
    def create(real: Any, self: Writes, request: Any) -> Steps[App]:
        old = _old(self, request.app)
        app = yield from real(self, request)
        new = _old(self, app)
        if old is not None and new is not None and old.spec != new.spec:
            self._cluster.services.put(replace(new, created=self._cluster.clock.now() // SECOND * SECOND))
        return app

    return around(Writes, "create", create)


@mutant("OSS-16")
def an_update_of_a_deleted_app_is_not_found() -> Planted:
    deleted: set[tuple[int, str]] = set()

    def delete(real: Any, self: Writes, request: Any) -> Steps[Identifier]:
        resource = names.resource_name(request.app_id)
        if self._cluster.services.get(resource) is not None:
            deleted.add((id(self._cluster), resource))
        return (yield from real(self, request))

    def update(real: Any, self: Writes, request: Any) -> Steps[App]:
        resource = names.resource_name(request.app.metadata.id)
        if (id(self._cluster), resource) in deleted:
            writes.require(self._cluster, resource)
        return (yield from real(self, request))

    return all_of(around(Writes, "delete", delete), around(Writes, "update", update))


@mutant("OSS-17")
def a_stop_takes_the_payload_that_it_is_sent() -> Planted:
    def update(real: Any, self: Writes, request: Any) -> Steps[App]:
        old = _old(self, request.app)
        if _stops(request.app) and old is not None and not old.stopped and request.app.spec.HasField("container"):
            spec = Spec.FromString(old.spec)
            spec.container.CopyFrom(request.app.spec.container)
            self._cluster.services.put(replace(old, spec=encode(spec)))
        return (yield from real(self, request))

    return around(Writes, "update", update)


@mutant("OSS-2")
def an_app_that_can_not_be_built_is_removed() -> Planted:
    def update(real: Any, self: Writes, request: Any) -> Steps[App]:
        try:
            return (yield from real(self, request))
        except RpcError:
            old = _old(self, request.app)
            if old is not None and request.app.spec.WhichOneof("app_payload") is None:
                self._operator.drop(old.resource)
                self._cluster.remove(old)
            raise

    return around(Writes, "update", update)


@mutant("OSS-31")
def an_update_clears_the_conditions_of_a_failed_app() -> Planted:
    def deploy(real: Any, self: Writes, app: App) -> Any:
        old = _old(self, app)
        if old is not None and not old.stopped and old.summary()[0] == FAILED:
            self._cluster.services.put(replace(old, conditions=()))
        return real(self, app)

    return around(Writes, "_deploy", deploy)


@mutant("OSS-26")
def reports_on_later_versions_are_no_events() -> Planted:
    def put(real: Any, self: Cluster, service: Service) -> None:
        old = self.services.get(service.resource)
        report = old is not None and old.generation == service.generation and old.conditions != service.conditions
        if report and service.generation > 2:
            self.put_without_event(service)
        else:
            real(self, service)

    return around(Cluster, "put", put)
