"""A program whose children use, close and leave planes of their parent. Prints "done"; a child that hangs is ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, ListRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.common.list_pb2 import ListRequest as Query
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_fake import FakeControlPlane

CHILDREN = 25
CHILD_SECONDS = 30


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


if __name__ == "__main__":
    {"writer": while_a_writer_writes, "served": that_close_a_served_plane}[sys.argv[1]]()
    print("done")
