"""A program whose children use, close and leave planes of their parent. Prints "done"; a child that hangs is ended."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, ListRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.common.list_pb2 import ListRequest as Query
from flyteidl2.core.tasks_pb2 import Container

from flyteapps.testing import SILENCE, MockServer
from flyteapps.testing.services import rpcs
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.state.registry import Registry
from flyteapps_fake.core.time import forks

CHILDREN = 25
WATCH = rpcs()["flyteidl2.app.AppService/Watch"].method
CHILD_SECONDS = 120


def app(name: str) -> CreateRequest:
    """Return a Create of an app."""
    identifier = Identifier(project="p", domain="d", name=name)
    return CreateRequest(app=App(metadata=Meta(id=identifier), spec=Spec(container=Container(image="x"))))


def child(work: Callable[[], object]) -> int:
    """Run that in a child; return its process id."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(CHILD_SECONDS)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def ended(pid: int) -> None:
    """Wait for a child, which must end well."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"a child ended with {status}"


def while_a_writer_writes() -> None:
    """Call, in children, a plane that a thread of the parent was writing to when they were forked."""
    over = threading.Event()

    def write(plane: FakeControlPlane) -> None:
        stub = plane.stub()
        number = 0
        while not over.is_set():
            stub.create(app(f"written-{number}"))
            number += 1

    with FakeControlPlane() as plane:
        plane.stub().create(app("first"))  # a fork during a thread's first import is Python's own trouble
        writer = threading.Thread(target=write, args=(plane,))
        writer.start()

        def work() -> None:
            plane.stub().create(app("of-a-child"))
            listed = plane.stub().list(ListRequest(org="flyte", request=Query(limit=10_000)))
            assert "of-a-child" in [each.metadata.id.name for each in listed.apps]

        children = [child(work) for _ in range(CHILDREN)]
        over.set()
        writer.join()
        for pid in children:
            ended(pid)


def that_close_a_served_plane() -> None:
    """Close, or leave, in children a plane that the parent serves and watches; the parent's goes on."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        with AppServiceClientSync(server.url) as client:
            client.create(app("a"))
            watch = plane.stub().watch(WatchRequest(org="flyte"))
            next(watch)
            ended(child(plane.close))
            ended(child(lambda: plane.__exit__(None, None, None)))
            assert [each.metadata.id.name for each in client.list(ListRequest(org="flyte")).apps] == ["a"]
        del watch
    try:
        plane.stub().list(ListRequest())
    except ConnectError as error:
        assert "closed" in error.message
    else:
        raise AssertionError("a closed plane answers")


def while_a_lock_is_held() -> None:
    """Call, in a child, a plane whose lock a thread of the parent held when it was forked, for longer than it waits."""
    forks.PATIENCE_SECONDS = 0.01
    with FakeControlPlane() as plane:
        registry = Registry[str]("entries")
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with plane._lock, registry._lock:  # pyright: ignore[reportPrivateUsage]  # what a thread holds
                held.set()
                over.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()

        def work() -> None:
            plane.stub().create(app("of-a-child"))
            assert registry.add("entry", ListRequest())

        pid = child(work)
        over.set()
        holder.join()
        ended(pid)
        assert plane.count() == 0


def while_readers_read() -> None:
    """Write, in children, to a plane whose watchers wait in threads, a loop and a server of the parent."""
    over = threading.Event()
    with FakeControlPlane(clock="manual") as plane:
        plane.stub().create(app("first"))
        stream = plane.stub().watch(WatchRequest(org="flyte"))

        def read() -> None:
            for _ in stream:
                pass

        async def async_read() -> None:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(plane.transport().async_stream(WATCH, WatchRequest(org="other")).receive())
                await asyncio.to_thread(over.wait)
                reader.cancel()

        threads = [threading.Thread(target=read), threading.Thread(target=asyncio.run, args=(async_read(),))]
        for thread in threads:
            thread.start()
        with AppServiceClientSync(plane.serve().url) as client:
            watch = client.watch(WatchRequest(org="flyte"))
            next(iter(watch))

            def work() -> None:
                for number in range(20):
                    plane.stub().create(app(f"of-a-child-{number}"))
                assert plane.count() == 21

            for pid in [child(work) for _ in range(CHILDREN)]:
                ended(pid)
            watch.close()  # type: ignore[attr-defined]  # a generator
        over.set()
        stream.close()  # type: ignore[attr-defined]  # the direct transport's
        for thread in threads:
            thread.join()


def that_outlive_their_parents_servers() -> None:
    """Keep a child while the parent's servers end: their clients are disconnected, and their ports refuse others."""
    reading, writing = os.pipe()
    with FakeControlPlane() as plane, MockServer(lambda _: SILENCE) as mock:
        server = plane.serve()
        ports = [server.port, server.grpc_port, int(mock.url.rpartition(":")[2])]
        clients = [socket.create_connection(("127.0.0.1", port), timeout=CHILD_SECONDS) for port in ports]
        for client in clients[::2]:
            client.sendall(b"GET /none HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert client.recv(1)
        pid = child(lambda: (os.close(writing), os.read(reading, 1)))
        os.close(reading)
    for client in clients:
        try:
            while client.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        client.close()
    for port in ports:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=CHILD_SECONDS).close()
        except ConnectionRefusedError:
            continue
        raise AssertionError("a port of a closed server accepts connections")
    os.close(writing)
    ended(pid)


def that_leave_a_mock_server() -> None:
    """Leave, in a child, a MockServer of the parent, which goes on; make another there."""
    with MockServer(lambda _: None) as mock:

        def work() -> None:
            mock.__exit__(None, None, None)
            with MockServer(lambda _: None) as own:
                assert own.url != mock.url

        ended(child(work))
        socket.create_connection(("127.0.0.1", int(mock.url.rpartition(":")[2])), timeout=CHILD_SECONDS).close()


def that_exit_by_themselves() -> None:
    """End a child as programs end, with what it inherited: a served plane, grpcio's server, streams."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        assert server.grpc_port
        watch = plane.stub().watch(WatchRequest(org="flyte"))
        pid = os.fork()
        if pid == 0:
            signal.alarm(CHILD_SECONDS)
            sys.exit(0)
        ended(pid)
        watch.close()  # type: ignore[attr-defined]  # the direct transport's


def call(url: str) -> list[str]:
    """Return the names of the apps of a plane."""
    with AppServiceClientSync(url) as client:
        return [each.metadata.id.name for each in client.list(ListRequest(org="flyte")).apps]


def by(method: str) -> None:
    """Call a served plane from processes of a start method of multiprocessing."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        assert server.grpc_port
        plane.stub().create(app("a"))
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            assert list(pool.map(call, [server.url] * 4, timeout=60)) == [["a"]] * 4


PROGRAMS: dict[str, Callable[[], None]] = {
    "writer": while_a_writer_writes,
    "served": that_close_a_served_plane,
    "held": while_a_lock_is_held,
    "readers": while_readers_read,
    "sockets": that_outlive_their_parents_servers,
    "mock": that_leave_a_mock_server,
    "exits": that_exit_by_themselves,
    "fork": lambda: by("fork"),
    "forkserver": lambda: by("forkserver"),
    "spawn": lambda: by("spawn"),
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]()
    print("done")
