"""The data plane of processes: a thread with a loop of its own, on which apps run and requests to them are passed on.

The thread is started by the first app. What it learns of the plane, and reports to it, goes through the cluster of this
machine, under the plane's lock.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from flyteapps_control.selection import AppName
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.processes.directories import Directories
from flyteapps_fake.processes.ingress.ingress import Ingress
from flyteapps_fake.processes.ingress.serving import Log as RequestLog
from flyteapps_fake.processes.launching.launch import Machine, own_environment
from flyteapps_fake.processes.ports import AppPorts, ReplicaPorts
from flyteapps_fake.processes.programs import Programs
from flyteapps_fake.processes.replica import Workshop
from flyteapps_fake.processes.routes import Route, Routes
from flyteapps_fake.processes.running_app import RunningApp
from flyteapps_fake.processes.settings import Processes
from flyteapps_fake.processes.threads import in_thread
from flyteapps_fake.processes.usage import sweep, usage_of
from flyteapps_fake.servers.listener import AddressTaken, listening_sockets
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.operators.local_cluster import HeldApp, Life, LocalCluster, Log
from flyteapps_fake.standard.replicas import Replica as ReplicaName

BY_NAME = "/_flyteapps/apps/"
"""The prefix of the router's paths by PROJECT/DOMAIN/NAME, by which apps reach each other."""
START_SECONDS = 10.0
"""Time that the thread's start may take."""
USAGE_SECONDS = 0.25
"""Time between two looks at the memory of replicas that have a limit."""
COUNT_SECONDS = 1.0
"""Time between two looks at the number of processes of all replicas."""
MAX_PROCESSES = 1_000
"""Processes of one replica."""
STARTS_PER_CORE = 2
TOKEN_SECONDS = 30 * 86_400.0
"""Time for which an app may call a plane whose callers need credentials, from its start on."""
PORT_SECONDS = 5.0
"""Time after which a port that another program has is tried again."""
_logger = logging.getLogger(__name__)


class LockedCluster:
    """The cluster of this machine, called from outside of the plane's lock."""

    def __init__(self, plane: Plane, cluster: LocalCluster) -> None:
        self._plane = plane
        self._cluster = cluster

    def held(self, key: AppKey) -> HeldApp | None:
        """Return the app as it should run; None where it is gone, or another cluster's."""
        return self._plane.run(lambda: self._cluster.held(key))

    def report(
        self, key: AppKey, life: Life, status: int, substate: int, message: str, replicas: int
    ) -> list[ReplicaName] | None:
        """Report on a revision; return its replicas' names, None where the app has moved on."""
        return self._plane.run(lambda: self._cluster.report(key, life, status, substate, message, replicas))

    def takes_reports(self) -> bool:
        """Return whether a report may be committed: not while the plane can't save its state."""
        return self._plane.run(self._cluster.takes_reports)

    def keep_log(self, key: AppKey, number: int, log: Log) -> None:
        """Keep the log of a replica."""
        self._plane.run(lambda: self._cluster.logs.put(key, number, log))

    def logged(self, key: AppKey) -> None:
        """Wake those who follow the app's log."""
        self._plane.run(lambda: self._cluster.logged(key))

    def requested(self, key: AppKey, requests: int) -> None:
        """Record requests to the app's URL."""
        self._plane.run(lambda: self._cluster.requested(key, requests))


