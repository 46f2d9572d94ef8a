"""The environment of the command: variables, folders, closed files, the end of its terminal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from .messages import get
from .server_process import HTTP, ServerProcess, eventually
from .test_command import run
from .test_edges import GET, PROTO

SERVE = (sys.executable, "-P", "-m", "flyteapps_fake.cli.serve")


def answers(server: ServerProcess) -> bool:
    """Return whether the server answers a call."""
    answer = HTTP.post(server.url + GET, content=get("none").SerializeToString(), headers={"content-type": PROTO})
    return answer.json()["code"] == "not_found"


@pytest.mark.parametrize("variable", ["PORT", "CONSOLE_PORT", "INGRESS_PORT"])
def test_a_service_of_kubernetes_is_no_option(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """FLYTEAPPS_PORT=tcp://..., as set for a Service called flyteapps, is ignored with a note; so are its siblings."""
    monkeypatch.setenv(f"FLYTEAPPS_{variable}", "tcp://10.96.12.7:8090")
    for each in ("SERVICE_HOST", "SERVICE_PORT", "PORT_8090_TCP", "PORT_8090_TCP_PORT"):
        monkeypatch.setenv(f"FLYTEAPPS_{each}", "10.96.12.7")
    ended = run("--speed", "0")
    assert f"FLYTEAPPS_{variable}=tcp://10.96.12.7:8090 is what Kubernetes sets for a Service" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("flyteapps: ") and "speed" in ended.stderr.splitlines()[-1]
    assert ended.stderr.count("\n") == 2


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "http://x:1"), ("PORT", "8090/tcp"), ("CLOCK", "tcp"), ("QUIET", "perhaps"), ("POOL", "east")],
)
def test_a_bad_variable_is_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other value that an option can't have is refused, by the variable's name."""
    monkeypatch.setenv(f"FLYTEAPPS_{variable}", value)
    ended = run("--console-port", "0")
    assert ended.returncode == 2
    assert f"FLYTEAPPS_{variable}" in ended.stderr and "Traceback" not in ended.stderr


def test_a_long_folder_for_temporary_files(kind: str, tmp_path: Path) -> None:
    """A TMPDIR in which no Unix socket could have a path is no obstacle, and nothing is left behind."""
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    with ServerProcess("--server", kind, env={**os.environ, "TMPDIR": str(folder)}) as server:
        assert answers(server)
        assert server.stop()[0] == 0, server.output
    assert not list(folder.iterdir())


def test_nothing_is_kept_in_folders(kind: str, tmp_path: Path) -> None:
    """A server that runs has no files any more, so that one which is killed leaves none."""
    with ServerProcess("--server", kind, env={**os.environ, "TMPDIR": str(tmp_path)}) as server:
        assert answers(server)
        assert not list(tmp_path.iterdir())
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


def test_a_working_directory_that_is_gone(kind: str, tmp_path: Path) -> None:
    """It serves from a directory that was deleted."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with ServerProcess("--server", kind, shell='rmdir "$PWD"', cwd=gone) as server:
        assert answers(server)
        assert server.stop()[0] == 0, server.output


def test_a_certificate_beneath_a_directory_that_is_gone(tmp_path: Path) -> None:
    """An option that needs the directory fails with one sentence."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    command = ["sh", "-c", script, "sh", *SERVE, "--tls-cert", "cert.pem", "--tls-key", "key.pem"]
    ended = subprocess.run(command, cwd=gone, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 1 and ended.stderr.startswith("flyteapps: --tls-cert cert.pem: No such file")
    assert ended.stderr.count("\n") == 1


def test_the_end_of_the_terminal_ends_the_server(kind: str, tmp_path: Path) -> None:
    """SIGHUP is taken as SIGTERM is: status 0, and nothing is left behind."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where these tests themselves run under nohup
    try:
        server = ServerProcess("--server", kind, env={**os.environ, "TMPDIR": str(tmp_path)})
    finally:
        signal.signal(signal.SIGHUP, inherited)
    status, seconds = server.stop(signal.SIGHUP)
    assert (status, list(tmp_path.iterdir())) == (0, []), server.output
    assert seconds < server.soon and "Traceback" not in server.output


