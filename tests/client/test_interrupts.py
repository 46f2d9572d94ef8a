"""Ctrl-C and cancellation: out at once, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from flyteapps import App, Client
from flyteapps_fake.control_plane import FakeControlPlane

from . import servers
from .conftest import TRANSPORTS, client_of, once
from .messages import app

SCRIPT = Path(__file__).with_name("interrupted.py")

WHAT = ("get", "watch", "events", "get.aio", "watch.aio")

LATEST = 20.0
"""Seconds after which an interrupted call is called hanging: it takes milliseconds, on a busy machine more; its timeout
is 60."""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.parametrize("what", once(WHAT, "get", "watch"))
@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcio"])
def test_ctrl_c_ends_a_call_that_hangs(protocol: str, what: str) -> None:
    """The server stays silent. No thread of ours stays, save that of a gRPC call that can't be called back."""
    accepted = threading.Event()

    def behave(connection: servers.socket.socket) -> None:
        connection.recv(1)
        accepted.set()
        servers.silent(connection)

    with servers.listening(behave) as port:
        command = [sys.executable, "-W", "error", str(SCRIPT), f"http://127.0.0.1:{port}", protocol, what]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert accepted.wait(150), "the call has not arrived"
            sent = time.time()
            process.send_signal(signal.SIGINT)
            said, complaints = process.communicate(timeout=200)
    assert process.returncode == 0, complaints
    at, left = said.split(maxsplit=1)
    assert float(at) - sent < LATEST
    names = left.strip("[]\n").replace("'", "")
    ours = {name for name in names.split(", ") if name.startswith("flyteapps")}
    assert ours <= ({"flyteapps call"} if (protocol, what) == ("grpc", "get") else set())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_that_nobody_closed_leaves_no_thread(transport: str) -> None:
    """Its threads end once it is collected."""
    with FakeControlPlane() as plane:
        client = client_of(plane, transport)
        client.apps.create(app("hello"))
        del client
        gc.collect()
        until = time.monotonic() + 60
        while (left := _calling()) and time.monotonic() < until:
            time.sleep(0.005)
        assert not left


def _calling() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name == "flyteapps call"}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nothing_is_left_after_use(transport: str, dialect: str) -> None:
    """After calls, waits, abandoned iterations and a close: no thread, no stream, no task."""
    with FakeControlPlane(dialect=dialect) as plane:
        with client_of(plane, transport) as warm:
            warm.apps.create(app("warm"))
        before = set(threading.enumerate())
        with client_of(plane, transport) as client:
            made = client.apps.create(app())
            made.watch()
            for _ in made.events(timeout=0.01):
                pass
            made.deactivate()
            client.apps.get("hello").activate()
            with made.events() as events:
                next(events)
        asyncio.run(_use(plane, transport))
        # a server may learn of a closed connection a moment later
        until = time.monotonic() + 60
        while plane.open_streams() and time.monotonic() < until:
            time.sleep(0.01)
        assert not plane.open_streams()
        left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if name.startswith("flyteapps c") or name == "flyteapps stream"}


async def _use(plane: FakeControlPlane, transport: str) -> None:
    async with client_of(plane, transport) as client:
        made = await client.apps.create.aio(app("other"))
        await made.watch.aio()
        await made.deactivate.aio()
        await (await client.apps.get.aio("other")).activate.aio()
        async for _ in made.events.aio():
            break
        await made.deactivate.aio()
        await made.watch.aio("deactivated")
        events = made.events.aio()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.TaskGroup() as group:
            group.create_task(made.activate.aio(wait=True))
            group.create_task(client.apps.get.aio("other"))


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcio"])
def test_cancellation_is_cancellation(protocol: str) -> None:
    """asyncio.timeout and TaskGroup see it as such; no error of ours stands in its place."""
    with servers.listening(servers.silent) as port:
        client = Client(f"http://127.0.0.1:{port}", protocol=protocol, project="p", domain="d", timeout=60)  # pyright: ignore[reportArgumentType]

        async def go() -> None:
            handle = App(app(), client)
            for call in (lambda: client.apps.get.aio("hello"), lambda: handle.watch.aio()):
                with pytest.raises(TimeoutError) as caught:
                    await _within(0.1, call())
                assert type(caught.value) is TimeoutError
            with pytest.raises(ExceptionGroup) as group:
                await _beside_a_failure(client.apps.get.aio("hello"))
            assert [type(error) for error in group.value.exceptions] == [ZeroDivisionError]
            await client.aclose()
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(go())


async def _within(seconds: float, awaited: Awaitable[object]) -> None:
    async with asyncio.timeout(seconds):
        await awaited


async def _beside_a_failure(awaited: Coroutine[Any, Any, object]) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(awaited)
        tasks.create_task(_fail())


async def _fail() -> None:
    await asyncio.sleep(0.05)
    raise ZeroDivisionError


@pytest.mark.parametrize("protocol", once(["connect", "grpc"], "grpc"))
def test_a_process_ends_well_after_a_refused_call(protocol: str) -> None:
    """Left alone, threads of pyqwest abort a quarter to a half of such processes (SIGABRT)."""
    program = (
        "import asyncio\n"
        "from flyteapps import Client, Retries\n"
        f"client = Client('http://127.0.0.1:1', protocol={protocol!r}, project='p', domain='d', retries=1)\n"
        "try:\n"
        "    asyncio.run(client.apps.get.aio('x'))\n"
        "except ConnectionError:\n"
        "    pass\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(8)]
    assert [process.wait(150) for process in running] == [0] * len(running)
