"""The control API over the wire from Python: connect_control, and what it says where there is nothing to drive."""

from __future__ import annotations

import argparse
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TypeVar

import grpc
import pytest
from flyteidl2.app.app_payload_pb2 import CreateRequest
from google.protobuf.message import Message

from flyteapps.auth.commands import _client  # pyright: ignore[reportPrivateUsage]  # the client of `flyteapps login`
from flyteapps.endpoint import Endpoint
from flyteapps.testing import CallsDiffer, Control, ControlError, connect_control
from flyteapps_contract.targets.endpoint import Address
from flyteapps_control.remote import RemoteApi
from flyteapps_control.selection import AppName
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane

M = TypeVar("M", bound=Message)


@pytest.fixture(scope="module")
def plane() -> Iterator[FakeControlPlane]:
    """A plane with a manual clock, served in this process."""
    with FakeControlPlane(call_log=1_000, clock="manual") as made:
        made.serve()
        yield made


@pytest.fixture
def control(plane: FakeControlPlane) -> Iterator[Control]:
    """The control of that plane over the wire; everything is reset afterwards."""
    found = connect_control(plane.serve().url)
    yield found
    found.reset()


def _create(plane: FakeControlPlane, name: str) -> None:
    request = CreateRequest()
    identifier = request.app.metadata.id
    identifier.project, identifier.domain, identifier.name = "demo", "development", name
    request.app.spec.container.image = "example.org/hello:1"
    request.app.spec.desired_state = request.app.spec.DESIRED_STATE_ACTIVE
    plane.stub().create(request)


def test_grpcio_serves_it_too(plane: FakeControlPlane, control: Control) -> None:
    """On its port, beside AppService: rules, moves of the clock, and refusals."""
    with grpc.insecure_channel(plane.serve().grpc_target) as channel:

        def call(method: str, request: Message, response: type[M]) -> M:
            path = f"/flyteapps.control.v1.ControlService/{method}"
            made = channel.unary_unary(
                path, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
            )
            return made(request, timeout=60)

        rule = pb.Fault(rpc="Create", nth=1, fail=pb.Fault.Fail(code="UNAVAILABLE"))
        call("AddFaults", pb.AddFaultsRequest(faults=[rule]), pb.AddFaultsResponse)
        assert [each.rpc for each in control.faults.list()] == ["Create"]
        before = plane.clock.now
        request = pb.AdvanceClockRequest()
        request.duration.FromSeconds(5)
        call("AdvanceClock", request, pb.AdvanceClockResponse)
        assert (plane.clock.now - before).total_seconds() == 5
        with pytest.raises(grpc.RpcError, match="no RPC is called 'Crate': did you mean Create"):
            call("AddFaults", pb.AddFaultsRequest(faults=[pb.Fault(rpc="Crate", reset={})]), pb.AddFaultsResponse)


def test_faults_clock_calls_and_apps(plane: FakeControlPlane, control: Control) -> None:
    """The same objects as in process: a rule is added, applied, counted; time passes; calls are verified."""
    rule = control.faults.fail("Create", nth=1, code="UNAVAILABLE")
    with pytest.raises(Exception, match=f"fault {rule.id}: Create fails"):
        _create(plane, "hello")
    _create(plane, "hello")
    assert [(each.matched, each.applied) for each in plane.faults.list()] == [(2, 1)]
    began = control.clock.now
    assert control.clock.advance_until(app="hello", status="ACTIVE") > began
    assert control.clock.mode == "manual" and control.clock.now == plane.clock.now
    assert [each.code for each in control.calls.list("Create", app="hello")] == ["UNAVAILABLE", "OK"]
    control.calls.verify("Create", times=2)
    with pytest.raises(CallsDiffer, match="expected no call of Create, found 2"):
        control.calls.verify("Create", times=0)
    assert control.reset(app="hello") == 1
    assert control.faults.clear()[0].id == rule.id


def test_a_refusal_has_the_planes_code(control: Control) -> None:
    """The code and the message are the plane's, as in process."""
    with pytest.raises(ControlError, match="no RPC is called 'Creat'") as refused:
        control.faults.fail("Creat", code="UNAVAILABLE")
    assert refused.value.code == "INVALID_ARGUMENT"
    with pytest.raises(ControlError) as unknown:
        control.faults.remove("f99")
    assert unknown.value.code == "NOT_FOUND"


