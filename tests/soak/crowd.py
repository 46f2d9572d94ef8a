"""A crowd of watchers and writers on `flyteapps serve`, then clients that vanish, then streams reset at once.

Run with `make crowd`; arguments are SECONDS [SERVER [WATCHERS]]. Per 10,000 watchers 2,000 clients vanish and 20,000
streams are reset, each twice, so that what stays in memory for good shows. Prints a line a figure and exits 1 where a
watcher ended early, a stream or memory was left, a write failed, or another client's Get took longer than a second.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import selectors
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import TypeVar

import h2.config
import h2.connection
import h2.exceptions
import psutil
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, UpdateRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.core.tasks_pb2 import Container
from pyqwest import Client, HTTPTransport, HTTPVersion

from serving.server_process import HTTP, ServerProcess

SERVERS = ("pyvoy", "portable")
CONNECTIONS = 4
"""Connections that the watchers share, and the streams to be reset."""
WRITERS = 50
WATCHERS_OF_AN_APP = 10
RESETS_AT_ONCE = 50
GET_SECONDS = 1.0
"""CPU seconds that the server may use until another client's Get is answered: a busy machine changes nothing there."""
MAX_LEFT_BYTES = 24 * 1024 * 1024
"""The memory that a second round of vanishing and resetting may add to that of the first one."""
SERVICE = "/flyteidl2.app.AppService"
DATA, HEADERS = 0, 1
RST_STREAM, GOAWAY = 3, 7
MAX_WINDOW = 2**31 - 1
Result = TypeVar("Result")


def identifier(number: int) -> Identifier:
    return Identifier(project="p", domain="d", name=f"crowd-{number}")


def app(number: int, turn: int = 0) -> App:
    """Return a stopped app: nothing happens to it by itself."""
    spec = Spec(container=Container(image="image"), desired_state=Spec.DESIRED_STATE_STOPPED)
    return App(metadata=Meta(id=identifier(number), labels={"turn": str(turn)}), spec=spec)


def watch_of(number: int) -> bytes:
    message = WatchRequest(app_id=identifier(number)).SerializeToString()
    return b"\0" + len(message).to_bytes(4, "big") + message


# ---- clients, in processes of their own


class Http2:
    """One HTTP/2 connection with windows so large that no stream is held up by this side."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.h2.local_settings.initial_window_size = MAX_WINDOW
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(MAX_WINDOW - 65_535)
        self._received = b""
        self.messages = 0
        self.ended = 0
        self.flush()

    def begin(self) -> int:
        """Send the head of a Watch; return the stream's number."""
        number = self.h2.get_next_available_stream_id()
        names = {b":method": b"POST", b":scheme": b"http", b":authority": b"localhost"}
        names |= {b":path": f"{SERVICE}/Watch".encode(), b"content-type": b"application/grpc+proto", b"te": b"trailers"}
        self.h2.send_headers(number, list(names.items()))
        return number

    def read(self) -> bool:
        """Count the frames that are there; whether the connection still stands.

        Those of data aren't given to h2, which needs fifty microseconds for each.
        """
        data = self.socket.recv(1_000_000)
        self._received += data
        at = 0
        while len(self._received) - at >= 9:
            size = int.from_bytes(self._received[at : at + 3], "big")
            kind, flags = self._received[at + 3 : at + 5]
            if len(self._received) - at < 9 + size:
                break
            frame = self._received[at : at + 9 + size]
            at += 9 + size
            if kind == DATA:
                self.messages += size > 0
            else:
                self.h2.receive_data(frame)
            if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & 1):
                self.ended += 1
        self._received = self._received[at:]
        self.flush()
        return bool(data)

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.socket.sendall(data)


