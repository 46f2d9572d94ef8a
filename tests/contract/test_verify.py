"""`flyteapps verify`: what it says of endpoints that it can't judge, what it leaves behind, and its reports."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from rich.console import Console

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.checks.support.registry import CHECKS, Check
from flyteapps_contract.cli import verify
from flyteapps_contract.outcomes import Broken, CannotJudge, Verdict
from flyteapps_contract.profiles import DIRECTED
from flyteapps_contract.session import Limits, Run, Session
from flyteapps_contract.targets.endpoint import Access, Address, EndpointTarget
from flyteapps_contract.targets.wire import Wire
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.servers.embedded import EmbeddedServer


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """Return a plane of org acme on a fast clock of its own."""
    with FakeControlPlane(org="acme", clock="realtime", speed=10.0) as fresh:
        yield fresh


@pytest.fixture
def server(plane: FakeControlPlane) -> EmbeddedServer:
    """Return the plane behind a port."""
    return plane.serve()


def names(plane: FakeControlPlane) -> list[str]:
    """Return the names of all apps."""
    return [app.metadata.id.name for app in plane.stub().list(rpc.ListRequest()).apps]


def judged(server: EmbeddedServer, body: object, run: Run, monkeypatch: pytest.MonkeyPatch) -> verify.Summary:
    """Return what a run of one check of CR-2 with that body comes to."""
    check = Check("the_check", ("CR-2",), (), "It must hold.", body)  # type: ignore[arg-type]  # a check's body

    def checks_of(guarantee: str) -> list[Check]:
        return [check]

    monkeypatch.setattr(verify, "checks_of", checks_of)
    target = EndpointTarget(Address.parse(server.url))
    return verify.run_checks(target, [BY_ID["CR-2"]], run, Console(quiet=True), profile=DIRECTED)


@pytest.mark.parametrize(
    ("endpoint", "word"),
    [
        ("http://localhost:1/x", "path"),
        ("ftp://localhost", "ftp"),
        ("", "host"),
        ("host:port", "Port"),
        ("a b", "host"),
    ],
)
def test_what_is_no_endpoint(endpoint: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid endpoint is refused with a reason, status 2."""
    assert verify.main([endpoint]) == 2
    assert word in capsys.readouterr().err


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """A port without a listener: status 2, and what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    for protocol in ("connect", "grpc"):
        assert verify.main([f"127.0.0.1:{port}", "--protocol", protocol]) == 2
        assert "is it running" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "word"), [("200 OK", "something answers, but"), ("401 Unauthorized", "authentication")]
)
def test_something_else_answers(status: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that speaks something else, or asks who is there: status 2, and what it seems to be."""
    with socket.create_server(("127.0.0.1", 0)) as sock:

        def answer() -> None:
            connection, _ = sock.accept()
            with connection:
                connection.recv(65536)
                answer = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi"
                connection.sendall(answer.encode())

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert verify.main([f"127.0.0.1:{sock.getsockname()[1]}"]) == 2
        thread.join(10)
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--only", "XX-1"], "there are ID-1"),
        (["--header", "no colon"], "name: value"),
        (["--failing-label", "x"], "key=value"),
        (["--prefix", "UP"], "lower-case"),
        (["--ca-cert", "/no/such/file"], "can't be read"),
    ],
)
def test_bad_options(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that makes no sense is named before anything is called."""
    assert verify.main(["localhost:1", *arguments]) == 2
    assert word in capsys.readouterr().err


def test_a_dry_run_calls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run lists the checks without an endpoint that answers."""
    assert verify.main(["localhost:1", "--dry-run", "--only", "CR"]) == 0
    said = capsys.readouterr().out
    assert "CR-2" in said and "nothing was called" in said


def test_a_run_leaves_nothing_and_reports(plane: FakeControlPlane, server: EmbeddedServer, tmp_path: Path) -> None:
    """One guarantee is judged; JUnit and JSON agree; apps of others stay, the run's own are gone."""
    other = rpc.CreateRequest()
    other.app.metadata.id.project, other.app.metadata.id.domain, other.app.metadata.id.name = "p", "d", "other"
    other.app.spec.container.image = "x"
    plane.stub().create(other)
    junit, as_json = tmp_path / "junit.xml", tmp_path / "run.json"
    chosen = ["--profile", "directed", "--only", "CR-2", "--only", "LI-6"]
    arguments = [server.url, *chosen, "--junit", str(junit), "--json", str(as_json)]
    assert verify.main(arguments) == 0
    assert names(plane) == ["other"]
    suite = ElementTree.parse(junit).getroot()[0]
    assert [case.get("name") for case in suite] == ["CR-2", "LI-6"]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    run = json.loads(as_json.read_text())
    assert run["exit_code"] == 0 and run["counts"]["holds"] == 1
    assert run["guarantees"][0]["checks"][0]["verdict"] == "holds"


def test_the_prefix_is_taken(
    plane: FakeControlPlane, server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prefix that exists is refused, and --clean removes what has it, running or not, and nothing else."""
    with Session(EndpointTarget(Address.parse(server.url)).plane(), Run(prefix="fctaken", org="acme")) as session:
        session.given()
        session.given_stopped()
        session._created.clear()  # pyright: ignore[reportPrivateUsage]  # as a run that was killed
    session = Session(EndpointTarget(Address.parse(server.url)).plane(), Run(prefix="fcother", org="acme"))
    session.given_stopped()
    session._created.clear()  # pyright: ignore[reportPrivateUsage]  # as a run that was killed
    session.close()
    assert verify.main([server.url, "--prefix", "fctaken", "--only", "CR-2"]) == 2
    assert "--clean fctaken" in capsys.readouterr().err
    assert verify.main([server.url, "--clean", "fctaken"]) == 0
    assert capsys.readouterr().out.count("removed") == 2
    assert [name.partition("-")[0] for name in names(plane)] == ["fcother"]


def test_a_plane_that_dies_is_no_verdict(
    plane: FakeControlPlane, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plane that dies in the middle breaks no guarantee: not judged, status 2, and what may be left is said."""

    def body(session: Session) -> None:
        session.given_stopped()
        server.close()
        session.given_stopped()

    summary = judged(server, body, Run(prefix="fcdies"), monkeypatch)
    assert summary.exit_code == 2
    assert summary.lines[0].verdict is Verdict.UNJUDGED
    assert "was gone after the_check" in summary.trouble and "--clean fcdies" in summary.trouble


def test_ctrl_c_cleans_up(plane: FakeControlPlane, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a check removes the run's apps and ends with status 2."""

    def body(session: Session) -> None:
        session.given()
        raise KeyboardInterrupt

    summary = judged(server, body, Run(prefix="fcbreak"), monkeypatch)
    assert (summary.exit_code, summary.trouble) == (2, "interrupted")
    assert names(plane) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_cleanly(plane: FakeControlPlane, server: EmbeddedServer, number: int) -> None:
    """A run in a process of its own that receives SIGTERM says so, exits with 2, and leaves no app."""
    command = [sys.executable, "-m", "flyteapps.cli", "verify", server.url, "--only", "WA"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 150
    while not names(plane) and time.monotonic() < deadline:
        pass
    running.send_signal(number)
    said, _ = running.communicate(timeout=200)
    assert running.returncode == 2 and "interrupted" in said, said
    assert names(plane) == []


def test_a_broken_guarantee_is_status_1(
    plane: FakeControlPlane, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that says broken: status 1, with its reason."""

    def body(session: Session) -> None:
        raise Broken("it does not hold")

    summary = judged(server, body, Run(prefix="fcbroken"), monkeypatch)
    assert summary.exit_code == 1
    assert summary.lines[0].reasons() == ["the_check: it does not hold"]


def test_limits(plane: FakeControlPlane, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that needs more apps than a run may have is not offered."""

    def body(session: Session) -> None:
        for _ in range(3):
            session.given_stopped()

    summary = judged(server, body, Run(prefix="fcfew", limits=Limits(apps=2)), monkeypatch)
    assert summary.lines[0].verdict is Verdict.NOT_OFFERED
    assert "2 apps" in summary.lines[0].reasons()[0]


@pytest.mark.parametrize(
    ("text", "insecure", "url"),
    [
        ("localhost:8090", False, "http://localhost:8090"),
        ("dns:///localhost:8090", False, "http://localhost:8090"),
        ("[::1]:80", False, "http://[::1]:80"),
        ("plane.example:443", False, "https://plane.example:443"),
        ("plane.example:80", True, "http://plane.example:80"),
        ("https://plane.example", False, "https://plane.example:443"),
        ("http://plane.example/", False, "http://plane.example:80"),
    ],
)
def test_endpoints(text: str, insecure: bool, url: str) -> None:
    """Plaintext where the scheme or --insecure says so, or the host is this machine; else TLS."""
    address = Address.parse(text, insecure)
    assert Wire(address.authority, address.tls).url == url


def test_grpc_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without grpcio, gRPC is refused with the extra's name."""
    monkeypatch.setitem(__import__("sys").modules, "grpc", None)
    with pytest.raises(CannotJudge, match=r"flyteapps\[grpc\]"):
        EndpointTarget(Address.parse("localhost:1"), "grpc", Access()).link()


def test_checks_are_registered_by_name() -> None:
    """The table of checks has their names as keys."""
    assert all(name == check.name for name, check in CHECKS.items())
