"""The end of a plane in process: what is a leak and what isn't, what a closed one answers, dropped ones, forks."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, ListRequest, WatchRequest, WatchResponse
from flyteidl2.core.tasks_pb2 import Container

from flyteapps.testing import MockServer
from flyteapps_fake import FakeControlPlane, LeakedStreams
from flyteapps_fake.grpc.servicer import SyncServicer

from .server_process import eventually

ORG = WatchRequest(org="flyte")


def creation(name: str) -> CreateRequest:
    """Return a Create of a small app."""
    identifier = Identifier(project="p", domain="d", name=name)
    return CreateRequest(app=App(metadata=Meta(id=identifier), spec=Spec(container=Container(image="x"))))


async def read(stream: AsyncIterator[WatchResponse]) -> None:
    """Read until the end."""
    async for _ in stream:
        pass


async def waiting(plane: FakeControlPlane) -> None:
    """Wait until a reader has got everything and waits."""
    while not any(stream.wake for scope in (("org",),) for stream in plane._dialect.streams.of(scope)):  # pyright: ignore[reportPrivateUsage]
        await asyncio.sleep(0)


async def cancel_and_wait(plane: FakeControlPlane) -> object:
    task = asyncio.create_task(read(plane.async_stub().watch(ORG)))
    await waiting(plane)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return error  # who holds its traceback holds the stream
    return None


async def cancel_and_go(plane: FakeControlPlane) -> object:
    task = asyncio.create_task(read(plane.async_stub().watch(ORG)))
    await waiting(plane)
    task.cancel()
    return task


async def time_out(plane: FakeControlPlane) -> object:
    try:
        async with asyncio.timeout(0.01):
            await read(plane.async_stub().watch(ORG))
    except TimeoutError as error:
        return error
    return None


async def go_round_in_circles(plane: FakeControlPlane) -> object:
    stream = plane.async_stub().watch(ORG)
    held: list[object] = [stream]
    held.append(held)
    return None


@pytest.mark.parametrize("leave", [cancel_and_wait, cancel_and_go, time_out, go_round_in_circles])
async def test_what_nobody_reads_any_more_is_no_leak(leave: Callable[[FakeControlPlane], object]) -> None:
    """A reader that was cancelled or ran out of time, awaited or not, and a stream in a cycle leak nothing."""
    async with FakeControlPlane() as plane:
        left = await leave(plane)  # type: ignore[misc]  # each is a coroutine function
    del left


async def test_an_open_stream_is_a_leak_and_the_loop_goes_on_meanwhile() -> None:
    """A stream with a reference counts as leaked; other tasks of the loop run while the plane waits for its end."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(turn())
    plane = FakeControlPlane()
    plane.serve()
    stream = plane.async_stub().watch(ORG)
    with pytest.raises(LeakedStreams):
        await plane.__aexit__(None, None, None)
    assert turns > 50
    assert stream is not None
    task.cancel()


async def test_a_plain_with_in_a_coroutine_says_why_cancelled_tasks_have_not_ended() -> None:
    """A task that was cancelled and not awaited can't end while the loop stands: the error names `async with`."""
    with pytest.raises(LeakedStreams, match="leave the plane by `async with`"):  # noqa: SIM117, PT012  # as users write it
        with FakeControlPlane() as plane:
            task = asyncio.create_task(read(plane.async_stub().watch(ORG)))
            await waiting(plane)
            task.cancel()


