"""A program that calls, forks, and has its children call: what each call gave, as JSON on standard output.

    python forked.py ENDPOINT WAY HALF HOW [--children N] [--calls N] [--rounds N] [--busy]

WAY: as in client.conftest; HALF: how children call, "blocking" or "awaiting"; HOW: "os.fork", or a start method of
multiprocessing, in which a ProcessPoolExecutor calls. The parent has called by the same half before; with --busy
threads of it call all the while. A program of its own, as only a process with few threads can fork cleanly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from flyteapps import Client, Error, Retries

NAMES = [f"app-{number}" for number in range(6)]
TIMEOUT_SECONDS = 60.0

OPTIONS: dict[str, dict[str, Any]] = {
    "connect": {},
    "connect-h2": {"http_version": "2"},
    "grpc": {"protocol": "grpc"},
    "grpcio": {"protocol": "grpcio"},
}

shared: Client | None = None


def connected(endpoint: str, transport: str) -> Client:
    """Return the client of this process, inherited where there is one."""
    global shared
    if shared is None:
        retries = Retries(attempts=2, initial=0.01, maximum=0.01)
        options: dict[str, Any] = {**OPTIONS[transport], "timeout": TIMEOUT_SECONDS, "retries": retries}
        shared = Client(endpoint, insecure=True, project="demo", domain="development", **options)
    return shared


def called(client: Client, half: str, names: list[str]) -> list[dict[str, Any]]:
    """Return the result of each of the calls, and its duration."""

    async def all_of_them() -> list[dict[str, Any]]:
        outcomes: list[dict[str, Any]] = []
        for name in names:
            started = time.monotonic()
            try:
                got = (await client.apps.get.aio(name)).name if half == "awaiting" else client.apps.get(name).name
            except Error as error:
                got = f"{type(error).__name__}: {error.message}"
            outcomes.append({"asked": name, "got": got, "seconds": time.monotonic() - started})
        return outcomes

    return asyncio.run(all_of_them())


def in_a_pool(endpoint: str, transport: str, half: str, names: list[str]) -> list[dict[str, Any]]:
    """Return the same, as a task of a pool."""
    return called(connected(endpoint, transport), half, names)


def in_forks(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the outcomes of children that begin at the same moment, each with an app of its own."""
    outcomes: list[dict[str, Any]] = []
    for _ in range(arguments.rounds):
        begin, start = os.pipe()
        children: list[tuple[int, int]] = []
        for number in range(arguments.children):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(start)
                os.read(begin, 1)
                found = called(
                    connected(arguments.endpoint, arguments.transport),
                    arguments.half,
                    [NAMES[number]] * arguments.calls,
                )
                with os.fdopen(writing, "w") as out:
                    json.dump(found, out)
                os._exit(0)
            os.close(writing)
            children.append((child, reading))
        os.close(start)
        for child, reading in children:
            with os.fdopen(reading) as answer:
                outcomes += json.load(answer)
            os.waitpid(child, 0)
        os.close(begin)
    return outcomes


def main() -> None:
    """Print the outcomes; the parent's own last call is the last of them."""
    parser = argparse.ArgumentParser()
    for name in ("endpoint", "transport", "half", "how"):
        parser.add_argument(name)
    for name, default in (("--children", 6), ("--calls", 5), ("--rounds", 1)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    client = connected(arguments.endpoint, arguments.transport)
    called(client, arguments.half, NAMES)
    over = threading.Event()

    def keep_calling() -> None:
        while not over.is_set():
            called(client, arguments.half, NAMES[:1])

    threads = [threading.Thread(target=keep_calling, daemon=True) for _ in range(2 if arguments.busy else 0)]
    for thread in threads:
        thread.start()
    if arguments.how == "os.fork":
        outcomes = in_forks(arguments)
    else:
        context = multiprocessing.get_context(arguments.how)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            outcomes = pool.submit(
                in_a_pool, arguments.endpoint, arguments.transport, arguments.half, NAMES[: arguments.calls]
            ).result()
    over.set()
    for thread in threads:
        thread.join()
    outcomes += called(client, arguments.half, NAMES[:1])
    client.close()
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
