"""The cost of the ingress: requests, large bodies and WebSockets through it, against the app directly, in one run.

Run with `make bench`; `--smoke` for a short form. App, ingress and load are processes of their own. Blocks alternate;
the ratios are medians of pairs. Exits 1 where a limit is not met.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.pairs import ratio_of
from flyteapps_fake.servers.listener import raise_file_limit

FOLDER = Path(__file__).parent
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FRAME = b"\x82\x84\0\0\0\0echo"
"""A binary message of a client, masked with zeros."""
ECHO = b"\x82\x04echo"
PART = bytes(1 << 18)
MAX_ADDED_SECONDS = 0.001
MIN_RATE = 0.5
MAX_GROWTH_BYTES = 50 << 20
CONNECTIONS = 32
PORTS = {"directly": 0, "ingress": 0}


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def process(name: str, **env: int) -> Generator[psutil.Process]:
    """Run a module of this folder until its port accepts, and end it afterwards."""
    variables = {**os.environ, **{key: str(value) for key, value in env.items()}}
    running = subprocess.Popen([sys.executable, str(FOLDER / name)], env=variables)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", env["PORT"])).close()
                break
            except OSError:
                if running.poll() is not None:
                    raise
                time.sleep(0.05)
        yield psutil.Process(running.pid)
    finally:
        running.kill()
        running.wait()


class Connection:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Return a connection to a port."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def head(self) -> int:
        """Return the length that the head of a response states."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101")), head
        _, found, rest = head.lower().partition(b"content-length: ")
        return int(rest.split(b"\r")[0]) if found else 0

    async def get(self) -> None:
        """Make a small request."""
        self.writer.write(REQUEST)
        await self.reader.readexactly(await self.head())


async def seconds_each(connections: list[Connection], requests: int) -> tuple[float, float]:
    """Return the seconds for each of so many requests, by all connections together, and their median duration."""
    durations: list[float] = []

    async def work(connection: Connection) -> None:
        for _ in range(requests // len(connections)):
            began = time.perf_counter()
            await connection.get()
            durations.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    return (time.perf_counter() - began) / len(durations), statistics.median(durations)


async def measure_requests(count: int, blocks: int, requests: int) -> tuple[list[tuple[float, float]], float]:
    """Return pairs of seconds a request, (directly, through the ingress), and what is added to the median."""
    clients = {name: [await Connection.open(port) for _ in range(count)] for name, port in PORTS.items()}
    pairs: list[tuple[float, float]] = []
    added: list[float] = []
    for block in range(blocks + 1):
        order = list(clients) if block % 2 else list(reversed(clients))
        found = {name: await seconds_each(clients[name], requests) for name in order}
        if block:  # the first one warms up
            pairs.append((found["directly"][0], found["ingress"][0]))
            added.append(found["ingress"][1] - found["directly"][1])
    for connections in clients.values():
        for connection in connections:
            connection.writer.close()
    return pairs, statistics.median(added)


async def upload(port: int, size: int) -> None:
    """Send a large body."""
    connection = await Connection.open(port)
    connection.writer.write(b"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // len(PART)):
        connection.writer.write(PART)
        await connection.writer.drain()
    assert await connection.reader.readexactly(await connection.head()) == b"%d" % size
    connection.writer.close()


async def download(port: int, size: int) -> None:
    """Receive a large body."""
    connection = await Connection.open(port)
    connection.writer.write(b"GET /down/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % size)
    left = await connection.head()
    assert left == size
    while left:
        left -= len(await connection.reader.read(1 << 20))
    connection.writer.close()


async def measure_body(transfer: Callable[[int, int], Awaitable[None]], size: int, ingress: psutil.Process) -> str:
    """Return the rate of a large body, against the app directly, and the growth of the ingress."""
    await transfer(PORTS["ingress"], 1 << 20)
    peak = before = ingress.memory_info().rss
    began = time.perf_counter()
    await transfer(PORTS["directly"], size)
    direct = time.perf_counter() - began

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, ingress.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    await transfer(PORTS["ingress"], size)
    through = time.perf_counter() - began
    watching.cancel()
    growth = max(peak, ingress.memory_info().rss) - before
    LIMITS.append(growth < MAX_GROWTH_BYTES)
    rate, mib = size / through / (1 << 20), growth / (1 << 20)
    return f"{rate:.0f} MiB/s, {direct / through:.2f}x of directly; the ingress grows by {mib:.1f} MiB, limit 50"


async def measure_websockets(count: int, port: int) -> float:
    """Return the seconds for an echo of each of so many open WebSockets."""
    sockets: list[Connection] = []
    for _ in range(count):
        connection = await Connection.open(port)
        connection.writer.write(UPGRADE)
        await connection.head()
        sockets.append(connection)

    async def echo(connection: Connection) -> None:
        connection.writer.write(FRAME)
        assert await connection.reader.readexactly(len(ECHO)) == ECHO

    await asyncio.gather(*map(echo, sockets))
    began = time.perf_counter()
    await asyncio.gather(*map(echo, sockets))
    seconds = time.perf_counter() - began
    for connection in sockets:
        connection.writer.close()
    return seconds


LIMITS: list[bool] = []
"""Whether each limit was met."""


async def run(ingress: psutil.Process, *, smoke: bool) -> None:
    """Print the figures."""
    blocks, requests = (4, 200) if smoke else (30, 960)
    size = (16 << 20) if smoke else (1 << 30)
    _, added = await measure_requests(1, blocks, requests // 4)
    LIMITS.append(added <= MAX_ADDED_SECONDS)
    print(f"one connection: {added * 1e3:.2f} ms added to the median request, limit 1")
    pairs, _ = await measure_requests(CONNECTIONS, blocks, requests)
    rate = ratio_of([(ingress_, direct) for direct, ingress_ in pairs])
    LIMITS.append(rate.median >= MIN_RATE)
    per_second = 1 / statistics.median(seconds for _, seconds in pairs)
    print(f"{CONNECTIONS} connections: {per_second:.0f} requests/s, {rate} of the rate directly, limit {MIN_RATE}")
    for name, transfer in (("up", upload), ("down", download)):
        print(f"{size >> 20} MiB {name}: {await measure_body(transfer, size, ingress)}")
    count = 100 if smoke else 1_000
    before = ingress.memory_info().rss
    seconds = {name: await measure_websockets(count, port) for name, port in PORTS.items()}
    each = (ingress.memory_info().rss - before) / count / 1024
    print(
        f"{count:,} WebSockets: an echo of all in {seconds['ingress'] * 1e3:.0f} ms, "
        f"directly {seconds['directly'] * 1e3:.0f} ms; {each:.0f} KiB each in the ingress"
    )


def main() -> int:
    """Print the figures, and return 1 where a limit is not met."""
    raise_file_limit()
    smoke = "--smoke" in sys.argv
    PORTS["directly"], PORTS["ingress"] = free_port(), free_port()
    with (
        process("ingress_app.py", PORT=PORTS["directly"]),
        process("ingress_proxy.py", PORT=PORTS["ingress"], BACKEND=PORTS["directly"]) as ingress,
    ):
        asyncio.run(run(ingress, smoke=smoke))
    return 0 if smoke or all(LIMITS) else 1


if __name__ == "__main__":
    sys.exit(main())
