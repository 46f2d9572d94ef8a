"""This commit against another, alternating in one run: the CPU of calls and of an update to watchers, and start-up.

`make bench-against BASE=commit` sets up an environment of that commit and runs this file with its Python as the
argument. Each ratio is this commit / base, so above 1 is dearer, with the 95% interval of its median; beside it stands
the control, the base against a second process of the base. `--smoke` for a short form. Prints, and judges nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from bench_serving import caller, cpu, first_answer, free_port, start
from bench_watchers import Watchers, app
from flyteidl2.app.app_payload_pb2 import CreateRequest, UpdateRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from pairs import ratio_of

HERE = Path(__file__).parent
SERVERS = ("pyvoy", "portable")
IN_PROCESS = ("get", "list", "create", "client", "client-aio")
CLIENTS = ("connect", "connect-aio", "grpc", "grpc-aio")
WATCHERS = 500
PROCESSES = 4
"""Of each kind, one after the other."""

Measure = Callable[[], float]
"""Runs one block and returns its CPU seconds."""


class Worker:
    """A process that runs blocks of calls with the packages of one environment."""

    def __init__(self, python: str, what: str, calls: int, url: str = "") -> None:
        command = [python, str(HERE / "against_worker.py"), what, str(calls), url]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/", env=_environment()
        )

    def __call__(self) -> float:
        """Return the CPU seconds of one block in that process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._process.args}: ended with {self._process.wait()}")
        return float(answer)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@contextmanager
def served(python: str, server: str) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    """Yield the process and the port of `flyteapps serve` of one environment, once its first call is answered."""
    port = free_port()
    process = start(True, port, python=python, server=server)
    try:
        first_answer(port, process)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


def alternate(measures: list[Measure], rounds: int) -> list[list[float]]:
    """Return the CPU seconds of each measure by round, after one block that isn't counted; the first one rotates."""
    for each in measures:
        each()
    spent: list[list[float]] = []
    for number in range(rounds):
        turn = number % len(measures)
        order = [*range(turn, len(measures)), *range(turn)]
        times = {index: measures[index]() for index in order}
        spent.append([times[index] for index in range(len(measures))])
    return spent


def report(label: str, spent: list[list[float]]) -> None:
    """Print one row: the second measure over the first, and as a control the third, which is the first again."""
    ours = ratio_of([(each[0], each[1]) for each in spent])
    control = ratio_of([(each[0], each[2]) for each in spent])
    print(f"{label:44} {ours}   control {control}", flush=True)


def in_workers(pythons: list[str], rows: tuple[str, ...], calls: int, rounds: int, url: str = "") -> None:
    """Report rows whose CPU is the caller's; several processes each, as one differs from the next by some percent."""
    for what in rows:
        spent: list[list[float]] = []
        for _ in range(PROCESSES):
            workers = [Worker(python, what, calls, url) for python in pythons]
            spent += alternate(list(workers), rounds)
            for each in workers:
                each.close()
        report(f"{'client CPU, ' if url else 'in process, '}{what}", spent)


def _calls(process: subprocess.Popen[bytes], call: Callable[[], None], count: int) -> float:
    before = cpu(process)
    for _ in range(count):
        call()
    return cpu(process) - before


def _updates(process: subprocess.Popen[bytes], port: int, watchers: Watchers, sent: list[int], count: int) -> float:
    client = AppServiceClientSync(f"http://127.0.0.1:{port}")
    changed = app()
    before = cpu(process)
    for _ in range(count):
        changed.metadata.labels["update"] = str(sent[0])
        client.update(UpdateRequest(app=changed))
        sent[0] += 1
        watchers.reach(sent[0])
    return cpu(process) - before


def in_servers(pythons: list[str], server: str, calls: int, rounds: int) -> None:
    """Report rows whose CPU is the server's: unary Get by both protocols, an update to many watchers."""
    spent: dict[str, list[list[float]]] = {}
    for _ in range(PROCESSES):
        with ExitStack() as stack:
            servers = [stack.enter_context(served(python, server)) for python in pythons]
            for _, port in servers:
                AppServiceClientSync(f"http://127.0.0.1:{port}").create(CreateRequest(app=app()))
            for grpc in (False, True):
                made = [(process, caller(port, grpc, False)) for process, port in servers]
                measures: list[Measure] = [partial(_calls, process, call, calls) for process, call in made]
                label = f"{server} CPU, Get by {'gRPC' if grpc else 'Connect'}"
                spent.setdefault(label, []).extend(alternate(measures, rounds))
            measures = []
            for process, port in servers:
                watchers = Watchers(port, WATCHERS)
                stack.callback(watchers.kill)
                measures.append(partial(_updates, process, port, watchers, [1], max(1, calls // 50)))
            label = f"{server} CPU, an update to {WATCHERS} watchers"
            spent.setdefault(label, []).extend(alternate(measures, rounds))
    for label, each in spent.items():
        report(label, each)


def _start(python: str, server: str) -> float:
    began = time.perf_counter()
    with served(python, server):
        return time.perf_counter() - began


def _stop(signal_number: int, frame: FrameType | None) -> None:
    """End the run by an exception, so that its servers and workers end, too."""
    sys.exit("stopped")


def main() -> int:
    """Compare with PYTHON-OF-THE-BASE [--smoke]."""
    signal.signal(signal.SIGTERM, _stop)
    smoke = "--smoke" in sys.argv
    base = next(each for each in sys.argv[1:] if not each.startswith("-"))
    pythons = [base, sys.executable, base]
    rounds, calls = (2, 50) if smoke else (5, 2_000)
    print("this commit / the base, median of alternating blocks [95% interval]; the base / itself as the control")
    in_workers(pythons, IN_PROCESS, calls * 5, rounds)
    with served(sys.executable, "pyvoy") as (_, port):
        in_workers(pythons, CLIENTS, max(10, calls // 4), rounds, f"http://127.0.0.1:{port}")
    for server in SERVERS:
        in_servers(pythons, server, calls, rounds)
    for server in SERVERS:
        starts: list[Measure] = [partial(_start, python, server) for python in pythons]
        report(f"{server}, seconds to the first answer", alternate(starts, rounds * 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
