"""The standard dialect: what the protos document and the Flyte SDK relies on, put together from its modules."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from typing import Any, ClassVar, cast

from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    LeaseRequest,
    ListRequest,
    UpdateRequest,
    UpdateStatusRequest,
    WatchRequest,
)

from flyteapps_control.loads import LoadTable
from flyteapps_control.selection import AppName
from flyteapps_fake.core.call import Call, Identity, Sees
from flyteapps_fake.core.dialect import Dialect, MovingApp, Notice, Scale, change_text, status_notice
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import UNASSIGNED, traits_of
from flyteapps_fake.core.operations import (
    CREATE,
    DELETE,
    GET,
    LEASE,
    LIST,
    TAIL_LOGS,
    UPDATE,
    UPDATE_STATUS,
    WATCH,
    Operation,
)
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.streams import OpenStream, StreamScope
from flyteapps_fake.core.time.history import kept
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.validation import check, quoted
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.standard import reads, writes
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import STANDARD_APPS, State
from flyteapps_fake.standard.ingress import PortChoice
from flyteapps_fake.standard.logs import tail_logs
from flyteapps_fake.standard.operators.leases import LeaseStreams, release, steal
from flyteapps_fake.standard.operators.local_cluster import LocalCluster
from flyteapps_fake.standard.operators.reports import update_status
from flyteapps_fake.standard.operators.waiting import key_of_lease, leasable
from flyteapps_fake.standard.past import Past
from flyteapps_fake.standard.simulation.reactor import Reactor
from flyteapps_fake.standard.state.sections import Apps, DeletedIds, Rest
from flyteapps_fake.standard.watch import Event, app_scope, watch_scopes

MAX_ID_REQUEST_BYTES = 1024
"""Bytes of a Get that has an app's id, and little else: a larger one is checked whole."""