SIGNALLED = """
import contextlib, os, signal, sys
from flyteapps_fake.servers import run_folder as module
original = module.run_folder
@contextlib.contextmanager
def run_folder():
    with original() as folder:
        os.kill(os.getpid(), signal.SIGHUP)
        yield folder
module.run_folder = run_folder
from flyteapps_fake.cli.serve import main
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(main())
"""
"""A server whose terminal ends as soon as it has a folder."""


def test_the_end_of_the_terminal_during_the_start(tmp_path: Path) -> None:
    """A signal that comes while there is a folder, and no child yet, leaves no folder behind."""
    pytest.importorskip("pyvoy")
    command = [sys.executable, "-P", "-c", SIGNALLED, "--port", "0", "--console-port", "0", "--server", "pyvoy"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert (ended.returncode, list(tmp_path.iterdir())) == (0, []), ended.stderr


def test_nohup_is_respected(kind: str) -> None:
    """If SIGHUP is ignored, as under nohup, the server goes on."""
    with ServerProcess("--server", kind, shell="trap '' HUP") as server:
        os.killpg(server.process.pid, signal.SIGHUP)
        assert answers(server)
        assert server.process.poll() is None
        assert server.stop()[0] == 0


def calls(port: int) -> bool:
    """Return whether a server answers a call there."""
    try:
        return HTTP.post(f"http://127.0.0.1:{port}{GET}", json={}).status_code == 400
    except httpx.HTTPError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.parametrize("reader", ["head -1", pytest.param("true", marks=pytest.mark.matrix)])
def test_a_reader_that_leaves(kind: str, reader: str, tmp_path: Path) -> None:
    """`flyteapps serve | head -1` goes on serving after head has left, and says nothing of it."""
    port = free_port()
    script = f'"$@" 2>"$ERRORS" | {reader}'
    command = ["sh", "-c", script, "sh", *SERVE, "--port", str(port), "--console-port", "0", "--server", kind]
    errors = tmp_path / "errors"
    environment = {**os.environ, "ERRORS": str(errors)}
    shell = subprocess.Popen(command, stdout=subprocess.DEVNULL, process_group=0, env=environment)
    try:
        eventually(lambda: calls(port), "it does not serve")
        assert all(calls(port) for _ in range(20))
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(150)
    eventually(lambda: not calls(port), "it does not end")
    assert "Traceback" not in errors.read_text() and "Exception" not in errors.read_text()


def test_closed_standard_files(kind: str) -> None:
    """A server whose standard output and error are closed serves, and no socket gets their numbers."""
    port = free_port()
    command = [*SERVE, "--port", str(port), "--console-port", "0", "--server", kind]
    process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], process_group=0)
    try:
        eventually(lambda: calls(port), "it does not serve")
        assert all(calls(port) for _ in range(20))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(150) == 0


def test_a_request_id_is_in_the_line(kind: str) -> None:
    """x-request-id of a request stands in its line of --log-format json."""
    with ServerProcess("--server", kind, "--log-format", "json") as server:
        headers = {"content-type": PROTO, "x-request-id": "it-is-me"}
        HTTP.post(server.url + GET, content=get("none").SerializeToString(), headers=headers)
        assert answers(server)
        eventually(lambda: server.output.count("NOT_FOUND") == 2, "no lines")
        lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
        assert [line["request_id"] for line in lines] == ["it-is-me", ""]


def test_the_folder_for_the_start_is_private() -> None:
    """Only the user that starts a server can reach the sockets by which it is started."""
    from flyteapps_fake.servers.run_folder import run_folder

    with run_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.is_relative_to(tempfile.gettempdir())
