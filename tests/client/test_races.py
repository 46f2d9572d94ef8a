"""Concurrent writes of one app: the number of writers for which `replace` promises success, and the error beyond it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import Client, Conflict, DeploymentStatus
from flyteapps.flows.writes import MAX_ROUNDS
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import QUICK, SCOPE, Run, client_of
from .messages import app, spec
from .scripted import scripted, state


def test_as_many_writers_as_rounds_all_succeed(plane: FakeControlPlane, nth: Callable[[int], int]) -> None:
    """A conflict is another one's success, so each meets fewer conflicts than it has rounds; one spec stays, whole."""
    client = client_of(plane, "direct")
    client.apps.create(app())
    images = [f"example.org/race:{number}" for number in range(MAX_ROUNDS)]
    start = threading.Barrier(len(images))
    revisions: list[int] = []

    def replace(image: str) -> None:
        start.wait()
        revisions.append(client.apps.replace("hello", spec(image), "race").revision)

    threads = [threading.Thread(target=replace, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(revisions) == [nth(revision) for revision in range(2, 2 + MAX_ROUNDS)]
    [stored] = client.apps.listall()
    assert stored.pb2.spec.container.image in images


def test_a_conflict_in_each_round_is_raised(run: Run) -> None:
    """Another writer is faster each time: after as many writes as there are rounds the conflict is raised."""
    revisions: Iterator[int] = count(1)

    def read(_: Any) -> payload.GetResponse:
        return payload.GetResponse(app=state((DeploymentStatus.ACTIVE, ""), revision=next(revisions)))

    def refuse(_: Any) -> ConnectError:
        return ConnectError(Code.ABORTED, "the app is at another revision")

    transport = scripted({"Get": read, "Update": refuse})
    client = Client(transport=transport, retries=QUICK, **SCOPE)
    with pytest.raises(Conflict):
        run(client.apps.replace, "hello", spec("example.org/hello:2"), "test")
    assert [call.rpc for call in transport.calls].count("Update") == MAX_ROUNDS
