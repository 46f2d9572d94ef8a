"""Mixed load on `flyteapps serve`, with clients that vanish at random: what grows, what leaks, what fails.

Run with `make soak` (an hour); arguments are SECONDS, `--server`, a seed, `--dialect`. Prints a line a sample and
exits 1 where memory grew, a task, a file or a stream was left, or a call was answered by a code that it can't have.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.app.app_logs_service_connect import AppLogsServiceClient
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    ListRequest,
    UpdateRequest,
    WatchRequest,
)
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from flyteidl2.common.list_pb2 import ListRequest as Page
from flyteidl2.core.tasks_pb2 import Container
from pyqwest import Client, HTTPTransport, HTTPVersion

from serving.server_process import HTTP, ServerProcess

WATCHING = Path(__file__).parents[1] / "benchmarks" / "watching.py"
APPS = 200
WORKERS = 12
MAX_GROWTH, MAX_GROWTH_MB = 1.15, 40.0
"""Memory at the end over memory after a third of the time; or so much more, which the first minutes may take."""
STANDARD, FLYTE_OSS = "standard", "flyte-oss"
_EVERYWHERE = {
    "get": {"NOT_FOUND"},
    "list": set[str](),
    "watch": {"CANCELED"},
    "give_up": {"NOT_FOUND", "CANCELED", "DEADLINE_EXCEEDED"},
}
EXPECTED: dict[str, dict[str, set[str]]] = {
    STANDARD: {
        **_EVERYWHERE,
        "create": {"ALREADY_EXISTS"},
        "update": {"NOT_FOUND", "ABORTED"},
        "stop": {"NOT_FOUND", "ABORTED"},
        "delete": {"NOT_FOUND", "FAILED_PRECONDITION"},
        "logs": {"NOT_FOUND", "CANCELED"},
    },
    FLYTE_OSS: {
        **_EVERYWHERE,
        "create": {"INTERNAL"},
        "update": {"INTERNAL"},
        "stop": {"NOT_FOUND"},
        "delete": set(),
        "logs": {"NOT_FOUND", "CANCELED", "RESOURCE_EXHAUSTED"},
    },
}
"""The codes of refused calls; connectrpc makes CANCELED of a call that the client itself gave up."""
WHOLE = {STANDARD: WatchRequest(org="flyte"), FLYTE_OSS: WatchRequest()}
"""A Watch of everything."""


class Load:
    """The clients that behave, and what they were answered."""

    def __init__(self, url: str, source: random.Random, dialect: str) -> None:
        self._random = source
        self._dialect = dialect
        self._transports = [
            HTTPTransport(http_version=each, use_system_dns=True) for each in (HTTPVersion.HTTP2, HTTPVersion.HTTP1)
        ]
        http2, http1 = map(Client, self._transports)
        self._clients = [
            AppServiceClient(url, http_client=http1),
            AppServiceClient(url, http_client=http2),
            AppServiceClient(url, http_client=http2, protocol=ProtocolType.GRPC),
            AppServiceClient(url, http_client=http1, protocol=ProtocolType.GRPC_WEB),
        ]
        self._logs = AppLogsServiceClient(url, http_client=http2, protocol=ProtocolType.GRPC)
        self.answers: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []

    async def close(self) -> None:
        """End the connections."""
        for transport in self._transports:
            await transport.aclose()

    async def run(self, until: float) -> None:
        """Make calls as one worker."""
        kinds: list[tuple[str, Callable[[AppServiceClient, Identifier], Awaitable[Any]]]] = [
            ("create", self.create),
            ("update", self.update),
            ("stop", self.stop),
            ("get", self.get),
            ("delete", self.delete),
            ("list", self.list),
            ("watch", self.watch),
            ("logs", self.logs),
            ("give_up", self.give_up),
        ]
        while time.monotonic() < until:
            kind, call = self._random.choice(kinds)
            app_id = Identifier(project="p", domain="d", name=f"soak-{self._random.randrange(APPS)}")
            try:
                await call(self._random.choice(self._clients), app_id)
                code = "OK"
            except ConnectError as error:
                code = error.code.name
                if code not in EXPECTED[self._dialect][kind]:
                    self.wrong.append(f"{kind}: {code}: {error.message}")
            self.answers[kind, code] += 1

    def _app(self, app_id: Identifier, stopped: bool = False) -> App:
        states = Spec
        wanted = states.DESIRED_STATE_STOPPED if stopped else states.DESIRED_STATE_ACTIVE
        app = App(
            metadata=Meta(id=app_id),
            spec=Spec(container=Container(image=f"image:{self._random.randrange(9)}"), desired_state=wanted),
        )
        app.metadata.labels["turn"] = str(self._random.random())
        return app

    async def create(self, client: AppServiceClient, app_id: Identifier) -> None:
        await client.create(CreateRequest(app=self._app(app_id)), timeout_ms=20_000)

    async def update(self, client: AppServiceClient, app_id: Identifier) -> None:
        await client.update(UpdateRequest(app=self._app(app_id)), timeout_ms=20_000)

    async def stop(self, client: AppServiceClient, app_id: Identifier) -> None:
        await client.update(UpdateRequest(app=self._app(app_id, stopped=True)), timeout_ms=20_000)

    async def get(self, client: AppServiceClient, app_id: Identifier) -> None:
        await client.get(GetRequest(app_id=app_id), timeout_ms=20_000)

    async def delete(self, client: AppServiceClient, app_id: Identifier) -> None:
        await client.delete(DeleteRequest(app_id=app_id), timeout_ms=20_000)

    async def list(self, client: AppServiceClient, app_id: Identifier) -> None:
        project = ProjectIdentifier(name="p", domain="d", organization=app_id.org)
        await client.list(ListRequest(project=project, request=Page(limit=50)), timeout_ms=20_000)

    async def watch(self, client: AppServiceClient, app_id: Identifier) -> None:
        """Read a few events of one app, or of all, and then no more."""
        whole = self._random.random() < 0.3
        request = WHOLE[self._dialect] if whole else WatchRequest(app_id=app_id)
        await self._some(client.watch(request))

    async def logs(self, client: AppServiceClient, app_id: Identifier) -> None:
        await self._some(self._logs.tail_logs(TailLogsRequest(app_id=app_id)))

    async def _some(self, stream: Any) -> None:
        events = aiter(stream)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._random.random() * 2):
                for _ in range(self._random.randrange(20)):
                    await anext(events, None)
        await stream.aclose()

    async def give_up(self, client: AppServiceClient, app_id: Identifier) -> None:
        """Cancel a call that is on its way."""
        call = asyncio.ensure_future(client.get(GetRequest(app_id=app_id)))
        await asyncio.sleep(self._random.random() * 0.002)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call


async def vanish(port: int, until: float, source: random.Random, dialect: str) -> None:
    """Misbehave as clients do: 100 watches at a time that are killed, requests that break off."""
    message = WHOLE[dialect].SerializeToString()
    body = (b"\0" + len(message).to_bytes(4, "big") + message).hex()
    head = b"POST /flyteidl2.app.AppService/Create HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/proto\r\n"
    while time.monotonic() < until:
        command = (sys.executable, str(WATCHING), str(port), "2", "50", body)
        holder = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        await asyncio.sleep(source.random() * 4)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as half:
                half.sendall(
                    head + b"content-length: 1000\r\n\r\n"[: source.randrange(26)] + b"x" * source.randrange(9)
                )
        holder.kill()
        await holder.communicate()


def sample_of(server: ServerProcess) -> dict[str, float]:
    """Return memory in MB, files, tasks, streams, apps."""
    health = HTTP.get(f"{server.url}/healthz").json()
    root = psutil.Process(server.process.pid)
    tree = (root, *root.children(recursive=True))
    return {
        "MB": sum(each.memory_info().rss for each in tree) / 1e6,
        "files": sum(each.num_fds() for each in tree),
        "tasks": health["tasks"],
        "streams": health["streams"]["open"],
        "apps": health["apps"],
    }


async def soak(server: ServerProcess, seconds: float, seed: int, dialect: str) -> list[str]:
    """Put load on the server; return what went wrong."""
    source = random.Random(seed)
    load = Load(server.url, source, dialect)
    before = sample_of(server)
    until = time.monotonic() + seconds
    workers = [asyncio.create_task(load.run(until)) for _ in range(WORKERS)]
    workers.append(asyncio.create_task(vanish(server.port, until, source, dialect)))
    memory: list[float] = []
    samples = 60
    for number in range(samples):
        await asyncio.sleep(seconds / samples)
        sample = await asyncio.to_thread(sample_of, server)
        memory.append(sample["MB"])
        if number % (samples // 12) == 0:
            shown = "  ".join(f"{name} {value:.0f}" for name, value in sample.items())
            calls = sum(load.answers.values())
            print(f"{(number + 1) * seconds / samples:7.0f} s  {calls:9} calls  {shown}", flush=True)
    await asyncio.gather(*workers)
    await load.close()
    after = await asyncio.to_thread(sample_of, server)
    patience = time.monotonic() + 90  # a connection that nobody uses is kept for 75 s, half a request as long as it may
    while any(after[name] > before[name] + slack for name, slack in (("tasks", 2), ("streams", 0), ("files", 5))):
        if time.monotonic() > patience:
            break
        await asyncio.sleep(1)
        after = await asyncio.to_thread(sample_of, server)
    wrong = load.wrong[:10]
    wrong += [
        f"{name}: {before[name]:.0f} before, {after[name]:.0f} after"
        for name in ("tasks", "streams")
        if after[name] > before[name] + 2
    ]
    if after["files"] > before["files"] + 5:
        wrong.append(f"files: {before['files']:.0f} before, {after['files']:.0f} after")
    third = len(memory) // 3
    warm, end = (statistics.median(memory[at:][: third // 2]) for at in (third, -third // 2))
    if end > max(warm * MAX_GROWTH, warm + MAX_GROWTH_MB):
        wrong.append(f"memory grew from {warm:.0f} MB, after a third of the time, to {end:.0f}")
    rows = Counter[str]()
    for (kind, code), number in load.answers.items():
        rows[f"{kind} {code}"] += number
    print("  ".join(f"{name}: {number}" for name, number in sorted(rows.items())))
    print(f"memory: {warm:.0f} MB after a third of the time, {end:.0f} at the end; afterwards: {after}")
    return wrong


def main() -> int:
    """Run SECONDS [SERVER [SEED [DIALECT]]]."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3600.0
    kind = sys.argv[2] if len(sys.argv) > 2 else "auto"
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(10**6)
    dialect = sys.argv[4] if len(sys.argv) > 4 else STANDARD
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        del os.environ[name]
    print(f"soak: {seconds:g} s on the server {kind}, seed {seed}, dialect {dialect}", flush=True)
    server = ServerProcess("--quiet", "--server", kind, "--speed", "50", "--dialect", dialect)
    try:
        wrong = asyncio.run(soak(server, seconds, seed, dialect))
        ended = server.process.poll()
        if ended is not None:
            wrong.append(f"the server ended by itself, status {ended}")
    finally:
        status, _ = server.stop()
    if status:
        wrong.append(f"the server ended with status {status}")
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
