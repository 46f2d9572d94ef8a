"""FakeControlPlane: one stand-in, put together from its rooms, entered under one lock.

It owns no socket and no thread. Whoever calls it, or blocks on one of its
streams, moves its clock.
"""

from __future__ import annotations

import asyncio
import copy
import datetime
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.closed import MESSAGE, Closed
from flyteapps_fake.core.dialect import Dialect, Notice
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.request_limits import Intake
from flyteapps_fake.core.settings import ClockMode, DataPlane, IngressForm, Settings
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.dialects import DIALECTS, Maker, maker_of
from flyteapps_fake.simulation.secrets import Secrets
from flyteapps_fake.standard.apps import AppRecord

if TYPE_CHECKING:
    from flyteidl2.app.app_logs_service_connect import AppLogsServiceClient, AppLogsServiceClientSync
    from flyteidl2.app.app_service_connect import AppServiceClient, AppServiceClientSync

    from flyteapps_fake.inprocess.transport import DirectTransport
    from flyteapps_fake.servers.embedded import EmbeddedServer
    from flyteapps_fake.services.platform import Platform

_NOTICE_SECONDS = 1.0
"""Real time until a server in this process notices that a stream's client has left, at most."""
_LOOK_SECONDS = 0.005


class LeakedStreams(AssertionError):  # noqa: N818  # reads as what is wrong, as a test's failure does
    """A stream of the plane was still open when the plane was closed."""


