"""The client against flyteidl2's raw stub: unary Get, import and first call, many waits, memory, threads.

Every ratio is ours / base from alternating blocks of one run, with a bootstrap interval; beside it stands the control:
the base against itself. Run with `make bench`; `--smoke` for a short form. Exits 1 where a limit isn't met.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psutil
from bench_serving import first_answer, free_port, start
from connectrpc.protocol import ProtocolType
from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, GetResponse
from flyteidl2.app.app_service_connect import AppServiceClient, AppServiceClientSync
from pairs import Ratio, compare, ratio_of
from pyqwest import Client as HttpClient
from pyqwest import HTTPTransport, HTTPVersion, SyncClient, SyncHTTPTransport

from flyteapps import Client
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import OPERATIONS

SCOPE: dict[str, Any] = {"project": "p", "domain": "d"}
GET = GetRequest(app_id=Identifier(**SCOPE, name="a"))
LIKE_OURS: dict[str, Any] = {"send_compression": None, "accept_compression": ()}

RAW = """
import time; started = time.perf_counter()
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.app import app_definition_pb2, app_payload_pb2
imported = time.perf_counter()
AppServiceClientSync(URL).get(app_payload_pb2.GetRequest(
    app_id=app_definition_pb2.Identifier(project="p", domain="d", name="a")))
print(imported - started, time.perf_counter() - started)
"""

OURS = """
import time; started = time.perf_counter()
from flyteapps import Client
imported = time.perf_counter()
Client(URL, project="p", domain="d").apps.get("a")
print(imported - started, time.perf_counter() - started)
"""


def app(name: str) -> App:
    """Return an app to create."""
    made = App()
    made.metadata.id.name = name
    made.spec.container.image = "example.org/hello:1"
    return made


@contextmanager
def served() -> Generator[str]:
    """Yield a plane in a process of its own, with the app "a"."""
    port = free_port()
    process = start(True, port)
    try:
        first_answer(port, process)
        url = f"http://127.0.0.1:{port}"
        with Client(url, **SCOPE) as client:
            client.apps.create(app("a"))
        yield url
    finally:
        process.terminate()
        process.wait(30)


def report(what: str, ratio: Ratio, limit: float | None, control: Ratio | None = None) -> bool:
    """Print one line; return whether the limit is met."""
    beside = f"   control {control}" if control else ""
    demanded = f"  (<= {limit:g})" if limit else ""
    print(f"{what:<58} {ratio}{demanded}   base {ratio.base_us:,.0f} us{beside}", flush=True)
    return limit is None or ratio.median <= limit


def unary(url: str, blocks: int, calls: int) -> bool:
    """Get over a socket, blocking and awaiting, by both protocols."""
    good = True
    for grpc in (False, True):
        name = "gRPC" if grpc else "Connect"
        protocol = ProtocolType.GRPC if grpc else ProtocolType.CONNECT
        version = HTTPVersion.HTTP2 if grpc else None
        plain = AppServiceClientSync(url, protocol=protocol, http_client=_blocking(version), **LIKE_OURS)
        zipping = AppServiceClientSync(url, protocol=protocol, http_client=_blocking(version))
        with Client(url, protocol="grpc" if grpc else "connect", **SCOPE) as client:
            mine, raw, zipped = partial(client.apps.get, "a"), partial(plain.get, GET), partial(zipping.get, GET)
            control = compare(raw, raw, blocks, calls)
            limit = None if grpc else 1.05  # blocking gRPC pays for being interruptible: see docs/client.md
            good &= report(f"Get, {name}, blocking / the stub", compare(raw, mine, blocks, calls), limit, control)
            ratio = compare(zipped, mine, blocks, calls)
            good &= report(f"Get, {name}, blocking / the stub as it comes (gzip)", ratio, limit)
            with Client(url, protocol="grpc" if grpc else "connect", auth=token, **SCOPE) as known:
                ratio = compare(mine, partial(known.apps.get, "a"), blocks, calls)
                good &= report(f"Get, {name}, blocking, with credentials / without", ratio, 1.05)
        good &= asyncio.run(_awaiting(url, name, protocol, version, blocks, calls))
    return good


def token() -> tuple[str, float]:
    """Return a token of usual length, that lives for the whole run."""
    return "t" * 800, 86_400.0


def _blocking(version: HTTPVersion | None) -> SyncClient:
    return SyncClient(SyncHTTPTransport(http_version=version, use_system_dns=True))


async def _awaiting(
    url: str, name: str, protocol: ProtocolType, version: HTTPVersion | None, blocks: int, calls: int
) -> bool:
    http = HttpClient(HTTPTransport(http_version=version, use_system_dns=True))
    plain = AppServiceClient(url, protocol=protocol, http_client=http, **LIKE_OURS)
    zipping = AppServiceClient(url, protocol=protocol, http_client=http)
    async with Client(url, protocol="grpc" if protocol is ProtocolType.GRPC else "connect", **SCOPE) as client:
        control = await _compare(lambda: plain.get(GET), lambda: plain.get(GET), blocks, calls)
        ours = await _compare(lambda: plain.get(GET), lambda: client.apps.get.aio("a"), blocks, calls)
        good = report(f"Get, {name}, awaiting / the stub", ours, 1.05, control)
        ours = await _compare(lambda: zipping.get(GET), lambda: client.apps.get.aio("a"), blocks, calls)
        return report(f"Get, {name}, awaiting / the stub as it comes (gzip)", ours, 1.05) and good


async def _compare(
    base: Callable[[], Awaitable[object]], ours: Callable[[], Awaitable[object]], blocks: int, calls: int
) -> Ratio:
    """Do as `compare`, within a running loop."""

    async def block(call: Callable[[], Awaitable[object]]) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            await call()
        return (time.perf_counter() - started) / calls

    pairs: list[tuple[float, float]] = []
    await block(base)
    await block(ours)
    for number in range(blocks):
        first = await block(base if number % 2 else ours)
        second = await block(ours if number % 2 else base)
        pairs.append((first, second) if number % 2 else (second, first))
    return ratio_of(pairs)


def direct(blocks: int, calls: int) -> bool:
    """Get in process, against the plane's own call with its parsing."""
    operation, encoded = OPERATIONS["/flyteidl2.app.AppService/Get"], GET.SerializeToString()
    with FakeControlPlane() as plane:
        plane.stub().create(CreateRequest(app=App(metadata={"id": GET.app_id}, spec=app("a").spec)))
        client = Client(transport=plane.transport(), **SCOPE)

        def own() -> object:
            return GetResponse.FromString(plane.call(Call(operation, GetRequest.FromString(encoded))))

        control = compare(own, own, blocks, calls)
        ours = compare(own, lambda: client.apps.get("a"), blocks, calls)
        good = report("Get, in process, blocking / the plane's own call", ours, 4, control)
        known = Client(transport=plane.transport(), auth=token, **SCOPE)
        ratio = compare(lambda: client.apps.get("a"), lambda: known.apps.get("a"), blocks, calls)
        good &= report("Get, in process, blocking, with credentials / without", ratio, 1.08)  # 1 us of 13

        async def go() -> Ratio:
            async def awaited() -> object:
                return own()

            return await _compare(awaited, lambda: client.apps.get.aio("a"), blocks, calls)

        return report("Get, in process, awaiting / the plane's own call", asyncio.run(go()), 4) and good