def watch(port: int, watchers: int, pipe: Pipe) -> None:
    """Keep Watches open until the parent says so; send it the messages that came and the streams that ended."""
    connections = [Http2(port) for _ in range(CONNECTIONS)]
    selector = selectors.DefaultSelector()
    for each in connections:
        selector.register(each.socket, selectors.EVENT_READ, each)
    selector.register(pipe, selectors.EVENT_READ)
    opened = lost = 0
    while True:
        for each in connections:
            for _ in range(min(25, (watchers - opened + CONNECTIONS - 1) // CONNECTIONS)):
                number = each.begin()
                each.h2.send_data(number, watch_of(opened // WATCHERS_OF_AN_APP), end_stream=True)
                opened += 1
            each.flush()
        for key, _ in selector.select(0 if opened < watchers else None):
            if key.data is None:
                pipe.send((sum(each.messages for each in connections), sum(each.ended for each in connections) + lost))
                os._exit(0)  # without a goodbye
            elif not key.data.read():
                selector.unregister(key.fileobj)
                lost += watchers // CONNECTIONS - key.data.ended


@dataclass(slots=True)
class Written:
    """The results of the writers."""

    seconds: list[float] = field(default_factory=list[float])
    refused: list[str] = field(default_factory=list[str])


def write(url: str, apps: int, seconds: float) -> Written:
    """Update apps from many writers, each its own ones."""
    done = Written()

    async def writer(number: int, until: float) -> None:
        turn = 0
        async with HTTPTransport(http_version=HTTPVersion.HTTP1, use_system_dns=True) as transport:
            client = AppServiceClient(url, http_client=Client(transport), send_compression=None)
            while time.perf_counter() < until:
                turn += 1
                request = UpdateRequest(app=app((number + turn * WRITERS) % apps, turn))
                started = time.perf_counter()
                try:
                    await client.update(request)
                except ConnectError as error:
                    done.refused.append(f"{error.code.name}: {error.message}")
                done.seconds.append(time.perf_counter() - started)

    async def run() -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(writer(number, until) for number in range(WRITERS)))

    asyncio.run(run())
    return done


def vanish(port: int, clients: int) -> None:
    """Open a connection each, with a Watch or half a request, and abort them all."""
    head = f"POST {SERVICE}/{{}} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {{}}\r\ncontent-length: {{}}\r\n\r\n"
    whole = head.format("Watch", "application/connect+proto", len(watch_of(0))).encode() + watch_of(0)
    half = head.format("Create", "application/proto", 100_000).encode() + bytes(1_000)
    held: list[socket.socket] = []
    for number in range(clients):
        each = socket.create_connection(("127.0.0.1", port))
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.sendall(half if number % 4 == 0 else whole)
        held.append(each)
    for number, each in enumerate(held):
        if number % 4:
            each.recv(1)
        each.close()


def reset(port: int, streams: int) -> int:
    """Open streams and reset them at once; the connections that the server closed meanwhile."""
    cut = 0
    connections = [Http2(port) for _ in range(CONNECTIONS)]
    for each in connections:
        each.socket.settimeout(20)
    for _ in range(streams // RESETS_AT_ONCE // CONNECTIONS):
        for place, each in enumerate(connections):
            for _ in range(RESETS_AT_ONCE):
                each.h2.reset_stream(each.begin())
            try:
                each.h2.ping(b"flyteapp")  # its answer is waited for, so that the server has seen the resets
                each.flush()
                standing = each.read()
            except (OSError, h2.exceptions.ProtocolError):
                standing = False
            if not standing:
                cut += 1
                connections[place] = Http2(port)
    return cut


# ---- the server, seen from outside


class Observer:
    """Another client, that asks all the while."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._content = GetRequest(app_id=identifier(0)).SerializeToString()
        root = psutil.Process(server.process.pid)
        self._processes = [root, *root.children(recursive=True)]
        self._longest: dict[str, tuple[float, float]] = {}
        self._meanwhile = ""

    def get(self) -> None:
        started, spent = time.perf_counter(), self.cpu()
        HTTP.post(
            f"{self._server.url}{SERVICE}/Get",
            content=self._content,
            headers={"content-type": "application/proto"},
            timeout=60,
        ).raise_for_status()
        took = self.cpu() - spent, time.perf_counter() - started
        self._longest[self._meanwhile] = max(took, self._longest.get(self._meanwhile, took))

    def meanwhile(self, what: str) -> None:
        """Name the activity during which the following Gets are measured."""
        self._meanwhile = what

    def late(self) -> list[str]:
        """Print how long Gets took; return those that took too long."""
        wrong: list[str] = []
        for what, (spent, seconds) in self._longest.items():
            line = f"while {what}, the longest Get took {seconds:.2f} s, {spent:.2f} s of CPU"
            print(line, flush=True)
            if spent > GET_SECONDS:
                wrong.append(line)
        return wrong

    def get_until(self, true: Callable[[], bool], seconds: float = 120) -> bool:
        """Call Get until that is true, or for so long; whether it is."""
        until = time.monotonic() + seconds
        while not true():
            if time.monotonic() > until:
                return False
            self.get()
            time.sleep(0.05)
        return True

    def get_until_done(self, work: Future[Result]) -> Result:
        """Call Get until that work is done; its result."""
        self.get_until(work.done, 3600)
        return work.result()

    def streams(self) -> int:
        page = HTTP.get(f"{self._server.url}/metrics", timeout=60).text
        found = re.search(r"^flyteapps_open_streams (\S+)", page, re.MULTILINE)
        assert found is not None, page
        return int(float(found[1]))

    def memory(self) -> int:
        return sum(each.memory_info().rss for each in self._processes)

    def cpu(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self._processes)


def crowd(server: ServerProcess, seconds: float, watchers: int, pool: ProcessPoolExecutor) -> list[str]:
    """Print the figures; what went wrong."""
    wrong: list[str] = []
    observer = Observer(server)
    apps = max(WRITERS, watchers // WATCHERS_OF_AN_APP)
    for number in range(apps):
        content = CreateRequest(app=app(number)).SerializeToString()
        HTTP.post(
            f"{server.url}{SERVICE}/Create", content=content, headers={"content-type": "application/proto"}
        ).raise_for_status()

    before = observer.memory()
    observer.meanwhile("watchers come")
    here, there = multiprocessing.get_context("spawn").Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=watch, args=(server.port, watchers, there))
    holder.start()
    if not observer.get_until(lambda: observer.streams() >= watchers):
        wrong.append(f"only {observer.streams():,} of {watchers:,} watches are open")
    each = (observer.memory() - before) / watchers / 1e3
    observer.meanwhile("watchers are there")
    spent = observer.cpu()
    done = observer.get_until_done(pool.submit(write, server.url, apps, seconds))
    spent = observer.cpu() - spent
    observer.meanwhile("watchers go")
    here.send("end")
    messages, ended = here.recv()
    holder.join()
    ordered = sorted(done.seconds)
    print(
        f"{watchers:,} watchers, {each:.1f} KB each, {ended:,} ended early, {messages:,} messages; "
        f"{len(ordered):,} writes in {seconds:g} s, median {statistics.median(ordered) * 1e3:.1f} ms, "
        f"p99 {ordered[len(ordered) * 99 // 100] * 1e3:.1f} ms, {spent / len(ordered) * 1e3:.2f} ms of CPU each",
        flush=True,
    )
    if ended:
        wrong.append(f"{ended:,} watchers ended early")
    if done.refused:
        wrong.append(f"{len(done.refused):,} writes were refused, as by {done.refused[0]}")
    wrong += _gone(observer, "the watchers")

    memory: list[int] = []
    for _ in range(2):
        observer.meanwhile("clients vanish")
        observer.get_until_done(pool.submit(vanish, server.port, watchers // 5))
        wrong += _gone(observer, "clients that vanished")
        observer.meanwhile("streams are reset")
        cut = observer.get_until_done(pool.submit(reset, server.port, watchers * 2))
        wrong += _gone(observer, "streams that were reset")
        memory.append(observer.memory())
        print(
            f"{watchers // 5:,} clients vanished, {watchers * 2:,} streams were reset ({cut} connections cut): "
            f"{memory[-1] / 1e6:.0f} MB, {before / 1e6:.0f} before all",
            flush=True,
        )
    if memory[1] - memory[0] > MAX_LEFT_BYTES:
        wrong.append(f"memory grew by {(memory[1] - memory[0]) / 1e6:.0f} MB from one round to the next")
    return wrong + observer.late()


def _gone(observer: Observer, what: str) -> list[str]:
    """Return what is left open."""
    if observer.get_until(lambda: observer.streams() == 0):
        return []
    return [f"{observer.streams():,} streams are left of {what}"]


def main() -> int:
    """Run SECONDS [SERVER [WATCHERS]]."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    kinds = (sys.argv[2],) if len(sys.argv) > 2 and sys.argv[2] != "all" else SERVERS
    watchers = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        del os.environ[name]
    wrong: list[str] = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for kind in kinds:
            print(f"crowd: {seconds:g} s on the server {kind}", flush=True)
            with ServerProcess("--quiet", "--server", kind) as server:
                wrong += [f"{kind}: {line}" for line in crowd(server, seconds, watchers, pool)]
                if "Traceback" in server.output:
                    wrong.append(f"{kind}: {server.output[-2_000:]}")
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
