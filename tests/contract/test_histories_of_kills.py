"""Concurrent histories on a served plane that is killed meanwhile, and started again with its state."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flyteapps_contract.explorations.histories import drawn
from flyteapps_contract.explorations.history_search import search
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.model.linearizability import Call, contradiction
from flyteapps_contract.model.racing import OK, Said, step
from flyteapps_contract.targets.endpoint import Address, EndpointTarget, Protocol
from flyteapps_contract.targets.target import Link, Plane
from flyteapps_contract.verification import fresh_run
from serving.conftest import EACH_KIND
from serving.server_process import ServerProcess

PROTOCOLS: tuple[Protocol, ...] = ("connect-http2", "grpc")


class KilledPlane(Plane):
    """The plane of a server that can be killed."""

    def __init__(self, target: KilledTarget, link: Link) -> None:
        self.capabilities = target.capabilities
        self.link = link
        self._target = target

    def kill(self) -> None:
        """Kill the server, and start it again."""
        self._target.server.stop(signal.SIGKILL)
        self._target.start()

    def close(self) -> None:
        """End the link."""
        self.link.close()


class KilledTarget(EndpointTarget):
    """A server that keeps its state in a directory, always at the same ports."""

    def __init__(self, directory: Path, kind: str, protocol: Protocol) -> None:
        with socket.socket() as free, socket.socket() as another:
            for each in (free, another):
                each.bind(("127.0.0.1", 0))
            port, pages = free.getsockname()[1], another.getsockname()[1]  # the second one is in the URLs of apps
        self._options = ("--quiet", "--server", kind, "--port", f"{port}", "--console-port", f"{pages}")
        self._options += ("--state", str(directory))
        self.kills = 0
        self.start()
        super().__init__(Address("127.0.0.1", port, False), protocol)
        self.capabilities = replace(self.capabilities, restarts=True)

    def start(self) -> None:
        """Start the server."""
        self.server = ServerProcess(*self._options, console_port=None)
        self.kills += 1

    def plane(self) -> Plane:
        """Return the plane, through a link of its own."""
        return KilledPlane(self, self.link())


@pytest.fixture
def killed(tmp_path: Path, kind: str, protocol: Protocol) -> Iterator[KilledTarget]:
    """A server that histories may kill."""
    target = KilledTarget(tmp_path / "state", kind, protocol)
    try:
        yield target
    finally:
        target.server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", EACH_KIND)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_served_plane_that_is_killed_is_linearizable(killed: KilledTarget) -> None:
    """Some order of the calls explains all answers, with each call that a kill cut off made before it, or never."""
    found = search(killed, fresh_run(killed), SearchOptions(count=4, seed=1))
    assert found.violation is None, found.violation
    assert found.tried == 4
    assert killed.kills > 4


def test_plans_have_kills_where_planes_can_be_started_again() -> None:
    """The same seed draws the same calls with and without kills."""
    assert drawn(1, 5).kills == ()
    with_kills = drawn(1, 5, kills=True)
    assert with_kills.kills
    assert replace(with_kills, kills=()) == drawn(1, 5)


CREATED = Call(0, 1, Said("create", "one", code=OK, seen=(1, "one")))
CUT = Call(2, 3, Said("update", "two", cut_off=True))


@pytest.mark.parametrize("seen", [(1, "one"), (2, "two")])
def test_a_call_that_a_kill_cut_off_was_made_or_not(seen: tuple[int, str]) -> None:
    """A read after the kill decides whether the call was made, for good."""
    reads = [
        Call(4, 5, Said("get", code=OK, seen=seen), reads=True),
        Call(6, 7, Said("get", code=OK, seen=seen), reads=True),
    ]
    assert contradiction([CREATED, CUT, *reads], None, step) is None


def test_a_call_that_a_kill_cut_off_is_not_made_later() -> None:
    """An app that was as before after the kill isn't as the call would have left it without another call."""
    before, after = Said("get", code=OK, seen=(1, "one")), Said("get", code=OK, seen=(2, "two"))
    reads = [Call(4, 5, before, reads=True), Call(6, 7, after, reads=True)]
    assert contradiction([CREATED, CUT, *reads], None, step) is not None


def test_an_acknowledged_call_that_a_kill_undid_is_found() -> None:
    """An answered write is there after the kill."""
    calls = [CREATED, Call(4, 5, Said("get", code="NOT_FOUND"), reads=True)]
    assert contradiction(calls, None, step) is not None
