"""Ports that planes hand out: free ones, each to one plane, until a program has opened it."""

from __future__ import annotations

import socket
import sys

import pytest

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.processes import ports
from flyteapps_fake.processes.ports import AppPorts, ReplicaPorts, claim

KEY = ("org", "p", "d", "web")
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no claims")


def no_app(port: int) -> bool:
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def test_the_wanted_port() -> None:
    """The first replica has it, the next one another, and a later one again."""
    given, wanted = ReplicaPorts(), free_port()
    assert given.take(wanted) == wanted
    other = given.take(wanted)
    assert other != wanted
    assert other in ports.REPLICA_PORTS
    given.release(wanted)
    assert given.take(wanted) == wanted
    given.release(wanted)
    given.release(other)
    given.release(other)


@pytest.mark.parametrize("port", [1, 80, 1023])
def test_privileged_ports(port: int) -> None:
    """They are never given, to the administrator neither."""
    given = ReplicaPorts()
    taken = given.take(port)
    assert taken >= 1024
    given.release(taken)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_port_that_a_program_has(address: str) -> None:
    """On any address: the app may listen on all of them."""
    given = ReplicaPorts()
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        port = sock.getsockname()[1]
        taken = given.take(port)
        assert taken != port
    given.release(taken)


@ON_LINUX
def test_two_planes_get_different_ports() -> None:
    """Before any program has opened them."""
    first, second, wanted = ReplicaPorts(), ReplicaPorts(), free_port()
    taken = [each.take(wanted) for each in (first, second, first, second)]
    assert len(set(taken)) == 4
    assert taken[0] == wanted
    first.release(wanted)
    assert second.take(wanted) == wanted
    for plane in (first, second):
        for port in taken:
            plane.release(port)


@ON_LINUX
def test_apps_of_one_name_on_two_planes() -> None:
    """The same name leads to the same port, which the first one has until it is closed."""
    first, second = AppPorts(), AppPorts()
    port = first.choose(no_app, KEY)
    assert first.choose(no_app, KEY) == port
    assert second.choose(no_app, KEY) != port
    assert first.choose(lambda each: each == port, KEY) != port
    first.close()
    assert second.choose(no_app, KEY) == port
    second.close()


@ON_LINUX
def test_an_open_port_needs_no_claim() -> None:
    chosen = AppPorts()
    port = chosen.choose(no_app, KEY)
    chosen.opened(port)
    held = claim(port)
    assert held is not None
    held.close()


def test_claims_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of apps whose creation fails, too."""
    monkeypatch.setattr(ports, "MAX_UNOPENED", 3)
    chosen = AppPorts()
    for number in range(9):
        chosen.choose(no_app, (*KEY, str(number)))
    assert len(chosen._claims) == 3  # pyright: ignore[reportPrivateUsage]
    chosen.close()


def test_no_port_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    with pytest.raises(RpcError, match="delete an app"):
        AppPorts().choose(lambda port: True, KEY)
    monkeypatch.setattr(ports, "is_free", no_app)
    with pytest.raises(OSError, match="no port from 11000 to 19999 is free"):
        ReplicaPorts().take(8080)