class DataPlane:
    """The processes of one plane's apps.

    `pages`: the URL of the plane's own pages, for what the router gets that is for no app. `show` shows log lines in
    the server's terminal, `log` is called with each request that was passed on. `interpreter` runs the keeper.
    `endpoint`: the plane's, as in `served_at`; it is given here where apps of an earlier run may start at once.
    """

    def __init__(
        self,
        plane: Plane,
        settings: Processes,
        *,
        pages: str | None = None,
        log: RequestLog | None = None,
        show: Callable[[AppName, str], None] | None = None,
        interpreter: str | None = None,
        endpoint: str = "",
        secure: bool = False,
    ) -> None:
        self._plane = plane
        self._settings = settings
        self._pages = pages
        self._log = log
        self._show = show
        self.directories = Directories(settings.directory)
        self.machine = Machine(
            python=settings.python or own_environment(),
            chosen=settings.python is not None,
            org=plane.org,
            api=endpoint,
            secure=secure,
        )
        self.routes = Routes()
        self._apps: dict[AppKey, RunningApp] = {}
        self._tasks: dict[AppKey, asyncio.Task[None]] = {}
        self._listening: dict[AppKey, asyncio.Task[None]] = {}
        """The opening of apps' ports that is under way."""
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended = False
        self._grace_seconds = settings.stop_seconds
        self._stop = asyncio.Event()
        self._started: Future[None] = Future()
        self._unseen: deque[AppKey] = deque()
        """The apps that have changed, and were not looked at."""
        directories = self.directories
        removed = str(directories.root) if directories.is_temporary else None
        self._programs = Programs(directories.prefix, interpreter, removed)
        self._workshop: Workshop | None = None
        self._ingress: Ingress | None = None
        cluster = plane.use(lambda dialect: dialect.local_cluster)
        assert isinstance(cluster, LocalCluster)
        self._cluster = LockedCluster(plane, cluster)
        if not directories.is_temporary:
            sweep(directories.prefix)
        self._app_ports = AppPorts()
        plane.use(lambda dialect: dialect.choose_ports(self._app_ports.choose))
        plane.run(lambda: cluster.listen(self._changed))

    def start(self) -> None:
        """Start the thread, unless it runs."""
        self._begin()
        if self._thread is not None:
            self._started.result(START_SECONDS)

    def _begin(self) -> None:
        """Start the thread, unless it runs, and don't wait: the caller may hold the plane's lock."""
        if self._thread is None and not self._ended:
            atexit.register(self.close)
            self._thread = threading.Thread(target=self._work, name="flyteapps-processes", daemon=True)
            self._thread.start()

    def served_at(self, endpoint: str, *, secure: bool = False) -> None:
        """Name the plane's endpoint to the apps that start from now on, unless one was named before."""
        if not self.machine.api:
            self.machine = replace(self.machine, api=endpoint, secure=secure)

    def serve_router(self, socks: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Answer on these listening sockets for all apps, and with the plane's own pages; called once."""
        self.start()
        assert self._loop is not None and self._ingress is not None
        asyncio.run_coroutine_threadsafe(self._ingress.serve_router(socks, tls), self._loop).result(START_SECONDS)

    def close(self, grace_seconds: float | None = None, *, wait: bool = True) -> None:
        """End all apps, SIGTERM first, and the thread; their directory is left, a temporary one removed.

        `grace_seconds`: between SIGTERM and SIGKILL, by default that of the settings. Without `wait` they end later:
        the caller may be anywhere, as a finalizer's is.
        """
        if self._process != os.getpid():
            return
        if grace_seconds is not None:
            self._grace_seconds = min(grace_seconds, self._grace_seconds)
        ended, self._ended = self._ended, True
        if self._thread is None:
            self.directories.close()
            self._app_ports.close()
            return
        if not ended and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by an error
                self._loop.call_soon_threadsafe(self._stop.set)
        if wait and self._thread is not threading.current_thread():
            self._thread.join(self._grace_seconds + START_SECONDS)

    def _changed(self, key: AppKey) -> None:
        """Look at an app again; called under the plane's lock, by any thread."""
        if self._process != os.getpid():
            return  # the apps are those of the process that was forked
        self._unseen.append(key)
        self._begin()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has been closed
                self._loop.call_soon_threadsafe(self._look_at_unseen)

    def _look_at_unseen(self) -> None:
        while self._unseen and self._started.done():
            self._look(self._unseen.popleft())

    def _work(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._run())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self.directories.close()
            self._app_ports.close()
            atexit.unregister(self.close)

    async def _run(self) -> None:
        workshop = self._workshop = Workshop(
            settings=self._settings,
            machine=lambda: self.machine,
            programs=self._programs,
            directories=self.directories,
            ports=ReplicaPorts(),
            starts=asyncio.Semaphore(STARTS_PER_CORE * (os.cpu_count() or 1)),
            now=self._plane.now_ns,
            secret=lambda app, group, key: self._plane.secrets.value(app.project, app.domain, key, group),
            token=self._token,
            show=self._show,
        )
        settings = self._plane.settings
        authorize = self._authorize if settings.authentication is not None else None
        ingress = self._ingress = Ingress(
            self.routes, authorize, self._pages, self._log, base_domain=settings.base_domain
        )
        private = listening_sockets(("127.0.0.1",), 0)
        await ingress.serve_internal_router(private)
        pattern = f"http://127.0.0.1:{private[0].getsockname()[1]}{BY_NAME}{{project}}/{{domain}}/{{app_fqdn}}"
        self.machine = replace(self.machine, pattern=pattern)
        self._started.set_result(None)
        self._look_at_unseen()
        if self._ended:
            self._stop.set()
        watching = asyncio.create_task(self._watch_usage(), name="flyteapps-usage")
        try:
            await self._stop.wait()
        finally:
            watching.cancel()
            workshop.settings = replace(self._settings, stop_seconds=self._grace_seconds)
            for task in self._tasks.values():
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=self._grace_seconds + 2)
            await ingress.close(0)
            self._programs.close()

    def _authorize(self, token: str) -> bool:
        """Return whether the plane accepts a token."""
        authentication = self._plane.authentication
        return authentication is not None and self._plane.run(lambda: authentication.accepts(token))

    def _token(self) -> str:
        """Return a token for an app: that of the plane's client with a secret, "" where there is none."""
        authentication = self._plane.authentication
        if authentication is None:
            return ""
        clients = [each.client_id for each in authentication.settings.clients if each.secret is not None]
        if not clients or authentication.provider is not None:
            return ""
        return self._plane.run(lambda: authentication.token(clients[0], TOKEN_SECONDS))

    def _look(self, key: AppKey) -> None:
        """Look at an app again, on the loop."""
        app = self._apps.get(key)
        if app is not None:
            app.changed()
        elif not self._stop.is_set() and key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._follow(key), name=f"flyteapps-app-{key.name}")

    async def _follow(self, key: AppKey) -> None:
        """Run an app until it is gone."""
        held = self._cluster.held(key)
        if held is None or self._workshop is None:
            self._tasks.pop(key, None)
            return
        route = Route(key.named(), self._port_of(held))
        app = self._apps[key] = RunningApp(key, self._cluster, self._workshop, route, partial(self._place, key))
        try:
            await app.run()
        finally:
            if (listening := self._listening.get(key)) is not None:
                listening.cancel()
            self._apps.pop(key, None)
            self.routes.remove(key.named())
            if self._ingress is not None:
                await self._ingress.close_port(route)
            if not self._stop.is_set() and not app.is_held():
                await in_thread(self.directories.remove, key.named())
            self._tasks.pop(key, None)
            if not self._stop.is_set():
                self._look_if_held(key)

    def _look_if_held(self, key: AppKey) -> None:
        """Begin anew with an app that came back while its replicas were ended."""
        if self._cluster.held(key) is not None:
            self._look(key)

    def _port_of(self, held: HeldApp) -> int:
        """Return the app's own port, 0 where its URL has another form."""
        if self._plane.settings.ingress != "port":
            return 0
        return urlsplit(held.app.status.ingress.public_url).port or 0

    def _place(self, key: AppKey, route: Route, held: HeldApp) -> None:
        """Route the app's names to it, and open its port, if it isn't yet open for what the app speaks."""
        route.label = held.subdomain.lower()
        hosts = {f"{route.label}.{self._plane.settings.base_domain.lower()}"}
        if cname := held.app.spec.ingress.cname:
            hosts.add(cname.lower())
        self.routes.remove(route.app)
        route.hosts = frozenset(hosts)
        self.routes.add(route)
        if (app := self._apps.get(key)) is not None and key not in self._listening:
            task = self._listening[key] = asyncio.create_task(self._listen(app), name=f"flyteapps-port-{route.port}")
            task.add_done_callback(lambda _: self._listening.pop(key, None))

    async def _listen(self, app: RunningApp) -> None:
        """Open the app's port, as soon as no other program has it."""
        if self._ingress is None or not app.route.port:
            return
        while True:
            try:
                await self._ingress.listen(app.route)
            except OSError as error:
                why = (
                    "was taken by another program" if isinstance(error, AddressTaken) else f"can't be opened ({error})"
                )
                app.trouble = f"port {app.route.port} of its URL {why}: end that, or delete the app"
                app.changed()
                await asyncio.sleep(PORT_SECONDS)
            else:
                self._app_ports.opened(app.route.port)
                app.trouble = ""
                app.changed()
                return

    async def _watch_usage(self) -> None:
        """Kill replicas that use more memory than their limit, or start processes without end."""
        counted = time.monotonic()
        while True:
            await asyncio.sleep(USAGE_SECONDS)
            now = time.monotonic()
            count = now - counted >= COUNT_SECONDS
            counted = now if count else counted
            replicas = [
                (each, each.program)
                for app in list(self._apps.values())
                for each in app.all_replicas()
                if each.program is not None and (count or each.memory is not None)
            ]
            if not replicas:
                continue
            limits = {program.pid: each.memory for each, program in replicas}
            try:
                usages = await asyncio.to_thread(usage_of, limits)
            except Exception:  # the next look may find more
                _logger.exception("the usage of apps can't be read")
                continue
            for replica, program in replicas:
                usage = usages[program.pid]
                if replica.program is not program:
                    continue
                if replica.memory is not None and usage.memory > replica.memory:
                    replica.memory_exceeded = usage.memory
                    program.end()
                elif usage.processes > MAX_PROCESSES:
                    replica.too_many_processes = True
                    program.end()
