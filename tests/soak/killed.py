"""`flyteapps serve --state`, killed again and again under load: nothing acknowledged is lost, nothing shown is undone.

Run with `make kills` (100 rounds); arguments are ROUNDS [SERVER [APPS [SEED]]]. There are 50 writers over Connect and
gRPC, pollers and watchers, and apps in motion on the clock `realtime`. After each kill -9 all apps are listed, those of
the writers read one by one, and compared with what clients know (ledger.py). Prints a line a round, and exits 1 where
anything is wrong, or the server needs more than two seconds of CPU to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import psutil
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    ListRequest,
    UpdateRequest,
    WatchRequest,
)
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.common.list_pb2 import ListRequest as Page
from flyteidl2.core.tasks_pb2 import Container
from pyqwest import Client, HTTPTransport, HTTPVersion
from soak.ledger import MARK, Ledger, life_of

from serving.server_process import ServerProcess

WRITERS, OWN_APPS = 50, 6
POLLERS, WATCHERS = 6, 6
SERVERS = ("pyvoy", "portable")
START_SECONDS = 2.0
"""CPU seconds that a server with 10,000 apps may use until it listens, in the median, on any machine."""
PAGE = 1_000
CALL_MS = 30_000
LOAD_SECONDS = (0.3, 1.5)
REFUSALS = {Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.ABORTED, Code.FAILED_PRECONDITION, Code.INVALID_ARGUMENT}
"""The codes of refusals; after any other one the write is in doubt."""


def app_of(name: str, mark: str, stopped: bool) -> App:
    """Return an app with that mark."""
    state = Spec.DESIRED_STATE_STOPPED if stopped else Spec.DESIRED_STATE_ACTIVE
    app = App(metadata=Meta(id=Identifier(project="p", domain="d", name=name)))
    app.spec.CopyFrom(Spec(container=Container(image=f"image:{mark}"), desired_state=state))
    app.metadata.labels[MARK] = mark
    if name.endswith("0"):
        app.metadata.labels["flyteapps.dev/scenario"] = "crash-loop"
    return app


class Clients:
    """All clients of one run of the server."""

    def __init__(self, url: str, ledger: Ledger, source: random.Random, marks: itertools.count[int]) -> None:
        self._transports = [
            HTTPTransport(http_version=version, use_system_dns=True)
            for version in (HTTPVersion.HTTP2, HTTPVersion.HTTP2, HTTPVersion.HTTP1)
        ]
        first, second, third = map(Client, self._transports)
        self.stubs = [
            AppServiceClient(url, http_client=first),
            AppServiceClient(url, http_client=second, protocol=ProtocolType.GRPC),
            AppServiceClient(url, http_client=third),
            AppServiceClient(url, http_client=second, protocol=ProtocolType.GRPC),
        ]
        self._ledger = ledger
        self._random = source
        self._marks = marks
        self.calls: Counter[str] = Counter()

    async def close(self) -> None:
        """End the connections."""
        for transport in self._transports:
            await transport.aclose()

    async def write(self, writer: int) -> None:
        """Create, update and delete the writer's own apps, until the server is gone."""
        stub, draw = self.stubs[writer % len(self.stubs)], self._random
        while True:
            name = f"w{writer}-{draw.randrange(OWN_APPS)}"
            verb = "create" if self._ledger.stored.get(name) is None else draw.choice(("update", "update", "delete"))
            if not await self.make(stub, name, verb, stopped=draw.random() < 0.5):
                return

    async def make(self, stub: AppServiceClient, name: str, verb: str, *, stopped: bool) -> bool:
        """Make one write; return whether the server is still there."""
        mark = f"m{next(self._marks)}"
        ledger, app = self._ledger, app_of(name, mark, stopped)
        ledger.sends(name, verb, mark)
        shown: App | None = None
        try:
            if verb == "create":
                shown = (await stub.create(CreateRequest(app=app), timeout_ms=CALL_MS)).app
            elif verb == "update":
                shown = (await stub.update(UpdateRequest(app=app), timeout_ms=CALL_MS)).app
            else:
                await stub.delete(DeleteRequest(app_id=app.metadata.id), timeout_ms=CALL_MS)
        except ConnectError as error:
            if error.code in REFUSALS:
                ledger.refused(name, error.code.name)
                return True
            return False
        ledger.answered(name, shown)
        self.calls[verb] += 1
        return True

    async def poll(self) -> None:
        """Get the apps of the writers, and list a page now and then."""
        draw, ledger = self._random, self._ledger
        with contextlib.suppress(ConnectError):
            while True:
                stub = draw.choice(self.stubs)
                if draw.random() < 0.05:
                    listed = await stub.list(ListRequest(org="flyte", request=Page(limit=100)), timeout_ms=CALL_MS)
                    for app in listed.apps:
                        ledger.shows(app)
                    continue
                name = f"w{draw.randrange(WRITERS)}-{draw.randrange(OWN_APPS)}"
                before = ledger.stored.get(name)
                try:
                    await self.get(stub, name)
                except ConnectError as error:
                    if error.code is not Code.NOT_FOUND:
                        raise
                    if before is not None:
                        ledger.gone(name, before.life)

    async def get(self, stub: AppServiceClient, name: str) -> None:
        """Get an app, and record what it shows."""
        app_id = Identifier(project="p", domain="d", name=name)
        self._ledger.shows((await stub.get(GetRequest(app_id=app_id), timeout_ms=CALL_MS)).app)
        self.calls["get"] += 1

    async def watch(self, watcher: int) -> None:
        """Watch all apps, or one, and record each event."""
        stub = self.stubs[watcher % len(self.stubs)]
        one = Identifier(project="p", domain="d", name=f"w{watcher}-0")
        request = WatchRequest(app_id=one) if watcher % 2 else WatchRequest(org="flyte")
        while True:
            try:
                async for event in stub.watch(request):
                    self.calls["event"] += 1
                    self._event(event)
            except ConnectError as error:
                if error.code not in (Code.RESOURCE_EXHAUSTED, Code.NOT_FOUND):  # it fell behind, or the app is gone
                    return
                await asyncio.sleep(0.01)

    def _event(self, event: Any) -> None:
        match event.WhichOneof("event"):
            case "create_event":
                self._ledger.shows(event.create_event.app)
            case "update_event":
                self._ledger.shows(event.update_event.updated_app)
            case _:
                app = event.delete_event.app
                self._ledger.gone(app.metadata.id.name, life_of(app))

    async def everything(self) -> AsyncIterator[App]:
        """List all apps."""
        request = ListRequest(org="flyte", request=Page(limit=PAGE))
        while True:
            listed = await self.stubs[0].list(request, timeout_ms=CALL_MS)
            for app in listed.apps:
                yield app
            if not listed.token:
                return
            request.request.token = listed.token

    async def judge(self) -> int:
        """Compare all that is there with the ledger; return how many apps there are."""
        apps = [app async for app in self.everything()]
        self._ledger.judge(apps)
        present = [name for name, stored in self._ledger.stored.items() if stored is not None and name.startswith("w")]
        for start in range(0, len(present), WRITERS):
            names = present[start : start + WRITERS]
            await asyncio.gather(*(self.get(self.stubs[n % 4], name) for n, name in enumerate(names)))
        return len(apps)


