"""Idle connections: one that a router has forgotten costs at most one call, and old ones aren't used again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from flyteapps import Client, DeadlineExceeded
from flyteapps.endpoint import Endpoint
from flyteapps.transports import http1
from flyteapps.transports.http1 import Http1Client
from flyteapps_fake.control_plane import FakeControlPlane

from . import servers
from .conftest import SCOPE
from .forked import OPTIONS
from .messages import app
from .relays import Router

ONCE: dict[str, Any] = {"retries": 1, "timeout": 60.0, **SCOPE}


@contextlib.contextmanager
def impatience(client: Client) -> Generator[None]:
    """Give the client's calls a second, and expect the deadline."""
    patient = client.settings
    client.settings = dataclasses.replace(patient, timeout=1.0)
    with pytest.raises(DeadlineExceeded):
        yield
    client.settings = patient


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane with the app "hello"."""
    with FakeControlPlane() as made:
        Client(transport=made.transport(), **SCOPE).apps.create(app("hello"))
        yield made


@contextlib.contextmanager
def behind_a_router(plane: FakeControlPlane, protocol: str) -> Generator[tuple[Router, Client]]:
    """Yield the router, and a client of the plane behind it."""
    server = plane.serve()
    target = server.grpc_target if protocol == "grpcio" else server.url
    router = Router(int(target.rpartition(":")[2]))
    with (
        servers.listening(router) as port,
        Client(f"http://127.0.0.1:{port}", **OPTIONS[protocol], **ONCE) as client,
    ):
        yield router, client


@pytest.mark.parametrize("protocol", OPTIONS)
def test_forgotten_connections_blocking(plane: FakeControlPlane, protocol: str) -> None:
    """One call pays its timeout; those after it have a connection of their own, whatever the pool held."""
    with behind_a_router(plane, protocol) as (router, client):
        for _ in range(2):
            assert client.apps.get("hello").name == "hello"
        if protocol == "connect":  # a pool of several
            pooled: Any = client.transport
            pool = pooled._http1
            for _ in range(5):
                pool.give_back(pool._connect(10.0))
            router.wait_for(6)
        router.forget()
        with impatience(client):
            client.apps.get("hello")
        for _ in range(3):
            assert client.apps.get("hello").name == "hello"


@pytest.mark.parametrize("protocol", OPTIONS)
async def test_forgotten_connections_awaiting(plane: FakeControlPlane, protocol: str) -> None:
    """The same, with several calls at once before."""
    with behind_a_router(plane, protocol) as (router, client):
        await asyncio.gather(*(client.apps.get.aio("hello") for _ in range(5)))
        router.forget()
        with impatience(client):
            await client.apps.get.aio("hello")
        for _ in range(3):
            assert (await client.apps.get.aio("hello")).name == "hello"
        await client.aclose()


@pytest.mark.parametrize("protocol", OPTIONS)
def test_a_slow_answer_leaves_open_streams_alone(plane: FakeControlPlane, protocol: str) -> None:
    """A timeout makes the next call connect anew; a stream that is open goes on."""
    with behind_a_router(plane, protocol) as (_, client):
        handle = client.apps.get("hello")
        empty = type(handle)(type(handle.pb2)(), client)
        empty.pb2.metadata.id.CopyFrom(handle.pb2.metadata.id)
        with empty.events(timeout=30) as events:
            assert next(events).app.name == "hello"
            opened = plane.open_streams()
            dropped: Any = client.transport
            if protocol == "grpcio":
                dropped._channel = None  # what a timeout does
            else:
                dropped._timed_out(("_blocking", "_blocking_http"), 0.0, 1.0)
                dropped._timed_out(("_awaiting", "_awaiting_http"), 0.0, 1.0)
            client.apps.get("hello").deactivate()
            assert any(change.app.desired_state.name == "STOPPED" for change in events)
            assert plane.open_streams() == opened == 1


class TestThePool:
    """The pool of blocking Connect, on a clock that the test moves."""

    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """The time that the pool sees."""
        now = [1_000.0]
        monkeypatch.setattr(http1, "monotonic", lambda: now[0])
        return now

    @pytest.fixture
    def pool(self) -> Iterator[Http1Client]:
        """A pool of connections to a server that keeps them open."""
        with servers.listening(servers.silent) as port:
            client = Http1Client(Endpoint.parse(f"http://127.0.0.1:{port}"), None)
            yield client
            client.close()

    def connections(self, pool: Http1Client, count: int) -> list[socket.socket]:
        """Return so many new connections."""
        return [pool._connect(10.0) for _ in range(count)]  # pyright: ignore[reportPrivateUsage]

    def test_a_connection_that_was_idle_for_long_is_closed(self, pool: Http1Client, now: list[float]) -> None:
        """After IDLE_SECONDS, also below younger ones; until then it is used."""
        old, young = self.connections(pool, 2)
        pool.give_back(old)
        now[0] += http1.IDLE_SECONDS - 1
        pool.give_back(young)
        assert pool.connection(1.0) is young
        pool.give_back(young)
        now[0] += 2
        assert pool.connection(1.0) is young
        assert old.fileno() == -1
        pool.give_back(young)
        now[0] += http1.IDLE_SECONDS + 1
        fresh = pool.connection(1.0)
        assert fresh is not young
        assert young.fileno() == -1
        fresh.close()

    def test_what_was_used_since_is_trusted(self, pool: Http1Client, now: list[float]) -> None:
        """Of the idle connections those go that were idle when the call began which was not answered."""
        before, since = self.connections(pool, 2)
        pool.give_back(before)
        now[0] += 1
        began = now[0]
        now[0] += 1
        pool.give_back(since)
        pool.distrust(began)
        assert before.fileno() == -1
        assert pool.connection(1.0) is since
        since.close()
