"""One app of the data plane: the replicas of its revision, those of the one before as long as they answer, its reports.

It is brought to what the plane says again and again, whatever happened in between: after each change of the app, of a
replica, and of the requests at the ingress.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from flyteidl2.app.app_definition_pb2 import Status

from flyteapps_control.selection import AppName
from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING, STOPPED
from flyteapps_fake.processes.autoscaler import Autoscaler
from flyteapps_fake.processes.launching.containers import H2C, Container, container_of, shown
from flyteapps_fake.processes.replica import CRASHES, Replica, Workshop
from flyteapps_fake.processes.routes import Route, Unavailable
from flyteapps_fake.simulation.admission import violation_of
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.operators.local_cluster import HeldApp, Life, Log
from flyteapps_fake.standard.replicas import Replica as ReplicaName

LOOK_SECONDS = 0.5
"""Time between two looks at the requests of an app that may scale."""
LONG_SECONDS = 5.0
"""The same of an app that doesn't run, or has a fixed number of replicas."""
COUNT_SECONDS = 0.5
"""Time in which requests are counted before their number is reported to the plane."""
RETRY_SECONDS = 1
"""Time after which a request to a failing app is worth repeating."""
REQUEST_SECONDS = 300.0
"""The longest time until a response begins, where the spec sets none: Knative's."""
_logger = logging.getLogger(__name__)


class Cluster(Protocol):
    """The plane, as far as an app needs it."""

    def held(self, key: AppKey) -> HeldApp | None:
        """Return the app as it should run; None where it is gone, or another cluster's."""
        ...

    def report(
        self, key: AppKey, life: Life, status: int, substate: int, message: str, replicas: int
    ) -> list[ReplicaName] | None:
        """Report on a revision; return its replicas' names, None where the app has moved on."""
        ...

    def takes_reports(self) -> bool:
        """Return whether a report may be committed: not while the plane can't save its state."""
        ...

    def keep_log(self, key: AppKey, number: int, log: Log) -> None:
        """Keep the log of a replica."""
        ...

    def logged(self, key: AppKey) -> None:
        """Wake those who follow the app's log."""
        ...

    def requested(self, key: AppKey, requests: int) -> None:
        """Record requests to the app's URL."""
        ...


class Said(NamedTuple):
    """A report on a revision of an app."""

    life: Life
    status: int
    substate: int
    message: str
    replicas: int


