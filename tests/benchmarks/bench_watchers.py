"""Watchers: what idle ones cost, how fast an update reaches many, and what is left of them when they vanish.

Against a bare ASGI fan-out of the same bytes on the same server: CPU seconds of the server's process tree per
delivered message, base / ours. Run with `make bench`; `--smoke` for a short form with a tenth of the watchers. Exits 1
where a limit isn't met.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from bench_serving import APP_ID, cpu, first_answer, free_port
from bench_serving import start as serve
from flyteidl2.app.app_definition_pb2 import App, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, UpdateRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.core.tasks_pb2 import Container
from pyqwest import SyncClient

HERE = Path(__file__).parent
BARE = """
import asyncio, pathlib, sys
from flyteapps_fake.servers.config import ServeConfig
from flyteapps_fake.servers.envoy_config import Configuration
class Tuned(Configuration):
    def get_envoy_config(self):  # pyvoy's own start asks Envoy's administration by TCP
        address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        return {**super().get_envoy_config(), "admin": {"address": address}}
async def main():
    server = Tuned(ServeConfig(port=int(sys.argv[1]), settings={}), pathlib.Path("unused"), "fanout:app")
    await server.start()
    await server.wait()
asyncio.run(main())
"""
PER_CONNECTION = 1_000


def start(*command: str) -> subprocess.Popen[str]:
    """Start a Python program."""
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.Popen(
        [sys.executable, *command], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def app() -> App:
    """Return the watched app: stopped, so that nothing happens by itself."""
    spec = Spec(container=Container(image="image"), desired_state=Spec.DESIRED_STATE_STOPPED)
    return App(metadata=Meta(id=APP_ID), spec=spec)


class Watchers:
    """Open watches in a process of their own."""

    def __init__(self, port: int, number: int) -> None:
        each = min(number, PER_CONNECTION)
        message = WatchRequest(app_id=APP_ID).SerializeToString()
        body = b"\0" + len(message).to_bytes(4, "big") + message
        self._process = start(str(HERE / "watching.py"), str(port), str(number // each), str(each), body.hex())
        assert self._process.stdout is not None and self._process.stdin is not None
        self._out, self._in = self._process.stdout, self._process.stdin
        if self._out.readline() != "open\n":
            raise SystemExit("the watches could not be opened")

    def reach(self, messages: int) -> None:
        """Wait until every watch has received so many messages."""
        self._in.write(f"{messages}\n")
        self._in.flush()
        if not self._out.readline():
            raise SystemExit("a watch ended")

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()


def health(port: int) -> dict[str, Any]:
    """Return the server's health report."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/healthz") as page:
        return json.load(page)


def memory(process: subprocess.Popen[Any]) -> float:
    """Return resident MB of the process and its children."""
    root = psutil.Process(process.pid)
    return sum(each.memory_info().rss for each in (root, *root.children(recursive=True))) / 1e6


def idle_cores(process: subprocess.Popen[Any], seconds: float) -> float:
    """Return cores that the server takes while nothing happens."""
    before, began = cpu(process), time.perf_counter()
    time.sleep(seconds)
    return (cpu(process) - before) / (time.perf_counter() - began)


def seconds_until_gone(port: int) -> float:
    """Return the seconds until no stream is left."""
    began = time.perf_counter()
    while health(port)["streams"]["open"]:
        if time.perf_counter() - began > 60:
            raise SystemExit("streams leaked")
        time.sleep(0.05)
    return time.perf_counter() - began


def fan_out_ratio(ours: int, bare: int, processes: list[subprocess.Popen[Any]], rounds: int, updates: int) -> float:
    """Return base CPU over ours for the same deliveries to 500 watchers, median of interleaved rounds."""
    watchers = [Watchers(port, 500) for port in (ours, bare)]
    client = AppServiceClientSync(f"http://127.0.0.1:{ours}")
    http = SyncClient()
    sent = [1, 1]
    ratios: list[float] = []
    changed = app()
    event = b""
    for round_number in range(rounds):
        spent: list[float] = []
        for number, process in enumerate(processes):
            before = cpu(process)
            for update in range(updates):
                if number == 0:
                    changed.metadata.labels["update"] = f"{round_number}-{update}"
                    answer = client.update(UpdateRequest(app=changed)).app.SerializeToString()
                    event = b"\0" + (2 * len(answer)).to_bytes(4, "big") + answer + answer  # what an UpdateEvent holds
                else:
                    http.post(f"http://127.0.0.1:{bare}/push", {}, event)
                sent[number] += 1
                watchers[number].reach(sent[number])
            spent.append(cpu(process) - before)
        ratios.append(spent[1] / spent[0])
    for each in watchers:
        each.kill()
    return statistics.median(ratios)


def main() -> int:
    """Print the table."""
    smoke = "--smoke" in sys.argv
    many, seconds, rounds, updates = (500, 1.0, 1, 5) if smoke else (10_000, 10.0, 5, 40)
    ports = [free_port(), free_port()]
    server = serve(True, ports[0])
    bare = start("-c", BARE, str(ports[1]))
    rows: list[tuple[str, float, bool]] = []
    try:
        for port, process in zip(ports, (server, bare), strict=True):
            first_answer(port, process)
        AppServiceClientSync(f"http://127.0.0.1:{ports[0]}").create(CreateRequest(app=app()))
        one = Watchers(ports[0], 1)
        figure = idle_cores(server, seconds)
        rows.append(("1 idle watcher: cores (at most 0.02)", figure, figure < 0.02))
        one.kill()
        seconds_until_gone(ports[0])
        figure = fan_out_ratio(ports[0], ports[1], [server, bare], rounds, updates)
        rows.append(("an update to 500 watchers: base CPU / ours (at least 0.7)", figure, figure >= 0.7))
        seconds_until_gone(ports[0])
        tasks, resident = health(ports[0])["tasks"], memory(server)
        for number, limit in ((many, 5.0),) if smoke else ((500, 2.0), (many, 5.0)):
            watchers = Watchers(ports[0], number)
            if number == many:
                time.sleep(2)
                figure = idle_cores(server, seconds)
                rows.append((f"{number:,} idle watchers: cores (at most 0.25)", figure, figure < 0.25))
                rows.append(
                    (f"{number:,} watchers: KB of memory each", (memory(server) - resident) * 1e3 / number, True)
                )
            spent = cpu(server)
            watchers.kill()
            figure = seconds_until_gone(ports[0])
            label = f"{number:,} watchers vanish: seconds until gone, with those to the next sweep (at most {limit:g})"
            rows.append((label, figure, figure <= limit))
            rows.append((f"{number:,} watchers vanish: CPU seconds", cpu(server) - spent, True))
        left = health(ports[0])["tasks"] - tasks
        rows.append(("tasks that they leave (at most 0)", left, left <= 0))
        Watchers(ports[0], many).kill()
        seconds_until_gone(ports[0])
        first = memory(server)
        for _ in range(2):
            Watchers(ports[0], many).kill()
            seconds_until_gone(ports[0])
        grown = memory(server) / first
        rows.append(("memory after two more such crowds, as a ratio (at most 1.1)", grown, grown <= 1.1))
    finally:
        for process in (server, bare):
            process.terminate()
            process.wait()
    for label, figure, met in rows:
        print(f"{label:84} {figure:6.2f}{'' if met else '   NOT MET'}")
    return 0 if smoke or all(met for _, _, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