class Kills:
    """One run: a directory, its server that is killed, and the knowledge of its clients."""

    def __init__(self, kind: str, apps: int, seed: int, directory: str) -> None:
        self.kind = kind
        self._apps = apps
        self._random = random.Random(seed)
        self._directory = directory
        self._marks = itertools.count()
        self.ledger = Ledger()
        self.starts: list[float] = []

    def _start(self) -> tuple[ServerProcess, float, float]:
        """Return a server that listens, the seconds until then, and those of CPU."""
        started = time.monotonic()
        server = ServerProcess("--quiet", "--server", self.kind, "--speed", "20", "--state", self._directory)
        seconds = time.monotonic() - started
        root = psutil.Process(server.process.pid)
        times = [each.cpu_times() for each in (root, *root.children(recursive=True))]
        return server, seconds, sum(each.user + each.system for each in times)

    async def round(self, number: int) -> None:
        """Start the server, compare, put load on it, and kill it."""
        server, seconds, cpu = await asyncio.to_thread(self._start)
        clients = Clients(server.url, self.ledger, self._random, self._marks)
        try:
            found = await clients.judge()
            if number:
                self.starts.append(cpu)
            else:
                await self._fill(clients)
            tasks = [
                *(asyncio.create_task(clients.write(writer)) for writer in range(WRITERS)),
                *(asyncio.create_task(clients.poll()) for _ in range(POLLERS)),
                *(asyncio.create_task(clients.watch(watcher)) for watcher in range(WATCHERS)),
            ]
            await asyncio.sleep(self._random.uniform(*LOAD_SECONDS))
            ended = [task for task in tasks if task.done()]
            if ended or server.process.poll() is not None:
                self.ledger.wrong.append(f"clients ended before the kill: {[task.exception() for task in ended][:3]}")
        finally:
            await asyncio.to_thread(server.stop, signal.SIGKILL)
        _, late = await asyncio.wait(tasks, timeout=10)
        for task in late:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                self.ledger.wrong.append(f"a client broke: {result!r}")
        await clients.close()
        doubt = len(self.ledger.open)
        self.ledger.killed()
        calls = "  ".join(f"{verb} {count}" for verb, count in sorted(clients.calls.items()))
        print(
            f"{number:4}  started in {seconds:.2f} s ({cpu:.2f} of CPU) with {found} apps  {calls}  in doubt {doubt}  "
            f"wrong {len(self.ledger.wrong)}",
            flush=True,
        )

    async def _fill(self, clients: Clients) -> None:
        """Create the apps that are there throughout, a third of them in motion."""
        numbers = iter(range(self._apps))

        async def fill(stub: AppServiceClient) -> None:
            for number in numbers:
                await clients.make(stub, f"b{number}", "create", stopped=bool(number % 3))

        await asyncio.gather(*(fill(clients.stubs[n % 4]) for n in range(64)))

    async def last(self) -> None:
        """Start the server once more, compare, and stop it."""
        server, _, cpu = await asyncio.to_thread(self._start)
        clients = Clients(server.url, self.ledger, self._random, self._marks)
        try:
            await clients.judge()
            self.starts.append(cpu)
        finally:
            await clients.close()
            await asyncio.to_thread(server.stop)