def first_call(url: str, processes: int) -> bool:
    """Measure import and first call, each in a process of its own, by its own clock and as a whole."""
    times: dict[str, list[tuple[float, float, float]]] = {"raw": [], "again": [], "ours": []}
    for _ in range(processes):
        for name in times:
            program = (OURS if name == "ours" else RAW).replace("URL", repr(url))
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            imported, called = (float(each) for each in done.stdout.split())
            times[name].append((imported, called, time.perf_counter() - started))
    good = True
    for index, what in enumerate(("import", "import and first call", "whole process")):
        pairs = [(raw[index], ours[index]) for raw, ours in zip(times["raw"], times["ours"], strict=True)]
        same = [(raw[index], again[index]) for raw, again in zip(times["raw"], times["again"], strict=True)]
        good &= report(f"{what} / the stub's", ratio_of(pairs), 1.05 if index == 1 else None, ratio_of(same))
    return good


async def many_waits(url: str, count: int, **options: Any) -> bool:
    """Wait for so many apps at once, by one client, until each is active."""
    async with Client(url, **SCOPE, **options) as client:
        names = [f"wait-{number}-{abs(hash(tuple(options.items()))) % 10_000}" for number in range(count)]
        made = [await client.apps.create.aio(app(name)) for name in names[:1]]
        for name in names[1:]:
            made.append(await client.apps.create.aio(app(name)))
        started = time.perf_counter()
        waits = [asyncio.create_task(each.watch.aio(timeout=120)) for each in made]
        most = 0
        while not all(each.done() for each in waits):
            await asyncio.sleep(0.05)
            most = max(most, len(psutil.Process().net_connections()))
        results = await asyncio.gather(*waits)
        held = sum(each.is_active() for each in results)
        seconds = time.perf_counter() - started
    print(
        f"{count} waits on one client, {options or 'Connect, HTTP/1.1'}: {held} hold, {seconds:.1f} s, {most} sockets"
    )
    return held == count


def memory(url: str, calls: int) -> bool:
    """Compare the memory of this process after a fifth of the calls and after all."""
    process = psutil.Process()
    before = threading.active_count()
    good = True
    with FakeControlPlane() as plane:
        plane.stub().create(CreateRequest(app=App(metadata={"id": GET.app_id}, spec=app("a").spec)))
        clients = {"in process": Client(transport=plane.transport(), **SCOPE), "Connect": Client(url, **SCOPE)}
        for name, client in clients.items():
            early = 0
            for number in range(calls):
                client.apps.get("a")
                if number == calls // 5:
                    early = process.memory_info().rss
            asyncio.run(_call(client, calls // 5))
            grown = process.memory_info().rss / early
            print(f"memory, {name}: {grown:.3f} of that after {calls // 5:,} calls, after {calls:,} (<= 1.05)")
            good &= grown <= 1.05
            client.close()
    left = threading.active_count() - before
    print(f"threads left after use: {left} (0)")
    return good and left <= 0


async def _call(client: Client, calls: int) -> None:
    async with client:
        for _ in range(calls):
            await client.apps.get.aio("a")


def main() -> int:
    """Run all; return 1 if a limit isn't met."""
    smoke = "--smoke" in sys.argv
    blocks, calls, processes = (3, 20, 2) if smoke else (50, 200, 30)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8_192)), hard))
    with served() as url:
        good = unary(url, blocks, calls)
        good &= direct(blocks, calls)
        good &= first_call(url, processes)
        good &= memory(url, 200 if smoke else 100_000)
        for options in ({}, {"http_version": "2"}, {"protocol": "grpc"}):
            good &= asyncio.run(many_waits(url, 50 if smoke else 1_000, **options))
    return 0 if good or smoke else 1


if __name__ == "__main__":
    sys.exit(main())
