"""The addresses of a server: both that localhost stands for, and its message if another program has the port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.app.app_service_pb2_grpc import AppServiceStub

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.servers import addresses, listener
from flyteapps_fake.servers.config import ServeConfig
from flyteapps_fake.servers.listener import AddressTaken, bound_sockets, listening_sockets

from .messages import create, get
from .server_process import HTTP, ServerProcess
from .test_command import run

with_ipv6 = pytest.mark.skipif("::1" not in listener.loopbacks(), reason="this machine has no IPv6")
BOTH = ("127.0.0.1", "[::1]", "localhost")


@pytest.fixture
def other() -> Iterator[int]:
    """A port of ::1 that another program has, and that is free on 127.0.0.1."""
    with socket.socket() as keeping, socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        port = taken.getsockname()[1]
        keeping.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeping.bind(("127.0.0.1", port))  # for us alone, who set the option, too
        taken.listen()
        yield port


@with_ipv6
def test_a_server_is_there_on_both(server: ServerProcess) -> None:
    """The API and the console answer on 127.0.0.1, on ::1 and on localhost, on the same ports."""
    for host in BOTH:
        assert HTTP.get(f"http://{host}:{server.port}/healthz").json()["status"] == "SERVING"
        assert HTTP.get(f"http://{host}:{server.console_port}/healthz").status_code == 200


@with_ipv6
def test_an_embedded_server_is_there_on_both() -> None:
    """Both ports of plane.serve() answer on each address that localhost stands for."""
    with FakeControlPlane() as plane:
        plane.stub().create(create("a"))
        server = plane.serve()
        for host in BOTH:
            with AppServiceClientSync(f"http://{host}:{server.port}") as client:
                assert client.get(get("a")).app.metadata.id.name == "a"
            with grpc.insecure_channel(f"{host}:{server.grpc_port}") as channel:
                assert AppServiceStub(channel).Get(get("a"), timeout=20).app.metadata.id.name == "a"


@with_ipv6
@pytest.mark.parametrize("option", ["--port", "--console-port"])
def test_another_program_on_one_of_them(kind: str, option: str, other: int) -> None:
    """A port that another program has on ::1 alone is refused: clients of localhost would reach that one."""
    ended = run("--server", kind, "--port", "0", "--console-port", "0", option, str(other))
    assert ended.returncode == 1
    assert f"port {other} of ::1 is taken by another program, where localhost leads, too" in ended.stderr
    assert f"{option} {other % 65_535 + 1}" in ended.stderr and ended.stderr.count("\n") == 1


@with_ipv6
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("0.0.0.0", marks=pytest.mark.matrix)])
def test_an_address_of_its_own_is_kept_to(kind: str, host: str, other: int) -> None:
    """--host 127.0.0.1 listens there alone; where localhost leads to another program, it says so and is named by it."""
    arguments = ("--server", kind, "--host", host, "--port", str(other), "--console-port", "0")
    with ServerProcess(*arguments, banner=r"https?://(?:localhost|127\.0\.0\.1):(\d+)") as server:
        assert f"another program has port {other} of ::1" in server.output
        assert f"endpoint: dns:///127.0.0.1:{other}" in server.output
        assert HTTP.get(f"http://127.0.0.1:{other}/healthz").json()["status"] == "SERVING"


@with_ipv6
def test_one_address_alone(kind: str) -> None:
    """--host ::1 listens there, and on nothing else."""
    arguments = ("--server", kind, "--host", "::1")
    with ServerProcess(*arguments, banner=r"https?://\[::1\]:(\d+)") as server:
        assert HTTP.get(f"http://[::1]:{server.port}/healthz").json()["status"] == "SERVING"
        with pytest.raises(httpx.ConnectError):
            HTTP.get(f"http://127.0.0.1:{server.port}/healthz")


@with_ipv6
def test_all_addresses_of_both_kinds(kind: str) -> None:
    """--host :: is all of IPv6 and of IPv4, on both servers."""
    with ServerProcess("--server", kind, "--host", "::") as server:
        for host in ("127.0.0.1", "[::1]"):
            assert HTTP.get(f"http://{host}:{server.port}/healthz").json()["status"] == "SERVING"
            assert HTTP.get(f"http://{host}:{server.console_port}/healthz").status_code == 200


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ::1, localhost is 127.0.0.1, without a message."""
    made = socket.socket

    def without_ipv6(family: int = -1, *arguments: Any, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return made(family, *arguments, **more)

    monkeypatch.setattr(listener.socket, "socket", without_ipv6)
    assert addresses.resolve("localhost") == ("127.0.0.1",)
    assert addresses.shadow(("127.0.0.1",), 1) is None
    with FakeControlPlane() as plane, AppServiceClientSync(plane.serve().url) as client:
        assert client.create(create("a")).app.metadata.revision == 1


def test_where_the_links_lead() -> None:
    """The message about a taken 8080: the SDK's links lead to 8080 for port 8090, else to the API itself."""
    assert "put 8090 for 8080" in addresses.no_console(8090)
    said = addresses.no_console(9000)
    assert "on port 9000, where the links lead" in said and "put" not in said


def test_a_console_port_that_is_taken(kind: str) -> None:
    """The usual console port taken by another program is no error; the pages are on the API's own port."""
    try:
        blocking = socket.create_server(("127.0.0.1", 8080))
    except OSError:
        blocking = None  # another program or test has it: all the better
    try:
        with ServerProcess("--server", kind, console_port=None, banner=r"https?://localhost:(\d+)") as server:
            assert f"so the console's pages are on port {server.port}, where the links lead" in server.output
            assert HTTP.get(f"http://localhost:{server.port}/v2/").status_code == 200
    finally:
        if blocking is not None:
            blocking.close()


def test_a_port_that_goes_meanwhile(capfd: pytest.CaptureFixture[str]) -> None:
    """A port that another program takes between our check and Envoy's start is named, and Envoy says nothing."""
    pytest.importorskip("pyvoy")
    from flyteapps_fake.servers.pyvoy import run_pyvoy

    socks = bound_sockets(("127.0.0.1",), 0)
    port = socks[0].getsockname()[1]
    config = ServeConfig(addresses=("127.0.0.1",), port=port, console_port=None, settings={})
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for sock in socks:
            sock.close()
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(AddressTaken, match=f"port {port} of 127.0.0.1"):
            asyncio.run(run_pyvoy(config, socks, [], lambda: None))
    assert capfd.readouterr() == ("", "")


def test_a_port_that_goes_before_it_listens() -> None:
    """A port that another program listens on between bind and listen is said to be taken, too."""
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", 0))
        port = thief.getsockname()[1]
        [sock] = bound_sockets(("127.0.0.1",), port)
        with sock:
            thief.listen()
            with pytest.raises(AddressTaken):
                listening_sockets(("127.0.0.1",), port)


def test_a_free_port_is_free_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A free port of one address that is taken on the other is passed over."""
    tried: list[int] = []
    made = listener.bound_socket

    def bound(address: str, port: int) -> socket.socket:
        if port:
            tried.append(port)
            if len(tried) < 5:
                raise AddressTaken(address, port)
        return made(address, port)

    monkeypatch.setattr(listener, "bound_socket", bound)
    socks = bound_sockets(("127.0.0.1", "127.0.0.2"), 0)
    assert len({sock.getsockname()[1] for sock in socks}) == 1 and len(tried) == 5
    for sock in socks:
        sock.close()