def killed(kind: str, rounds: int, apps: int, seed: int) -> list[str]:
    """Kill a server so many times; return what was wrong."""
    with tempfile.TemporaryDirectory() as directory:
        kills = Kills(kind, apps, seed, os.path.join(directory, "state"))

        async def run() -> None:
            for number in range(rounds):
                await kills.round(number)
                if kills.ledger.wrong:
                    break
            await kills.last()

        asyncio.run(run())
    ledger, start = kills.ledger, statistics.median(kills.starts)
    print(
        f"{kind}: {rounds} kills, {ledger.acknowledged} writes acknowledged, {ledger.shown} states shown, "
        f"started by {start:.2f} s of CPU (median), {max(kills.starts):.2f} s (longest)"
    )
    wrong = list(ledger.wrong)
    if start > START_SECONDS:
        wrong.append(f"the server needs {start:.2f} s of CPU to start")
    return [f"{kind}: {line}" for line in wrong]


def main() -> int:
    """Run [ROUNDS [SERVER|all [APPS [SEED]]]]."""
    arguments = sys.argv[1:]
    rounds = int(arguments[0]) if arguments else 100
    kinds = SERVERS if len(arguments) < 2 or arguments[1] == "all" else (arguments[1],)
    apps = int(arguments[2]) if len(arguments) > 2 else 10_000
    seed = int(arguments[3]) if len(arguments) > 3 else random.SystemRandom().randrange(10**6)
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        del os.environ[name]
    print(f"kills: {rounds} rounds on {', '.join(kinds)} with {apps} apps, seed {seed}", flush=True)
    wrong = [line for kind in kinds for line in killed(kind, rounds, apps, seed)]
    for line in wrong[:20]:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
