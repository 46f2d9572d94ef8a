"""FakeControlPlane: one stand-in, put together from its rooms, entered under one lock.

It owns no socket and no thread. Whoever calls it, or blocks on one of its
streams, moves its clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

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
from google.protobuf.message import Message

from flyteapps_fake.cluster.reactor import Reactor
from flyteapps_fake.plane import reads, writes
from flyteapps_fake.plane.apps import AppKey, AppRecord
from flyteapps_fake.plane.clock import MILLISECOND, SECOND, Agenda, RealtimeClock, Timer, VirtualClock
from flyteapps_fake.plane.commits import State
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.events import Event
from flyteapps_fake.plane.leases import LeaseDesk
from flyteapps_fake.plane.logs import tail_logs
from flyteapps_fake.plane.operations import Operation
from flyteapps_fake.plane.pacer import Pacer
from flyteapps_fake.plane.status import update_status
from flyteapps_fake.plane.streams import OpenStream
from flyteapps_fake.plane.validation import check, check_bytes
from flyteapps_fake.plane.wire import field
from flyteapps_fake.settings import ClockMode, DataPlane, Settings

if TYPE_CHECKING:
    from flyteidl2.app.app_logs_service_connect import AppLogsServiceClient, AppLogsServiceClientSync
    from flyteidl2.app.app_service_connect import AppServiceClient, AppServiceClientSync

    from flyteapps_fake.transports.direct import DirectTransport
    from flyteapps_fake.transports.embedded_server import EmbeddedServer

_REALTIME_FLOOR = 300 * MILLISECOND
"""Real time between an acknowledged write and the terminal state, at least, whatever the speed."""


_NOTICE_SECONDS = 1.0
"""Real time until a server in this process notices that a stream's client has left, at most."""


class LeakedStreams(AssertionError):  # noqa: N818  # reads as what is wrong, as a test's failure does
    """A stream of the plane was still open when the plane was closed."""


