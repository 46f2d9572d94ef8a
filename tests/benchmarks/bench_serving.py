"""Unary Get against a bare ASGI echo of the same bytes on the same server, and the time to a first answer.

CPU seconds (user and system) of the server's process tree per 1,000 calls, in
interleaved rounds; the ratio is base / ours, so 1.0 is as cheap as the bare echo.
The time to a first answer is ours / base, on each of the two servers, from warm
caches of bytecode: `PYTHONDONTWRITEBYTECODE` is unset in what is started, else each
start would compile our modules anew, as no user's does.
Run with `make bench`; `--smoke` for a short form. Exits 1 where a limit isn't met.
"""

from __future__ import annotations

import gzip
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.core.tasks_pb2 import Container
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

HERE = Path(__file__).parent
APP_ID = Identifier(org="flyte", project="p", domain="d", name="a")
ECHO = """
import asyncio, sys
from pyvoy import PyvoyServer
async def main():
    async with PyvoyServer("echo:app", port=int(sys.argv[1])) as server:
        await server.wait()
asyncio.run(main())
"""
PORTABLE_ECHO = """
import asyncio, sys
from echo import app
from hypercorn.asyncio import serve
from hypercorn.config import Config
config = Config()
config.bind = ["127.0.0.1:" + sys.argv[1]]
asyncio.run(serve(app, config))
"""
MAX_START = 1.8


def free_port() -> int:
    """Return a port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(
    ours: bool, port: int, answer: bytes = b"", python: str = sys.executable, server: str = "pyvoy"
) -> subprocess.Popen[bytes]:
    """Start our server, that of the environment of `python`, or the bare one."""
    environment = {**os.environ, "BENCH_ANSWER": answer.hex(), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": ""}
    if ours:
        options = ["--port", str(port), "--console-port", str(free_port()), "--quiet", "--server", server]
        command = [python, "-m", "flyteapps.cli", "serve", *options]
    else:
        command = [sys.executable, "-c", ECHO if server == "pyvoy" else PORTABLE_ECHO, str(port)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def first_answer(port: int, process: subprocess.Popen[Any]) -> None:
    """Wait until a call is answered."""
    client = SyncClient()
    while True:
        if process.poll() is not None:
            raise SystemExit(f"the server on port {port} ended with {process.returncode}")
        try:
            client.post(
                f"http://127.0.0.1:{port}/flyteidl2.app.AppService/List", {"content-type": "application/proto"}, b""
            )
            return
        except Exception:  # not up yet, whatever the client calls that
            time.sleep(0.005)


def cpu(process: subprocess.Popen[Any]) -> float:
    """Return CPU seconds of the process and its children so far."""
    root = psutil.Process(process.pid)
    times = [each.cpu_times() for each in (root, *root.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def caller(port: int, grpc: bool, zipped: bool) -> Callable[[], None]:
    """Return one Get, undecoded, the same against both servers."""
    version = HTTPVersion.HTTP2 if grpc else HTTPVersion.HTTP1
    client = SyncClient(SyncHTTPTransport(http_version=version, use_system_dns=True))
    body = GetRequest(app_id=APP_ID).SerializeToString()
    body = gzip.compress(body) if zipped else body
    headers = {"content-type": "application/grpc+proto" if grpc else "application/proto"}
    if zipped:
        headers["grpc-encoding" if grpc else "content-encoding"] = "gzip"
    if grpc:
        headers["te"] = "trailers"
        body = bytes([zipped]) + len(body).to_bytes(4, "big") + body
    url = f"http://127.0.0.1:{port}/flyteidl2.app.AppService/Get"

    def call() -> None:
        response = client.post(url, headers, body)
        if response.status != 200 or not response.content:
            raise SystemExit(f"{url}: {response.status} {response.content[:200]!r}")

    return call


def unary_ratio(pair: list[subprocess.Popen[bytes]], calls: list[Callable[[], None]], rounds: int, size: int) -> float:
    """Return base CPU over ours, median over interleaved rounds."""
    ratios: list[float] = []
    for _ in range(rounds):
        spent: list[float] = []
        for process, call in zip(pair, calls, strict=True):
            before = cpu(process)
            for _ in range(size):
                call()
            spent.append(cpu(process) - before)
        if spent[0]:
            ratios.append(spent[1] / spent[0])
    return statistics.median(ratios)


def start_ratio(rounds: int, server: str) -> float:
    """Return our time to a first answer over the bare server's, median of interleaved rounds after a warm one."""
    ratios: list[float] = []
    for _ in range(1 + rounds):
        times: list[float] = []
        for ours in (True, False):
            port = free_port()
            began = time.perf_counter()
            process = start(ours, port, server=server)
            first_answer(port, process)
            times.append(time.perf_counter() - began)
            process.terminate()
            process.wait()
        ratios.append(times[0] / times[1])
    return statistics.median(ratios[1:])


def main() -> int:
    """Print the table."""
    smoke = "--smoke" in sys.argv
    rounds, size = (1, 300) if smoke else (9, 3_000)
    app = App(metadata=Meta(id=APP_ID), spec=Spec(container=Container(image="image")))
    ports = [free_port(), free_port()]
    ours = start(True, ports[0])
    first_answer(ports[0], ours)
    stub = AppServiceClientSync(f"http://127.0.0.1:{ports[0]}")
    stub.create(CreateRequest(app=app))
    answer = stub.get(GetRequest(app_id=APP_ID)).SerializeToString()
    base = start(False, ports[1], answer)
    first_answer(ports[1], base)
    rows: list[tuple[str, float, bool]] = []
    try:
        for grpc in (False, True):
            for zipped in (False, True):
                calls = [caller(port, grpc, zipped) for port in ports]
                label = f"unary Get, {'gRPC' if grpc else 'Connect'}, {'gzip' if zipped else 'plain'}: base CPU / ours"
                figure = unary_ratio([ours, base], calls, rounds, size)
                least = 0.7 if zipped else 0.8
                rows.append((f"{label} (at least {least})", figure, figure >= least))
    finally:
        for process in (ours, base):
            process.terminate()
            process.wait()
    for server in ("pyvoy", "portable"):
        figure = start_ratio(1 if smoke else 7, server)
        label = f"start to first answer, {server}: ours / base (at most {MAX_START})"
        rows.append((label, figure, figure <= MAX_START))
    for label, figure, met in rows:
        print(f"{label:72} {figure:6.2f}{'' if met else '   NOT MET'}")
    return 0 if smoke or all(met for _, _, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