class RunningApp:
    """One app."""

    def __init__(
        self, key: AppKey, cluster: Cluster, workshop: Workshop, route: Route, place: Callable[[Route, HeldApp], None]
    ) -> None:
        self._key = key
        self._cluster = cluster
        self._workshop = workshop
        self.route = route
        self._place = place
        self._incarnation: int | None = None
        route.on_request = self._on_request
        self._wake = asyncio.Event()
        self._life: Life | None = None
        """The part of the app's life that runs; None where it is stopped."""
        self._container = Container()
        self._scaler: Autoscaler | None = None
        self.replicas: list[Replica] = []
        """The replicas of the present revision."""
        self._before: list[Replica] = []
        """The replicas of the revision before, which answer until the present ones do."""
        self._started = 0
        """The number of replicas that were ever started, for their names."""
        self._requests = 0
        """Requests that are not reported to the plane yet."""
        self._served = False
        """Whether the present revision has answered."""
        self._ending: set[asyncio.Task[None]] = set()
        self._said: Said | None = None
        """The last report."""
        self._violation = ""
        """Why no cluster would run the present revision, "" where one would."""
        self.trouble = ""
        """Why its port at the ingress isn't open, "" where it is."""

    @property
    def name(self) -> AppName:
        """The app's name."""
        return self._key.named()

    def changed(self) -> None:
        """Look at the app again."""
        self._wake.set()

    def is_held(self) -> bool:
        """Return whether the app is still there, and no other one of its name in its place."""
        held = self._cluster.held(self._key)
        return held is not None and held.life.incarnation == self._incarnation

    def all_replicas(self) -> tuple[Replica, ...]:
        """Return the replicas, those of the revision before included."""
        return (*self.replicas, *self._before)

    async def run(self) -> None:
        """Follow the app until it is gone, and end all of it then."""
        try:
            while True:
                self._wake.clear()
                held = self._cluster.held(self._key)
                if held is None or self._incarnation not in (None, held.life.incarnation):
                    return  # another app of that name begins anew
                self._incarnation = held.life.incarnation
                try:
                    self._follow(held)
                except Exception:  # the next look, at the latest in some seconds, may do better
                    _logger.exception("the app %s can't be followed", self.name)
                try:
                    async with asyncio.timeout(self._seconds(held)):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            self.route.set((), Unavailable(f"The app {self.name} is gone.", 404))
            self._retire(self.replicas, self._before)
            while self._ending:
                await asyncio.wait(self._ending)

    def _seconds(self, held: HeldApp) -> float:
        scaler = self._scaler
        moves = scaler is not None and scaler.bounds.minimum != scaler.bounds.maximum
        return LOOK_SECONDS if held.running and moves and (self.replicas or self.route.in_flight) else LONG_SECONDS

    def _on_request(self) -> None:
        self._requests += 1
        if self._requests == 1:  # of the time until then, so that the plane's lock is taken once for all of them
            asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count_requests)
        if len(self.replicas) != self._wanted(time.monotonic()):
            self._wake.set()

    def _count_requests(self) -> None:
        """Hand the plane the number of requests."""
        requests, self._requests = self._requests, 0
        self._cluster.requested(self._key, requests)

    def _follow(self, held: HeldApp) -> None:
        """Bring the app to where the plane says."""
        life = held.life
        if not held.running:
            self._stop(life)
            return
        if life != self._life:
            self._begin(held)
        if self._violation:
            self._send(life, DEPLOYING, Status.WEBHOOK_ERROR, self._violation, 0)
            self._send(life, FAILED, Status.WEBHOOK_ERROR, self._violation, 0)
            self._set_route()
            return
        self._scale(held)
        if self._before and any(each.is_ready or _wants_the_port(each) for each in self.replicas):
            self._retire(self._before)
        self._report()
        self._set_route()

    def _stop(self, life: Life) -> None:
        self._life = None
        self._retire(self.replicas, self._before)
        if not self._ending:
            self._send(life, STOPPED, Status.SUBSTATE_UNSPECIFIED, "Stopped", 0)
        name = self.name
        self.route.set((), Unavailable(f"The app {name} is STOPPED: activate it."))

    def _begin(self, held: HeldApp) -> None:
        """Begin with a revision; the replicas that answer go on until this one does, unless the plane was restored."""
        goes_on = self._life is None or self._life.restored == held.life.restored
        answering = [each for each in (*self._before, *self.replicas) if each.is_ready and goes_on]
        self._retire([each for each in (*self._before, *self.replicas) if each not in answering])
        self._before, self.replicas = answering, []
        self._life, self._served, self._said = held.life, False, None
        spec = held.app.spec
        self._container = container_of(spec)
        self._scaler = Autoscaler(spec)
        timeouts, route = spec.timeouts, self.route
        self._place(route, held)
        route.raw = self._container.port_name == H2C
        route.request_seconds = timeouts.request_timeout.ToTimedelta().total_seconds() or REQUEST_SECONDS
        route.requires_auth = not spec.security_context.allow_anonymous
        violation = violation_of(spec)
        self._violation = f"Denied the app: {violation}" if violation else ""
        self._send(held.life, PENDING, Status.SUBSTATE_UNSPECIFIED, "Accepted: it will run on this machine", 0)

    def _wanted(self, now: float) -> int:
        """Return the number of replicas that should be there."""
        scaler = self._scaler
        if scaler is None:
            return 0
        if not self._served:
            return scaler.bounds.start
        route = self.route
        return scaler.replicas(now, route.in_flight, route.rate(), route.last_request)

    def _scale(self, held: HeldApp) -> None:
        """Start replicas, or end the newest ones."""
        if not self._served and any(each.is_ready for each in self.replicas):
            self._served, self.route.last_request = True, time.monotonic()
        wanted = self._wanted(time.monotonic())
        if len(self.replicas) > wanted:
            over, self.replicas = self.replicas[wanted:], self.replicas[:wanted]
            self._retire(over)
        while len(self.replicas) < wanted:
            self._started += 1
            name = f"{held.life.revision:05d}-{self._started}"
            self.replicas.append(Replica(self._workshop, held.app, self._container, name, self.changed, self._logged))

    def _logged(self) -> None:
        self._cluster.logged(self._key)

    def _retire(self, *lists: list[Replica]) -> None:
        """End these replicas in the background, each after the requests that it has; the lists are empty then."""
        for replicas in lists:
            for replica in replicas:
                self._in_background(self._end(replica))
            replicas.clear()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self._wake.set()

    async def _end(self, replica: Replica) -> None:
        """End a replica once its requests are answered, or time is up."""
        backend = replica.backend
        until = time.monotonic() + self._workshop.settings.stop_seconds
        await asyncio.sleep(0)  # the route has changed by then: no further request comes
        while backend is not None and backend.in_flight and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await replica.stop()

    def _set_route(self) -> None:
        ready = [each for each in self.replicas if each.is_ready]
        backends = tuple(each.backend for each in ready or self._before if each.backend is not None)
        unavailable = None
        if not backends and (self._failed() or self.trouble):
            last = self._said.message if self._said is not None else ""
            unavailable = Unavailable(f"The app {self.name} has FAILED: {last}", retry_after=RETRY_SECONDS)
        if backends != self.route.backends or unavailable != self.route.unavailable:
            self.route.set(backends, unavailable)

    def _failed(self) -> bool:
        return self._said is not None and self._said.status == FAILED

    def _report(self) -> None:
        """Report what the replicas do, if it is news."""
        status, substate, message = self._condition()
        if status == FAILED and self._before:
            message += f"; revision {self._before[0].name.partition('-')[0].lstrip('0')} answers requests until it runs"
        assert self._life is not None
        names = self._send(self._life, status, substate, message, len(self.replicas))
        if names is not None:
            for replica, name in zip(self.replicas, names, strict=False):
                self._cluster.keep_log(self._key, name.life.number, replica.log.between)

    def _condition(self) -> tuple[int, int, str]:
        """Return the status, the substate and the message that the replicas amount to."""
        replicas = self.replicas
        ready = [each for each in replicas if each.is_ready]
        if not replicas:
            seconds = self._scaler.scaledown_seconds if self._scaler is not None else 0
            return ACTIVE, Status.SCALED_TO_ZERO, f"Scaled to zero: no request for {seconds:g} s"
        failed = next((each for each in replicas if each.failure is not None), None)
        if ready:
            return self._running(ready, failed)
        if failed is not None and failed.failure is not None:
            return self._failing(failed)
        if self._said is not None and self._said.status == FAILED:  # it is being started again
            return FAILED, self._said.substate, self._said.message
        if self._served:
            return ACTIVE, Status.SCALING_FROM_ZERO, f"Requests received: scaling from zero to {len(replicas)}"
        hint = next((each.hint for each in replicas if each.hint), "")
        text = f"Starting: {hint}" if hint else f"Starting {shown(self._container.command)}"
        return DEPLOYING, Status.INITIALIZING, text

    def _running(self, ready: list[Replica], failed: Replica | None) -> tuple[int, int, str]:
        count = len(self.replicas)
        if len(ready) == count:
            substate = Status.SCALING_DOWN if self._ending and not self._before and self._had_more() else Status.RUNNING
            ports = ", ".join(str(each.port) for each in ready)
            return (
                ACTIVE,
                substate,
                f"Running on port {ports}" if count == 1 else f"{count} replicas run, on ports {ports}",
            )
        text = f"{len(ready)} of {count} replicas run"
        if failed is not None and failed.failure is not None:
            return ACTIVE, Status.RUNNING, f"{text}; another one {failed.failure.message}"
        return ACTIVE, Status.SCALING_UP, text

    def _had_more(self) -> bool:
        """Return whether more replicas ran at the last report."""
        return self._said is not None and self._said.status == ACTIVE and self._said.replicas > len(self.replicas)

    def _failing(self, replica: Replica) -> tuple[int, int, str]:
        failure = replica.failure
        assert failure is not None
        looping = replica.crashes >= CRASHES and not failure.substate and not failure.lasting
        if failure.lasting or looping or failure.substate or self._served or self._failed():
            substate = Status.CRASH_LOOP if looping else failure.substate
            return FAILED, substate, f"{_capital(failure.message)}{f' ({replica.crashes} times)' if looping else ''}"
        return DEPLOYING, Status.INITIALIZING, f"{_capital(failure.message)}; it is started again"

    def _send(self, life: Life, status: int, substate: int, message: str, replicas: int) -> list[ReplicaName] | None:
        """Report, if it is news; return the replicas' names, None where nothing was reported."""
        if self.trouble and status in (ACTIVE, DEPLOYING):
            status, substate, message = FAILED, Status.SUBSTATE_UNSPECIFIED, self.trouble
        said = Said(life, status, substate, message, replicas)
        if said == self._said:
            return None
        before, self._said = self._said, said
        names = self._cluster.report(self._key, *said)
        if names is None and not self._cluster.takes_reports():
            self._said = before  # the next look, at the latest in some seconds, reports it again
        return names


def _wants_the_port(replica: Replica) -> bool:
    """Return whether it failed for a port that the revision before may have: its code has one port."""
    return replica.failure is not None and replica.failure.port_in_use


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
