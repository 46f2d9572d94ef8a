"""The dialect of the open-source Flyte 2 backend, v2.0.43: an app is a Knative service in a cluster, and little else.

docs/dialects.md says which answers were recorded from that backend and which were read in its source.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, GetRequest, UpdateRequest

from flyteapps_control.loads import LoadTable
from flyteapps_control.selection import NO_APP, AppName
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Dialect, MovingApp, Notice, Scale, change_text, status_notice
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, DELETE, GET, LIST, TAIL_LOGS, UPDATE, WATCH, Operation
from flyteapps_fake.core.protobuf import encode, field
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.streams import OpenStream, StreamScope
from flyteapps_fake.core.time.history import kept
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.validation import check_bytes
from flyteapps_fake.flyte_oss.answers import FLYTE_OSS_ANSWERS, Answers, cache_key, key_of_timer
from flyteapps_fake.flyte_oss.cluster import FLYTE_OSS_SERVICES, Cluster
from flyteapps_fake.flyte_oss.logs import Logs
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.past import Past
from flyteapps_fake.flyte_oss.pending_writes import PendingWrites, Steps
from flyteapps_fake.flyte_oss.reads import Reads
from flyteapps_fake.flyte_oss.request_limits import LIMITS
from flyteapps_fake.flyte_oss.services import DEFAULT_ORG, Service
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.simulation.operator import Operator
from flyteapps_fake.flyte_oss.state.sections import CachedAnswers, OssCluster, OssServices
from flyteapps_fake.flyte_oss.watch_hub import watch_scope
from flyteapps_fake.flyte_oss.writes import Writes, missing
from flyteapps_fake.simulation.book import ScenarioBook


class FlyteOss(Dialect):
    """One plane of the dialect. `environment`: the simulated cluster around the backend, by default a usual one."""

    request_limits: ClassVar[RequestLimits] = LIMITS
    unbound: ClassVar[str] = "is not implemented"
    refused_faults: ClassVar[Mapping[str, str]] = {
        "steal_lease": "the dialect flyte-oss has no leases, so that none can be stolen: use the standard one"
    }

    def __init__(self, settings: Settings, timeline: Timeline, environment: ClusterEnvironment | None = None) -> None:
        environment = environment or ClusterEnvironment()
        self._settings = settings
        self._timeline = timeline
        self._cluster = Cluster(settings, timeline)
        self._cluster.on_change = self._report
        self._cluster.on_notice = self._notice
        self.streams = self._cluster.streams
        self.secrets = Secrets(settings.missing_secrets)
        self.scenarios = ScenarioBook(settings.dialect, settings.scenarios)
        self.loads = LoadTable()
        self._operator = Operator(self._cluster, environment, self.scenarios, self.loads, timeline.floor)
        self._writes = Writes(self._cluster, self._operator, environment)
        self._answers = Answers(timeline)
        self._pending = PendingWrites(self._cluster, self._answers, settings.write_nanoseconds)
        self._reads = Reads(self._cluster, self._answers, self._pending)
        self._logs = Logs(self._cluster, self._operator, environment)
        timeline.changes.sections.add(
            OssServices(self._cluster, self._operator),
            OssCluster(self._cluster),
            CachedAnswers(self._cluster, self._answers),
        )
        self._unary: Mapping[Operation, Callable[[Any], bytes]] = {
            GET: self._get,
            LIST: self._reads.list_,
        }
        self._writing: Mapping[Operation, Callable[[Any], Steps[bytes]]] = {
            CREATE: self._create,
            UPDATE: self._update,
            DELETE: self._delete,
        }
        self._streaming: Mapping[Operation, Callable[[Any], OpenStream]] = {
            WATCH: self._reads.watch,
            TAIL_LOGS: self._logs.tail,
        }

    @property
    def org(self) -> str:
        return self._settings.org or DEFAULT_ORG

    def absent(self, app: AppName) -> RpcError:
        return missing(resource_name(Identifier(project=app.project, domain=app.domain, name=app.name)))

    def scope(self, key: Hashable) -> StreamScope:
        service = self._service(key)
        return watch_scope(service.shown_name) if service is not None else ("", str(key))

    def scopes(self, key: Hashable) -> tuple[StreamScope, ...]:
        return (self.scope(key),)

    def named(self, key: Hashable) -> AppName:
        service = self._service(key)
        return AppName(service.project, service.domain, service.name) if service is not None else NO_APP

    def call(self, call: Call[Any]) -> bytes:
        check_bytes(call.request, LIMITS.request_bytes)
        write = self._writing.get(call.operation)
        if write is not None:
            return self._pending.run(call, write(call.request), self.delays)
        return self.handler_of(self._unary, call.operation)(call.request)

    def call_at_once(self, call: Call[Any]) -> bytes:
        write = self._writing.get(call.operation)
        return self._pending.at_once(write(call.request)) if write is not None else self.call(call)

    def open(self, call: Call[Any]) -> OpenStream:
        check_bytes(call.request, LIMITS.request_bytes)
        return self.handler_of(self._streaming, call.operation)(call.request)

    def keep_history(self, age: int) -> None:
        self._cluster.history = kept(self._cluster.history, age)

    def call_as_of(self, call: Call[Any], age: int) -> bytes:
        check_bytes(call.request, LIMITS.request_bytes)
        past = Past(self._cluster, age)
        return field(1, past.get(call.request)) if call.operation is GET else past.list_(call.request)

    def open_as_of(self, call: Call[Any], age: int) -> OpenStream:
        check_bytes(call.request, LIMITS.request_bytes)
        return Past(self._cluster, age).watch(call.request)

    def projects(self) -> set[str]:
        return self._cluster.services.projects()

    def count(self) -> int:
        return len(self._cluster.services)

    def apps(self) -> list[tuple[AppName, int]]:
        found: list[tuple[AppName, int]] = []
        for service in self._cluster.services.listed("", ""):
            conditions = self._cluster.status(service).conditions
            status = conditions[-1].deployment_status if conditions else 0
            found.append((AppName(service.project, service.domain, service.name), status))
        return sorted(found)

    def moving(self) -> list[MovingApp]:
        progress = self._cluster.timers.progress
        found = [
            MovingApp(AppName(each.project, each.domain, each.name), each.summary()[0])
            for each in self._cluster.services.listed("", "")
            if each.resource in progress
        ]
        return sorted(found)

    def remove_app(self, app: AppName) -> None:
        app_id = Identifier(org=self.org, project=app.project, domain=app.domain, name=app.name)
        self._pending.at_once(self._delete(DeleteRequest(app_id=app_id)))

    def find_by_host(self, host: str) -> bytes | None:
        service = self._at(host)
        return self._cluster.encoded(service) if service is not None else None

    def ask(self, host: str) -> bytes | None:
        """Keep the app from going idle, or wake it from zero; return it encoded, or None for an unknown host."""
        service = self._at(host)
        if service is None:
            return None
        self._operator.receive_request(service.resource)
        self._timeline.requested(service.resource)
        self._timeline.usage.requested(service.named())
        return self.find_by_host(host)

    def scale_of(self, app: AppName) -> Scale | None:
        service = self._cluster.services.get(self._resource(app))
        return Scale(service.shown_replicas, service.created) if service is not None else None

    def _resource(self, app: AppName) -> str:
        """Return the resource name of an app."""
        return resource_name(Identifier(org=self.org, project=app.project, domain=app.domain, name=app.name))

    def load_changed(self, app: AppName) -> None:
        resource = self._resource(app)
        self._operator.load_changed(resource)
        self._timeline.requested(resource)

    def entry_of(self, owner: Hashable) -> Entry | None:
        """Return the place of the service or the cached answer that has the timer of an owner."""
        if isinstance(owner, str):
            return Entry(FLYTE_OSS_SERVICES, owner)
        key = key_of_timer(owner)
        return Entry(FLYTE_OSS_ANSWERS, key) if key is not None else None

    def entry_of_get(self, call: Call[Any]) -> Entry | None:
        """Return the place of the service that a Get shows: a cached answer shows it as it was earlier."""
        return Entry(FLYTE_OSS_SERVICES, resource_name(call.request.app_id))

    def restored(self, entries: Sequence[Entry]) -> None:
        """Go on from another state, in which these pieces differ."""
        self._cluster.streams.draw_anew()
        if self._cluster.history is not None:
            self._cluster.history = kept(None, self._cluster.history.age)
        self._cluster.restored(entries)
        for section, key in entries:
            if section == FLYTE_OSS_SERVICES:
                self._cluster.moved(str(key))
                self._timeline.restored(key)
            elif section == FLYTE_OSS_ANSWERS:
                self._timeline.woken(key)

    def serve_at(self, port: int) -> None:
        if self._cluster.settings.ingress_port is None:
            self._cluster.settings = replace(self._cluster.settings, ingress_port=port)

    def _service(self, key: Hashable) -> Service | None:
        """Return the service whose timers have that key; None for the key of a cached answer."""
        return self._cluster.services.get(key) if isinstance(key, str) else None

    def _get(self, request: GetRequest) -> bytes:
        return field(1, self._reads.get(request))

    def _create(self, request: CreateRequest) -> Steps[bytes]:
        return self._written((yield from self._writes.create(request)))

    def _update(self, request: UpdateRequest) -> Steps[bytes]:
        return self._written((yield from self._writes.update(request)))

    def _delete(self, request: DeleteRequest) -> Steps[bytes]:
        self._acknowledged((yield from self._writes.delete(request)))
        return b""

    def _written(self, app: App) -> bytes:
        self._acknowledged(app.metadata.id)
        return field(1, encode(app))

    def _acknowledged(self, app_id: Identifier) -> None:
        """Record the write of that app."""
        self._answers.forget(cache_key(app_id))
        self._timeline.written(resource_name(app_id))
        self._timeline.scheduled()

    def _report(self, old: Service | None, new: Service | None) -> None:
        """Report a change of an app's status."""
        causes, service = self._timeline.causes, new or old
        if causes.on and service is not None:
            before, after = ((each.summary()[0], 0) if each is not None else None for each in (old, new))
            app = AppName(service.project, service.domain, service.name)
            causes.changed(causes.current, app, change_text(before, after))
        if self.on_notice is None:
            return
        if new is None:
            if old is not None:
                self.on_notice(Notice(old.name, "deleted"))
            return
        status, message = new.summary()
        if old is None or old.summary()[0] != status:
            self.on_notice(status_notice(new.name, status, 0, message))

    def _notice(self, app: str, message: str) -> None:
        if self.on_notice is not None:
            self.on_notice(Notice(app, message))

    def _at(self, host: str) -> Service | None:
        """Return the service that answers under a host."""
        label, _, domain = host.lower().partition(".")
        return self._cluster.services.get(label) if domain == self._settings.base_domain.lower() != "" else None