def test_no_server_is_named() -> None:
    """Where no server listens, the message has the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(ControlError, match=f"can't connect to http://127.0.0.1:{port} .*flyteapps serve") as refused:
        connect_control(f"127.0.0.1:{port}").faults.list()
    assert refused.value.code == "UNAVAILABLE"


class _Page(http.server.BaseHTTPRequestHandler):
    """A server of something else."""

    def do_POST(self) -> None:
        self.send_error(405)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as it is called
        pass


def test_a_server_of_something_else_is_named() -> None:
    """A server without the control API is no plane, whether it speaks HTTP or closes the connection."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(ControlError, match=r"no control API \(it answers with HTTP 405\)") as refused:
            connect_control(f"http://127.0.0.1:{server.server_port}/").clock.mode  # noqa: B018  # a call
        thread.join()
    assert refused.value.code == "UNIMPLEMENTED"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closing = threading.Thread(target=lambda: listening.accept()[0].close())
        closing.start()
        with pytest.raises(ControlError):
            connect_control(f"http://127.0.0.1:{listening.getsockname()[1]}").calls.clear()
        closing.join()


def test_a_silent_server_is_not_awaited_for_ever() -> None:
    """The timeout ends the wait for an answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        control = connect_control(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
        with pytest.raises(ControlError, match=r"has not answered within 0\.05 s") as late:
            control.faults.list()
    assert late.value.code == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("localhost:8090", "http://localhost:8090"),
        ("plane.localhost", "http://plane.localhost:80"),
        ("127.0.0.2:8090", "http://127.0.0.2:8090"),
        ("[::1]:8090", "http://[::1]:8090"),
        ("dns:///localhost:8090", "http://localhost:8090"),
        ("flyte.example.org", "https://flyte.example.org:443"),
        ("flyte.example.org:8090", "https://flyte.example.org:8090"),
        ("dns:///flyte.example.org", "https://flyte.example.org:443"),
        ("10.0.0.1:8090", "https://10.0.0.1:8090"),
        ("http://flyte.example.org", "http://flyte.example.org:80"),
        ("https://localhost:8090", "https://localhost:8090"),
    ],
)
def test_an_address_without_a_scheme_is_http_on_this_machine_and_https_elsewhere(endpoint: str, url: str) -> None:
    """As for `flyteapps login` and `flyteapps verify`."""
    assert RemoteApi(endpoint).url == url
    authority = Endpoint.parse(endpoint).authority
    given = argparse.Namespace(endpoint=endpoint, insecure=False, ca_cert=None)
    assert _client(given, None).settings.endpoint == f"{url.partition(':')[0]}://{authority}"
    address = Address.parse(endpoint)
    assert f"{'https' if address.tls else 'http'}://{address.authority}" == url


def test_a_project_is_shown_without_a_slash_at_its_end() -> None:
    """PROJECT/DOMAIN/NAME of an app, PROJECT/DOMAIN of a List, and nothing of what names none."""
    assert [str(AppName(*each)) for each in (("p", "d", "n"), ("p", "d"), ("p",), ())] == ["p/d/n", "p/d", "p", ""]


def test_a_server_without_tls_is_named(plane: FakeControlPlane) -> None:
    """A server without TLS says so, with the address to give."""
    url = plane.serve().url
    with pytest.raises(ControlError, match=f"speaks no TLS: give {url};") as refused:
        connect_control(url.replace("http:", "https:")).faults.list()
    assert refused.value.code == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("", "no host with a port"),
        ("ftp://localhost:8090", "scheme 'ftp'"),
        ("localhost:port", "no host with a port"),
        ("localhost:99999", "no host with a port"),
        ("http://localhost:8090/path", "more than a host and a port"),
        ("http://user:secret@localhost:8090", "more than a host and a port"),
        ("two words:8090", "no host with a port"),
    ],
)
def test_an_invalid_address_is_refused(endpoint: str, message: str) -> None:
    """An address that can't be is refused at once, without a password in the message."""
    with pytest.raises(ValueError, match=message) as refused:
        connect_control(endpoint)
    assert "secret" not in str(refused.value) and "http://localhost:8090" in str(refused.value)
    with pytest.raises(ValueError, match="timeout"):
        connect_control("localhost:8090", timeout=0)


def test_the_client_loads_no_testing_tools() -> None:
    """`import flyteapps`, and a client, load neither flyteapps.testing nor the control API."""
    program = (
        "import sys, flyteapps; flyteapps.Client('localhost:1', insecure=True);"
        "sys.exit(', '.join(m for m in sys.modules if m.startswith(('flyteapps.testing', 'flyteapps_control'))) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