class Standard(Dialect):
    """One plane of the standard dialect."""

    caches_reads: ClassVar[bool] = True

    def __init__(self, settings: Settings, timeline: Timeline) -> None:
        self._timeline = timeline
        self.state = State(settings, timeline)
        self.streams = self.state.events
        runs = settings.runs_apps
        self.secrets = Secrets(settings.missing_secrets, runs.secrets if runs is not None else None)
        self.scenarios = ScenarioBook(settings.dialect, settings.scenarios)
        self.loads = LoadTable()
        self._cluster: Reactor | LocalCluster | None = None
        if settings.data_plane == "simulated":
            self._cluster = Reactor(self.state, self.secrets, self.scenarios, self.loads, timeline.floor)
        elif runs is not None:
            self._cluster = self.local_cluster = LocalCluster(self.state)
        timeline.changes.sections.add(Apps(self.state, self._cluster), DeletedIds(self.state), Rest(self.state))
        self._lease_streams = LeaseStreams(self.state)
        self._last_read: AppRecord | None = None
        self._last_response = b""
        self.state.on_event = self._on_event
        self._unary: Mapping[Operation, Callable[[Any], bytes]] = {
            LIST: self._list,
            CREATE: self._create,
            UPDATE: self._update,
            UPDATE_STATUS: self._update_status,
            DELETE: self._delete,
        }
        self._streaming: Mapping[Operation, Callable[[Any], OpenStream]] = {
            WATCH: self._watch,
            LEASE: self._lease,
            TAIL_LOGS: self._tail_logs,
        }

    @property
    def org(self) -> str:
        """The plane's own org."""
        return self.state.organization.name

    def act_for(self, caller: Identity, sees: Sees | None) -> None:
        if caller is self.caller and sees is self.sees:
            return
        super().act_for(caller, sees)
        self.state.actor = caller.enriched()
        self.state.sees = sees

    def absent(self, app: AppName) -> RpcError:
        return RpcError(Code.NOT_FOUND, f"app {AppKey(self.org, *app)} not found")

    def scope(self, key: Hashable) -> StreamScope:
        """Return the scope of a watch of that app alone."""
        return app_scope(key) if isinstance(key, AppKey) else ("", str(key))

    def scopes(self, key: Hashable) -> tuple[StreamScope, ...]:
        """Return the scopes of all watches that see the app."""
        record = self.state.store.get(cast("AppKey", key))
        return watch_scopes(record) if record is not None else ()

    def named(self, key: Hashable) -> AppName:
        """Return the app's name."""
        return cast("AppKey", key).named()

    def awaits_report(self, key: Hashable) -> bool:
        """Return whether the cluster of this machine has the app, and is to report on it."""
        return self.local_cluster is not None and self.local_cluster.holds(cast("AppKey", key))

    def settle(self) -> None:
        """Process the changes of a step."""
        self.state.settle()

    def call(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary RPC. Raises RpcError."""
        if call.operation is GET:  # which checks less of a request whose app is there
            response = self.get_stored(call, ())
            return response if response is not None else field(1, self.read(call).encoded)
        self._admit(call)
        return self.handler_of(self._unary, call.operation)(call.request)

    def open(self, call: Call[Any]) -> OpenStream:
        """Open the stream of a server-streaming RPC. Raises RpcError."""
        self._admit(call)
        return self.handler_of(self._streaming, call.operation)(call.request)

    def _admit(self, call: Call[Any]) -> None:
        """Fill in the org, check the request, and adopt the org that it names."""
        named = self.state.organization.fill(call)
        check(call.request)
        self.state.organization.adopt(named)

    def get_stored(self, call: Call[Any], unless: Container[str]) -> bytes | None:
        """Return the encoded response of a Get by the id of a stored app; None for any other, and for those names.

        The hot path of Get in process: nobody sees its request afterwards, so that an empty org is not filled in.
        """
        record = self._stored(call.request, unless)
        if record is None:
            return None
        if record is not self._last_read:  # who waits by Gets asks for one app, and most answers are the last one
            self._last_read, self._last_response = record, field(1, record.encoded)
        return self._last_response

    def read(self, call: Call[Any]) -> AppRecord:
        """Return the app that a Get asks for. Raises RpcError."""
        request: GetRequest = call.request
        named = self.state.organization.fill(call)
        stored = self._stored(request, ())
        if stored is not None:
            return stored
        check(request)
        self.state.organization.adopt(named)
        return self._read(reads.get(self.state, request))

    def _stored(self, request: GetRequest, unless: Container[str]) -> AppRecord | None:
        """Return the app of a Get's id as `get_stored`; a Get by URL has no id, and finds none here."""
        state, app_id = self.state, request.app_id
        key = AppKey(app_id.org or state.organization.name, app_id.project, app_id.domain, app_id.name)
        record = state.store.get(key)
        # the id of an app that is there was checked when it was created
        if record is None or key.name in unless or request.ByteSize() > MAX_ID_REQUEST_BYTES:
            return None
        return self._read(record)

    def _read(self, record: AppRecord) -> AppRecord:
        return self.state.require(record.key) if self._timeline.read(record.key) else record

    def read_again(self, record: AppRecord, unless: Container[str] = ()) -> bool:
        """Return whether a Get of that app would still find that very record, and count it as a read if so."""
        if self.state.store.get(record.key) is not record or record.key.name in unless:
            return False
        return not self._timeline.read(record.key)

    def keep_history(self, age: int) -> None:
        """Keep the changes of the last so many nanoseconds from now on, for reads of the past; none where it is 0."""
        self.state.history = kept(self.state.history, age)

    def call_as_of(self, call: Call[Any], age: int) -> bytes:
        """Return the encoded response of a Get or List as it would have been `age` nanoseconds ago. Raises RpcError."""
        if call.operation is GET:
            return field(1, self.read_as_of(call, age).encoded)
        self._admit(call)
        return Past(self.state, age).list_(call.request)

    def open_as_of(self, call: Call[Any], age: int) -> OpenStream:
        """Open a Watch with the snapshot of `age` nanoseconds ago and all events since. Raises RpcError."""
        self._admit(call)
        return Past(self.state, age).watch(call.request)

    def read_as_of(self, call: Call[Any], age: int) -> AppRecord:
        """Return the app that a Get asks for as it was `age` nanoseconds ago. Raises RpcError."""
        self._admit(call)
        return Past(self.state, age).get(call.request)

    def steal_lease(self, call: Call[Any], cluster: str) -> None:
        """Move the app that an UpdateStatus reports on to another cluster, unless no cluster has it."""
        self.state.organization.fill(call)
        record = self.state.store.get(AppKey.of(call.request.app.metadata.id))
        if record is not None and record.cluster not in ("", cluster):
            steal(self.state, record, cluster)
            self.state.settle()
            self._timeline.woken(record.key)

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        return self.state.store.projects()

    def count(self) -> int:
        """Return how many apps are stored."""
        return len(self.state.store)

    def apps(self) -> list[tuple[AppName, int]]:
        """Return each app with its status."""
        records = self.state.store.members(("org",))
        return sorted((AppName(each.key.project, each.key.domain, each.key.name), each.status) for each in records)

    def moving(self) -> list[MovingApp]:
        """Return the apps that are to change by themselves."""
        progress = self.state.timers.progress
        found = [
            MovingApp(each.key.named(), each.status, self._why_waiting(each))
            for each in self.state.store.members(("org",))
            if each.key in progress or not traits_of(each.status).terminal
        ]
        return sorted(found)

    def _why_waiting(self, record: AppRecord) -> str:
        """Return what an app waits for that no timer moves on."""
        if leasable(record):
            return self.state.pools.why_waiting(record.wanted)
        return f"Waiting for cluster {quoted(record.cluster)} to report" if record.cluster else ""

    def remove_app(self, app: AppName) -> None:
        """Remove an app in any state."""
        record = self.state.store.get(AppKey(self.org, *app))
        if record is not None:
            writes.remove(self.state, record)
            self.state.settle()

    def find_by_host(self, host: str) -> bytes | None:
        """Return the encoded App that answers under a host name (without port), or None."""
        key = self.state.hosts.owner(host)
        record = self.state.store.get(key) if key is not None else None
        return record.encoded if record is not None else None

    def ask(self, host: str) -> bytes | None:
        """Handle a request: keep the app from going idle, and wake one that has scaled to zero."""
        key = self.state.hosts.owner(host)
        if key is not None and self._cluster is not None:
            self._cluster.asked(key)
            self._timeline.requested(key)
            if self.local_cluster is None:  # else they are counted at the ingress
                self._timeline.usage.requested(key.named())
        return self.find_by_host(host)

    def scale_of(self, app: AppName) -> Scale | None:
        """Return the replicas of an app, and when it was created; None for one that isn't there."""
        record = self.state.store.get(AppKey(self.org, *app))
        return Scale(record.replicas, record.created_at) if record is not None else None

    def load_changed(self, app: AppName) -> None:
        """React to another declared load of an app."""
        key = AppKey(self.org, *app)
        if self._cluster is not None:
            self._cluster.load_changed(key)
            self._timeline.requested(key)

    def choose_ports(self, choose: PortChoice) -> None:
        """Let `choose` return the port of each app that is created from now on."""
        self.state.hosts.choose_port = choose

    def entry_of(self, owner: Hashable) -> Entry | None:
        """Return the place of the app that has the timer of an owner."""
        key = key_of_lease(owner)
        return Entry(STANDARD_APPS, key) if key is not None else None

    def entry_of_get(self, call: Call[Any]) -> Entry | None:
        """Return the place of the only piece that a Get may show, None where it isn't known."""
        app_id = call.request.app_id
        if not app_id.name:
            return None
        org = app_id.org or self.state.organization.name
        return Entry(STANDARD_APPS, AppKey(org, app_id.project, app_id.domain, app_id.name))

    def restored(self, entries: Sequence[Entry]) -> None:
        """Go on from another state, in which these pieces differ."""
        self._last_read = None
        if self.state.history is not None:
            self.state.history = kept(None, self.state.history.age)
        for section, key in entries:
            if section == STANDARD_APPS:
                if self.local_cluster is not None:
                    self.local_cluster.restored(key)
                self._take_over(cast("AppKey", key))
                self._timeline.restored(key)

    def loaded(self) -> None:
        """Go on from a state that another plane may have had: an app's URL leads to this one."""
        state = self.state
        for record in list(state.store.members(("org",))):
            if not state.hosts.is_current(record.key, record.status_bytes):
                writes.readdress(state, record)
        state.settle()

    def _take_over(self, key: AppKey) -> None:
        """Let an app of another state be leased anew where nothing runs it: it was that of another data plane."""
        record, cluster = self.state.store.get(key), self._cluster
        if record is None or not record.cluster or self.state.changes.refusal is not None:
            return
        if self.state.pools.is_predecessors(record.cluster) or (cluster is not None and cluster.is_lost(record)):
            release(self.state, record, "The plane was restored: it is started anew")
            self.state.settle()

    def serve_at(self, port: int) -> None:
        """Name that port in the public URLs of apps from now on, unless one was configured or named before."""
        self.state.hosts.serve_at(port)

    # ---- the handlers; their requests have their org filled in and are checked

    def _list(self, request: ListRequest) -> bytes:
        encoded, page = reads.list_(self.state, request)
        stepped = [record for record in page if self._timeline.read(record.key)]
        return reads.list_(self.state, request)[0] if stepped else encoded

    def _create(self, request: CreateRequest) -> bytes:
        try:
            key = writes.create(self.state, request)
        except RpcError as error:
            if error.code is Code.ALREADY_EXISTS:
                self._timeline.asked(AppKey.of(request.app.metadata.id))
            raise
        return self._written(key)

    def _update(self, request: UpdateRequest) -> bytes:
        return self._written(writes.update(self.state, request))

    def _update_status(self, request: UpdateStatusRequest) -> bytes:
        return self._written(update_status(self.state, request))

    def _delete(self, request: DeleteRequest) -> bytes:
        key = writes.delete(self.state, request)
        self.state.settle()
        self._timeline.written(key)
        return b""

    def _watch(self, request: WatchRequest) -> OpenStream:
        return reads.watch(self.state, request)

    def _lease(self, request: LeaseRequest) -> OpenStream:
        stream = self._lease_streams.open(request)
        self.state.settle()
        return stream

    def _tail_logs(self, request: TailLogsRequest) -> OpenStream:
        return tail_logs(self.state, request)

    def _written(self, key: AppKey) -> bytes:
        self.state.settle()
        self._timeline.written(key)
        record = self.state.require(key)
        if self.on_notice is not None and leasable(record):
            self.on_notice(Notice(key.name, self.state.pools.why_waiting(record.wanted)))
        return field(1, record.encoded)

    def _on_event(self, event: Event) -> None:
        causes, record = self._timeline.causes, event.new or event.old
        if not causes.on or record is None:
            self._react(event)
            return
        before, after = ((each.status, each.substate) if each is not None else None for each in (event.old, event.new))
        with causes.during(event.cause):
            causes.changed(event.cause, AppName(*record.key[1:]), change_text(before, after))
            self._react(event)

    def _react(self, event: Event) -> None:
        record = event.new or event.old
        if record is not None:
            self._timeline.changed(record.key)
        if self.on_notice is not None:
            self._report(event, self.on_notice)
        if self._cluster is not None:
            self._cluster.on_event(event)
        current = self.state.store.get(event.new.key) if event.new is not None else None
        if current is not None:
            self._lease_streams.offer(current)

    @staticmethod
    def _report(event: Event, notify: Callable[[Notice], None]) -> None:
        """Report a change of an app's status; an app that was just created is UNASSIGNED, which is no news."""
        old, new = event.old, event.new
        if new is None:
            if old is not None:
                notify(Notice(old.key.name, "deleted"))
            return
        before = (old.status, old.substate) if old is not None else (UNASSIGNED, 0)
        if before != (new.status, new.substate):
            notify(status_notice(new.key.name, new.status, new.substate, new.history.last().message))