class FakeControlPlane:
    """A control plane for apps, in memory, in this process.

    Takes the fields of `Settings`. Use it as a context manager, sync or async:
    it fails at exit with `LeakedStreams` if a test left a stream open.
    """

    def __init__(
        self,
        *,
        org: str | None = None,
        seed: int = 0,
        clock: ClockMode = "auto",
        speed: float = 1.0,
        base_domain: str = "apps.localhost",
        ingress_scheme: str = "http",
        ingress_port: int | None = None,
        subject: str = "anonymous",
        watch_buffer: int = 1_000,
        data_plane: DataPlane = "simulated",
        pools: Mapping[str, Sequence[str]] | None = None,
        lease_seconds: float = 60.0,
        real: Callable[[], float] = time.monotonic,
    ) -> None:
        settings = Settings(
            org=org,
            seed=seed,
            clock=clock,
            speed=speed,
            base_domain=base_domain,
            ingress_scheme=ingress_scheme,
            ingress_port=ingress_port,
            subject=subject,
            watch_buffer=watch_buffer,
            data_plane=data_plane,
            pools=pools or {},
            lease_seconds=lease_seconds,
        )
        self._setup(settings, real)

    @classmethod
    def of(cls, settings: Settings, real: Callable[[], float] = time.monotonic) -> Self:
        """A plane with those settings."""
        plane = cls.__new__(cls)
        plane._setup(settings, real)
        return plane

    def _setup(self, settings: Settings, real: Callable[[], float]) -> None:
        self.settings = settings
        self.on_schedule: list[Callable[[], None]] = []
        self._agenda = Agenda()
        self._realtime = RealtimeClock(settings.speed, real) if settings.clock == "realtime" else None
        self._state = State(settings, self._realtime or VirtualClock(), self._agenda)
        self._lock = self._state.lock
        self._pacer: Pacer | None = None
        if settings.clock == "auto":
            self._pacer = Pacer(self._state.store, self._state.events, self._agenda, real)
        floor = int(_REALTIME_FLOOR * settings.speed) if self._realtime is not None else 0
        self._reactor = Reactor(self._state, floor) if settings.data_plane == "simulated" else None
        self._desk = LeaseDesk(self._state)
        self._state.on_event = self._on_event
        self._state.on_schedule = self._scheduled
        self._gone: RpcError | None = None
        self._servers: list[EmbeddedServer] = []

    @property
    def org(self) -> str:
        """The plane's own org; "flyte" as long as nothing has decided it."""
        return self._state.organization.name

    def call(self, operation: Operation, request: Message) -> bytes:
        """A unary RPC: the encoded response. Raises RpcError; fills the org of `request`, which it may keep."""
        if isinstance(request, GetRequest):
            return field(1, self.read(request).encoded)
        with self._lock:
            self.run_due()
            named = self._state.organization.fill(request)
            check(request)
            self._state.organization.adopt(named)
            match request:
                case ListRequest():
                    encoded, page = reads.list_(self._state, request)
                    for record in page:
                        self._read(record.key)
                    return encoded
                case CreateRequest():
                    return self._written(self._create(request))
                case UpdateRequest():
                    return self._written(writes.update(self._state, request))
                case UpdateStatusRequest():
                    return self._written(update_status(self._state, request))
                case DeleteRequest():
                    key = writes.delete(self._state, request)
                    self._state.settle()
                    if self._pacer is not None:
                        self._pacer.written(key)
                    return b""
                case _:
                    raise _unimplemented(operation)

    def read(self, request: Message) -> AppRecord:
        """Get: the app as it is now, whose bytes `record.encoded` are. Raises RpcError, as `call` does."""
        assert isinstance(request, GetRequest)
        with self._lock:
            self.run_due()
            named = self._state.organization.fill(request)
            record = reads.find(self._state, request)
            # the id of an app that is there was checked when it was created
            check(request) if record is None else check_bytes(request)
            self._state.organization.adopt(named)
            if record is None:
                record = reads.get(self._state, request)
            self._read(record.key)
            return record

    def read_again(self, record: AppRecord) -> bool:
        """Whether a Get of that app would still find that very record; a read of it, if so."""
        with self._lock:
            self.run_due()
            if self._state.store.get(record.key) is not record:
                return False
            self._read(record.key)
            return True

    def open(self, operation: Operation, request: Message) -> OpenStream:
        """A server-streaming RPC: its stream. Raises RpcError."""
        with self._lock:
            if self._gone is not None:
                raise self._gone
            self.run_due()
            named = self._state.organization.fill(request)
            check(request)
            self._state.organization.adopt(named)
            match request:
                case WatchRequest():
                    stream = reads.watch(self._state, request)
                case LeaseRequest():
                    stream = self._desk.open(request)
                    self._state.settle()
                case TailLogsRequest():
                    stream = tail_logs(self._state, request)
                case _:
                    raise _unimplemented(operation)
            if self._pacer is not None:
                stream.on_sent = self._sent
                stream.on_closed.append(self._pacer.closed)
                self._pacer.opened(stream)
            return stream

    def projects(self) -> set[str]:
        """The names of the projects that hold an app."""
        with self._lock:
            return self._state.store.projects()

    def count(self) -> int:
        """How many apps are stored."""
        with self._lock:
            return len(self._state.store)

    def find_by_host(self, host: str) -> bytes | None:
        """The encoded App that answers under a host name (without port); None where none does."""
        with self._lock:
            key = self._state.hosts.owner(host)
            record = self._state.store.get(key) if key is not None else None
            return record.encoded if record is not None else None

    def ask(self, host: str) -> bytes | None:
        """A request to an app's public URL, by the URL's host: the encoded App; None where none answers under it.

        It keeps the app from going idle, and wakes one that has scaled to zero.
        """
        with self._lock:
            self.run_due()
            key = self._state.hosts.owner(host)
            if key is not None and self._reactor is not None:
                self._reactor.asked(key)
                if self._pacer is not None:
                    self._pacer.written(key)
                self._scheduled()
            return self.find_by_host(host)

    def run_due(self) -> None:
        """Fires what has become due: by the clock in `realtime`, by whoever waits in `auto`; nothing in `manual`."""
        with self._lock:
            if self._pacer is not None:
                while (key := self._pacer.due()) is not None:
                    self._step(self._pacer, key)
            elif self._realtime is not None:
                due = self._agenda.next_due()
                if due is not None and due <= self._realtime.now():
                    self._fire_until(self._realtime.now())

    def next_due(self) -> float | None:
        """Real seconds until `run_due` has something to do; None where nothing is scheduled."""
        with self._lock:
            if self._pacer is not None:
                return self._pacer.next_gate()
            due = self._agenda.next_due()
            if self._realtime is None or due is None:
                return None
            return self._realtime.real_seconds_until(due)

    def advance(self, seconds: float) -> None:
        """Moves a `manual` clock, firing all that becomes due on the way, in order."""
        if self.settings.clock != "manual":
            raise ValueError(f"the clock is {self.settings.clock}: only a manual one can be advanced")
        if seconds < 0:
            raise ValueError(f"time never goes back: {seconds} seconds")
        with self._lock:
            self._fire_until(self._state.clock.now() + round(seconds * SECOND))

    def now_ns(self) -> int:
        """The plane's time in nanoseconds since 1970."""
        with self._lock:
            return self._state.clock.now()

    def end_streams(self, message: str) -> None:
        """Ends every open stream with UNAVAILABLE and refuses new ones: the plane is going away."""
        with self._lock:
            self._gone = RpcError(Code.UNAVAILABLE, message)
            self._state.events.end(self._gone)

    def open_streams(self) -> int:
        """How many streams are open."""
        with self._lock:
            return len(self._state.events)

    def transport(self) -> DirectTransport:
        """The plane as a transport for a client in this process: no socket, no bytes on a wire."""
        from flyteapps_fake.transports.direct import DirectTransport

        return DirectTransport(self)

    def stub(self) -> AppServiceClientSync:
        """flyteidl2's generated sync client, talking to this plane directly."""
        from flyteapps_fake.transports.direct import sync_stub

        return sync_stub(self)

    def async_stub(self) -> AppServiceClient:
        """flyteidl2's generated async client, talking to this plane directly."""
        from flyteapps_fake.transports.direct import async_stub

        return async_stub(self)

    def logs_stub(self) -> AppLogsServiceClientSync:
        """flyteidl2's generated sync client of AppLogsService, talking to this plane directly."""
        from flyteapps_fake.transports.direct import sync_logs_stub

        return sync_logs_stub(self)

    def async_logs_stub(self) -> AppLogsServiceClient:
        """flyteidl2's generated async client of AppLogsService, talking to this plane directly."""
        from flyteapps_fake.transports.direct import async_logs_stub

        return async_logs_stub(self)

    def serve(self) -> EmbeddedServer:
        """Serves this plane on loopback ports of this process (Connect and gRPC) until the plane is closed."""
        from flyteapps_fake.transports.embedded_server import EmbeddedServer

        server = EmbeddedServer(self)
        self._servers.append(server)
        return server

    def close(self) -> None:
        """Stops what `serve` started."""
        while self._servers:
            self._servers.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget_left()
        left = self.open_streams()
        self.close()
        self.end_streams("the plane was closed")
        if left and error is None:
            raise LeakedStreams(f"{left} stream(s) of this plane were still open at exit: close them")

    def _forget_left(self) -> None:
        """Gives streams that a server or another thread is about to close the moment that it takes."""
        until = time.monotonic() + _NOTICE_SECONDS
        while self.open_streams() and time.monotonic() < until:
            time.sleep(0.005)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _create(self, request: CreateRequest) -> AppKey:
        try:
            return writes.create(self._state, request)
        except RpcError as error:
            if error.code is Code.ALREADY_EXISTS and self._pacer is not None:
                self._pacer.asked(AppKey.of(request.app.metadata.id))
            raise

    def _written(self, key: AppKey) -> bytes:
        self._state.settle()
        if self._pacer is not None:
            self._pacer.written(key)
        return field(1, self._state.require(key).encoded)

    def _read(self, key: AppKey) -> None:
        if self._pacer is not None:
            self._pacer.read(key)
            self._scheduled()

    def _sent(self, stream: OpenStream) -> None:
        with self._lock:
            if self._pacer is not None:
                self._pacer.sent(stream)
                self.run_due()
                self._scheduled()

    def _on_event(self, event: Event) -> None:
        if self._pacer is not None:
            self._pacer.on_event(event)
        if self._reactor is not None:
            self._reactor.on_event(event)
        current = self._state.store.get(event.new.key) if event.new is not None else None
        if current is not None:
            self._desk.offer(current)

    def _scheduled(self) -> None:
        for listener in self.on_schedule:
            listener()

    def _step(self, pacer: Pacer, key: AppKey) -> None:
        timer = self._agenda.take(key)
        if timer is not None:
            # time goes on for all: what is in the background doesn't wait for anybody, but it is never late
            while (overdue := self._agenda.pop(timer.due, background_only=True)) is not None:
                self._fire(overdue)
            self._fire(timer)
        pacer.stepped(key)

    def _fire_until(self, target: int) -> None:
        while (timer := self._agenda.pop(target)) is not None:
            self._fire(timer)
        self._state.clock.jump(target)

    def _fire(self, timer: Timer) -> None:
        self._state.clock.jump(timer.due)
        timer.action(timer)
        self._state.settle()


def _unimplemented(operation: Operation) -> RpcError:
    return RpcError(Code.UNIMPLEMENTED, f"{operation.service}.{operation.method} is not offered by this stand-in yet")