@pytest.mark.parametrize("turns", range(6))
async def test_a_reader_that_is_cancelled_while_an_event_lands_ends(turns: int) -> None:
    """Cancelled at whatever moment after a write, a reader that limits its waits ends, as every other task does."""
    async with FakeControlPlane() as plane:
        watch = plane.async_stub().watch(ORG)

        async def go_on() -> None:
            while True:
                await watch.receive(60.0)  # type: ignore[attr-defined]  # the direct transport's stream

        task = asyncio.create_task(go_on())
        await waiting(plane)
        plane.stub().create(creation("a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=60)
        assert done and task.cancelled()
        await watch.aclose()  # type: ignore[attr-defined]


def test_a_closed_plane_refuses_calls() -> None:
    """In process, by servicer and by a stub from before, each call is UNAVAILABLE and says why; it can be looked at."""
    with FakeControlPlane() as plane:
        stub, servicer = plane.stub(), SyncServicer(plane)
        stub.create(creation("a"))
        server = plane.serve()
        channel = grpc.insecure_channel(server.grpc_target)
    for call in (
        lambda: stub.create(creation("b")),
        lambda: stub.get(GetRequest(app_id=creation("a").app.metadata.id)),
        lambda: stub.list(ListRequest(org="flyte")),
        lambda: stub.watch(ORG),
        lambda: plane.stub().get(GetRequest()),
    ):
        with pytest.raises(ConnectError, match="the plane was closed") as refused:
            call()
        assert refused.value.code is Code.UNAVAILABLE
    with pytest.raises(grpc.RpcError) as aborted:
        channel.unary_unary("/flyteidl2.app.AppService/List")(b"", timeout=60)
    assert aborted.value.code() is grpc.StatusCode.UNAVAILABLE
    assert servicer is not None
    channel.close()
    with pytest.raises(RuntimeError, match="closed"):
        plane.serve()
    assert (plane.count(), plane.open_streams(), plane.projects()) == (1, 0, {"p"})
    plane.close()


def test_what_is_dropped_without_being_closed_ends() -> None:
    """Served planes without a reference leave no thread and no descriptor; one to the server keeps it serving."""
    folder = Path("/proc/self/fd")

    def files() -> int:
        return len(list(folder.iterdir())) if folder.exists() else 0

    def threads() -> set[int | None]:
        return {each.ident for each in threading.enumerate() if each.name.startswith("flyteapps")}

    gc.collect()
    before, others = files(), threads()
    for _ in range(3):
        FakeControlPlane().serve()
    server = FakeControlPlane().serve()
    gc.collect()
    eventually(lambda: len(threads() - others) == 1, "threads are left")
    with grpc.insecure_channel(server.grpc_target) as channel:
        assert channel.unary_unary("/flyteidl2.app.AppService/List")(b"\x2a\x05flyte", timeout=60) == b""
    del server
    gc.collect()
    eventually(lambda: threads() <= others, "a thread is left")
    eventually(lambda: files() <= before + 4, "descriptors are left")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_of_multiprocessing_call_a_served_plane(method: str) -> None:
    """A process of each start method calls the plane by its URL; a plane itself can't be sent, and says what can."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no such start method here")
    script = Path(__file__).with_name("forking.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), method], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


ENDING = """
import grpc
from flyteapps_fake import FakeControlPlane

plane = FakeControlPlane(clock="manual")
plane.faults.delay("List", seconds=3600)
channel = grpc.insecure_channel(plane.serve().grpc_target)
stream = channel.unary_stream("/flyteidl2.app.AppService/Watch")(b"")
delayed = channel.unary_unary("/flyteidl2.app.AppService/List").future(b"", timeout=3600)
while len(plane.clock.why()) < 2:
    pass
print("done")
"""


def test_a_program_ends_whose_plane_is_still_served() -> None:
    """A program that closes nothing ends: no stream, nor a delayed call, of its server keeps it."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_plane_can_not_be_pickled() -> None:
    """Neither a plane nor what belongs to it can be sent to a process or copied: the error says what can."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        for sent in (plane, server, plane.transport(), plane.control):
            with pytest.raises(TypeError, match=r"pass (the|its) URL"):
                pickle.dumps(sent)
            with pytest.raises(TypeError, match=r"pass (the|its) URL"):
                copy.deepcopy(sent)


def test_a_mock_server_that_is_dropped_ends() -> None:
    """A MockServer without a reference leaves no thread and frees its port."""
    server = MockServer(lambda _: None).__enter__()
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
        [thread] = [each for each in threading.enumerate() if each.name == "flyteapps mock server"]
        del server
        gc.collect()
        thread.join(30)
        assert not thread.is_alive()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def close_mock_server() -> tuple[int, Callable[[], None]]:
    """Start a MockServer; return its port, and what leaves it."""
    server = MockServer(lambda _: None).__enter__()
    return int(server.url.rpartition(":")[2]), lambda: server.__exit__(None, None, None)


def close_plane() -> tuple[int, Callable[[], None]]:
    """Serve a plane; return its port, and what closes it."""
    plane = FakeControlPlane()
    return plane.serve().port, plane.close


@pytest.mark.parametrize("start", [close_mock_server, close_plane])
def test_a_client_that_connects_as_the_server_closes_is_disconnected(
    start: Callable[[], tuple[int, Callable[[], None]]],
) -> None:
    """No connection stays open, and silent, after a server has closed, whenever it was accepted."""
    gc.disable()  # which would close a forgotten one
    try:
        for _ in range(12):
            port, close = start()
            clients: list[socket.socket] = []

            def connect(port: int = port, clients: list[socket.socket] = clients) -> None:
                with contextlib.suppress(OSError):
                    while True:
                        clients.append(socket.create_connection(("127.0.0.1", port), timeout=20))

            connecting = threading.Thread(target=connect)
            connecting.start()
            while not clients:
                assert connecting.is_alive()
            close()
            connecting.join()
            for client in clients:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    # where the queue of connections was full, the system has made one that the server never had, and
                    # says so to a client that sends
                    client.sendall(b"x")
                    assert client.recv(1) == b""
                client.close()
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize("what", ["writer", "served", "held", "readers", "sockets", "mock", "exits"])
def test_children_of_a_fork_end(what: str) -> None:
    """Forked while threads write, read or hold a lock, a child ends; nothing of its parent's ends, or stays, by it."""
    script = Path(__file__).with_name("forking.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), what], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