class FakeControlPlane:
    """A control plane for apps, in memory, in this process.

    Takes the fields of `Settings`; `dialect` may also be what makes one. Use it as a context manager, sync or async:
    it fails at exit with `LeakedStreams` if a test left a stream open. Streams that nobody can reach any more are no
    leaks, nor are those whose reader was cancelled.
    """

    def __init__(
        self,
        *,
        dialect: str | Maker = "standard",
        org: str | None = None,
        seed: int = 0,
        clock: ClockMode = "auto",
        speed: float = 1.0,
        ingress: IngressForm = "path",
        base_domain: str = "apps.localhost",
        ingress_host: str = "localhost",
        ingress_scheme: str = "http",
        ingress_port: int | None = None,
        own_hosts: Sequence[str] = (),
        subject: str = "anonymous",
        watch_buffer: int | None = None,
        data_plane: DataPlane = "simulated",
        pools: Mapping[str, Sequence[str]] | None = None,
        lease_seconds: float = 60.0,
        report_seconds: float | None = None,
        missing_secrets: Sequence[str] = (),
        artifacts: Mapping[str, str] | None = None,
        run_outputs: Mapping[str, Sequence[str]] | None = None,
        app_scenarios: Mapping[str, str] | None = None,
        real: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (isinstance(dialect, str) or callable(dialect)):
            raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, or what makes one, not {dialect!r}")
        settings = Settings(
            dialect=dialect if isinstance(dialect, str) else "standard",
            org=org,
            seed=seed,
            clock=clock,
            speed=speed,
            ingress=ingress,
            base_domain=base_domain,
            ingress_host=ingress_host,
            ingress_scheme=ingress_scheme,
            ingress_port=ingress_port,
            own_hosts=own_hosts,
            subject=subject,
            watch_buffer=watch_buffer,
            data_plane=data_plane,
            pools=pools or {},
            lease_seconds=lease_seconds,
            report_seconds=report_seconds,
            missing_secrets=missing_secrets,
            artifacts=artifacts or {},
            run_outputs=run_outputs or {},
            app_scenarios=app_scenarios or {},
        )
        self._setup(settings, real, maker_of(dialect) if isinstance(dialect, str) else dialect)

    @classmethod
    def of(cls, settings: Settings, real: Callable[[], float] = time.monotonic) -> Self:
        """A plane with those settings."""
        plane = cls.__new__(cls)
        plane._setup(settings, real, maker_of(settings.dialect))
        return plane

    def _setup(self, settings: Settings, real: Callable[[], float], maker: Maker) -> None:
        self.settings = settings
        self._timeline = Timeline(settings.clock, settings.speed, real)
        self._dialect: Dialect = maker(settings, self._timeline)
        self._timeline.attach(self._dialect)
        self._lock = self._timeline.lock
        self._process = os.getpid()
        self._servers: list[EmbeddedServer] = []
        self._platform: list[Platform] = []
        """The services, once a server has asked for them; one list for all objects of this plane."""

    @property
    def org(self) -> str:
        """The plane's own org; "flyte" as long as nothing has decided it."""
        return self._dialect.org

    @property
    def secrets(self) -> Secrets:
        """Which secrets there are."""
        return self._dialect.secrets

    @property
    def platform(self) -> Platform:
        """The services beside AppService, and what they keep: the same for all servers of the plane."""
        if not self._platform:
            from flyteapps_fake.services.platform import Platform

            self._platform.append(Platform(self.shared()))
        return self._platform[0]

    @property
    def intake(self) -> Intake:
        """What its servers take in, and how they refuse what they can't read."""
        return self._dialect.intake

    @property
    def repeats(self) -> bool:
        """Whether a Get may be answered again by what answered it before, as `read_again` says."""
        return self._dialect.repeats

    @property
    def on_schedule(self) -> list[Callable[[], None]]:
        """Who is called when `next_due` may have changed."""
        return self._timeline.on_schedule

    def notify(self, listener: Callable[[Notice], None]) -> None:
        """Calls `listener`, under the plane's lock, with what the person at the terminal should know of an app."""
        self._dialect.on_notice = listener

    def call(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary RPC. Raises RpcError."""
        with self._lock:
            self._timeline.run_due()
            return self._dialect.call(call)

    def read(self, call: Call[Any]) -> AppRecord:
        """Return the app that a Get asks for; its bytes are `record.encoded`. Raises RpcError."""
        with self._lock:
            self._timeline.run_due()
            return self._dialect.read(call)

    def read_again(self, record: AppRecord) -> bool:
        """Whether a Get of that app would still find that very record; a read of it, if so."""
        with self._lock:
            self._timeline.run_due()
            return self._dialect.read_again(record)

    def open(self, call: Call[Any]) -> OpenStream:
        """Open the stream of a server-streaming RPC. Raises RpcError."""
        with self._lock:
            if self._dialect.streams.gone is not None:
                raise self._dialect.streams.gone
            self._timeline.run_due()
            stream = self._dialect.open(call)
            self._timeline.opened(stream)
            return stream

    def projects(self) -> set[str]:
        """The names of the projects that hold an app."""
        with self._lock:
            return self._dialect.projects()

    def count(self) -> int:
        """How many apps are stored."""
        with self._lock:
            return self._dialect.count()

    def find_by_host(self, host: str) -> bytes | None:
        """The encoded App that answers under a host name (without port); None where none does."""
        with self._lock:
            return self._dialect.find_by_host(host)

    def ask(self, host: str) -> bytes | None:
        """A request to an app's public URL, by the URL's host: the encoded App; None where none answers under it.

        It keeps the app from going idle, and wakes one that has scaled to zero.
        """
        with self._lock:
            self._timeline.run_due()
            return self._dialect.ask(host)

    def run_due(self) -> None:
        """Fires what has become due: by the clock in `realtime`, by whoever waits in `auto`; nothing in `manual`."""
        with self._lock:
            self._timeline.run_due()

    def next_due(self) -> float | None:
        """Real seconds until `run_due` has something to do; None where nothing is scheduled."""
        with self._lock:
            return self._timeline.next_due()

    def advance(self, seconds: float) -> None:
        """Moves a `manual` clock, firing all that becomes due on the way, in order. Raises ValueError."""
        with self._lock:
            self._timeline.advance(seconds)

    def now_ns(self) -> int:
        """The plane's time in nanoseconds since 1970."""
        with self._lock:
            return self._timeline.clock.now()

    def end_streams(self, message: str) -> None:
        """Ends every open stream with UNAVAILABLE and refuses new ones: the plane is going away."""
        with self._lock:
            self._dialect.streams.end(RpcError(Code.UNAVAILABLE, message))

    def open_streams(self) -> int:
        """How many streams are open."""
        with self._lock:
            return len(self._dialect.streams)

    @property
    def standstill(self) -> str:
        """That the clock is manual, and where it stands, for callers that wait; "" where time runs by itself."""
        if self.settings.clock != "manual":
            return ""
        at = datetime.datetime.fromtimestamp(self.now_ns() / 1e9, datetime.UTC).isoformat()
        return f"the plane's clock is manual, and stands at {at}: move it by plane.advance(seconds)"

    def transport(self) -> DirectTransport:
        """The plane as a transport for a client in this process: no socket, no bytes on a wire."""
        from flyteapps_fake.inprocess.transport import DirectTransport

        return DirectTransport(self)

    def stub(self) -> AppServiceClientSync:
        """flyteidl2's generated sync client, talking to this plane directly."""
        from flyteapps_fake.inprocess.transport import sync_stub

        return sync_stub(self)

    def async_stub(self) -> AppServiceClient:
        """flyteidl2's generated async client, talking to this plane directly."""
        from flyteapps_fake.inprocess.transport import async_stub

        return async_stub(self)

    def logs_stub(self) -> AppLogsServiceClientSync:
        """flyteidl2's generated sync client of AppLogsService, talking to this plane directly."""
        from flyteapps_fake.inprocess.transport import sync_logs_stub

        return sync_logs_stub(self)

    def async_logs_stub(self) -> AppLogsServiceClient:
        """flyteidl2's generated async client of AppLogsService, talking to this plane directly."""
        from flyteapps_fake.inprocess.transport import async_logs_stub

        return async_logs_stub(self)

    def serve(self) -> EmbeddedServer:
        """Serves this plane on loopback ports of this process (Connect and gRPC) until the plane is closed, or dropped.

        Apps that are created from then on have the port in their public URL, where the server says what they are.
        Raises RuntimeError where the plane was closed.
        """
        from flyteapps_fake.console.pages import pages
        from flyteapps_fake.servers.embedded import EmbeddedServer

        if isinstance(self._dialect, Closed):
            raise RuntimeError(MESSAGE)
        server = EmbeddedServer(self, pages)
        self._servers.append(server)
        with self._lock:
            self._dialect.serve_at(server.port)
        return server

    def shared(self) -> Self:
        """The same plane as an object of its own: for servers, which must not keep the one that its owner drops."""
        twin = copy.copy(self)
        twin._servers = []
        return twin

    def close(self) -> None:
        """Stops what `serve` started, ends the open streams, and refuses every call from now on, with UNAVAILABLE."""
        while self._servers:
            self._servers.pop().close()
        with self._lock:
            if not isinstance(self._dialect, Closed):
                self.end_streams(MESSAGE)
                self._dialect = Closed(self._dialect)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left():
            gc.collect()
            until = time.monotonic() + _NOTICE_SECONDS
            while self._left() and time.monotonic() < until:
                time.sleep(_LOOK_SECONDS)
        left = self._left()
        self.close()
        self._judge(left, error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left():
            gc.collect()
            until = time.monotonic() + _NOTICE_SECONDS
            while self._left() and time.monotonic() < until:
                await asyncio.sleep(_LOOK_SECONDS)
        left = self._left()
        if self._servers:
            await asyncio.to_thread(self.close)
        else:
            self.close()
        self._judge(left, error)

    def _left(self) -> int:
        """How many streams are open that somebody reads; of those of a parent process, from before a fork, none."""
        with self._lock:
            return self._dialect.streams.awaited() if self._process == os.getpid() else 0

    @staticmethod
    def _judge(left: int, error: BaseException | None) -> None:
        if left and error is None:
            raise LeakedStreams(f"{left} stream(s) of this plane were still open at exit: close them")
