"""The command: ports, stopping, access lines."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps.testing import connect_control

from .messages import create, get, watch
from .server_process import PATIENCE, ServerProcess, eventually

HOLD = """
import sys, grpc
from flyteidl2.app import app_definition_pb2 as d, app_payload_pb2 as p, app_service_pb2_grpc as g
stub = g.AppServiceStub(grpc.insecure_channel(sys.argv[1]))
request = p.WatchRequest(app_id=d.Identifier(org="flyte", project="p", domain="development", name="held"))
calls = [stub.Watch(request) for _ in range(5)]
for call in calls:
    next(call)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.matrix)])
def test_a_signal_ends_streams_with_unavailable(kind: str, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end open streams with UNAVAILABLE and the reason within 2 s, and the exit status is 0."""
    server = ServerProcess("--server", kind)
    ends: list[object] = []
    opened = {"connect": threading.Event(), "grpc": threading.Event()}

    def over_connect() -> None:
        try:
            with AppServiceClientSync(server.url) as client:
                for _ in client.watch(watch("a")):
                    opened["connect"].set()
        except ConnectError as error:
            ends.append((error.code, error.message))

    def over_grpc() -> None:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                for _ in app_service_pb2_grpc.AppServiceStub(channel).Watch(watch("a")):
                    opened["grpc"].set()
        except grpc.RpcError as error:
            ends.append((error.code(), error.details()))  # type: ignore[attr-defined]

    try:
        with AppServiceClientSync(server.url) as client:
            client.create(create("a"))
        threads = [threading.Thread(target=over_connect), threading.Thread(target=over_grpc)]
        for thread in threads:
            thread.start()
        assert all(each.wait(PATIENCE) for each in opened.values()), opened
    finally:
        status, seconds = server.stop(number)
    for thread in threads:
        thread.join(PATIENCE)
    assert status == 0, server.output
    assert seconds < server.soon
    why = "the server is shutting down"
    assert set(ends) == {(Code.UNAVAILABLE, why), (grpc.StatusCode.UNAVAILABLE, why)}, (ends, server.output)
    assert "Traceback" not in server.output, server.output


def test_a_client_that_dies_frees_its_streams(kind: str) -> None:
    """The streams of a client that was killed end within 5 s, though nothing happens on them."""
    server = ServerProcess("--server", kind, "--log-format", "json")
    try:
        with AppServiceClientSync(server.url) as client:
            client.create(create("held"))
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, f"127.0.0.1:{server.port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            holder.kill()
        eventually(lambda: server.output.count('"closed"') == 5, f"streams leaked: {server.output}")
    finally:
        server.stop()
    rows = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    notices = [row["notice"] for row in rows if "notice" in row and row["app"] == "held"]
    assert "PENDING" in notices
    row = next(row for row in rows if "method" in row)
    assert (row["method"], row["app"], row["code"]) == ("AppService/Create", "held", "OK")


def test_a_manual_clock_that_is_not_moved_is_shown(kind: str) -> None:
    """A client that waits for a clock which nothing moves is shown, with what would end its wait."""
    with ServerProcess("--server", kind, "--clock", "manual") as server, AppServiceClientSync(server.url) as client:
        client.create(create("held"))
        stream = iter(client.watch(watch("held")))
        next(stream)
        message = "waits for its next event: the simulated cluster reports its next state"
        eventually(lambda: message in server.output, f"no notice: {server.output}")
        connect_control(server.url).drop_streams()


def test_quiet_says_nothing_of_calls(kind: str) -> None:
    """--quiet prints no access lines, and nothing of an app's status."""
    server = ServerProcess("--server", kind, "-q")
    try:
        with AppServiceClientSync(server.url) as client:
            client.create(create("held"))
            with pytest.raises(ConnectError):
                client.get(get("a"))
    finally:
        server.stop()
    assert "AppService" not in server.output and "held" not in server.output


def test_a_failure_is_shown_with_its_reason() -> None:
    """The terminal shows each status of an app, why it failed, and that a client closed its stream."""
    server = ServerProcess("--scenario", "held=image-pull-error", "--speed", "100")
    try:
        with AppServiceClientSync(server.url) as client:
            client.create(create("held"))
            stream = client.watch(watch("held"))
            next(iter(stream))
            eventually(lambda: "held: FAILED" in server.output, server.output)
            del stream
        eventually(lambda: "AppService/Watch held closed" in server.output, server.output)
    finally:
        server.stop()
    assert re.search(r"^\S+ held: DEPLOYING/PULLING_IMAGE$", server.output, re.MULTILINE)
    assert re.search(r"^\S+ held: FAILED/IMAGE_PULL_ERROR: Failed to pull image", server.output, re.MULTILINE)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flyteapps_fake.cli.serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize("option", ["--port", "--console-port"])
def test_a_taken_port_is_named(kind: str, option: str) -> None:
    """A taken port ends the command with status 1 and a message that names it and the option."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = "--console-port" if option == "--port" else "--port"
        ended = run("--server", kind, option, str(port), other, "0")
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert option in ended.stderr


def test_a_wrong_setting_is_named() -> None:
    """A setting that can't be is status 1 with a plain message."""
    ended = run("--port", "0", "--console-port", "0", "--speed", "0")
    assert ended.returncode == 1
    assert "speed" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--pool", "default"], "default=east,west"),
        (["--pool", "=east"], "default=east,west"),
        (["--pool", "a=east", "--pool", "a=west"], "--pool a is given twice"),
        (["--data-plane", "real"], "--data-plane"),
        (["--lease-seconds", "0"], "lease_seconds"),
        (["--ingress-host", "a b"], "ingress_host"),
        (["--artifact", "bert"], "such as model=s3"),
        (["--scenario", "x"], "such as 'worker-*=crash-loop'"),
        (["--artifact", "bert=model"], "artifacts"),
        (["--missing-secret", "A", "--data-plane", "none"], "missing_secrets"),
        (["--prot", "9000"], "No such option '--prot'. Did you mean --port or "),
    ],
)
def test_a_wrong_option_is_named(options: list[str], word: str) -> None:
    """An invalid pool, data plane, lease, host or declared value is refused with an example of a valid one."""
    ended = run("--port", "0", "--console-port", "0", *options)
    assert ended.returncode != 0
    assert word in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("host", "word"),
    [("no.such.host.invalid", "--host no.such.host.invalid"), ("192.0.2.1", "can't listen on 192.0.2.1")],
)
def test_a_host_that_is_not_ours_is_named(host: str, word: str) -> None:
    """The error about an address that can't be listened on names its cause, not a taken port."""
    ended = run("--host", host, "--port", "0", "--console-port", "8471")
    assert ended.returncode == 1
    assert word in ended.stderr and "taken" not in ended.stderr and "Traceback" not in ended.stderr


def test_a_host_may_be_a_name(kind: str) -> None:
    """--host takes a name, too."""
    server = ServerProcess("--server", kind, "--host", "localhost")
    try:
        with AppServiceClientSync(server.url) as client:
            assert client.create(create("a")).app.metadata.revision == 1
    finally:
        assert server.stop()[0] == 0


def test_one_port_for_both_is_refused() -> None:
    """The API and the console can't share a port."""
    ended = run("--port", "8471", "--console-port", "8471")
    assert ended.returncode == 1
    assert "both 8471" in ended.stderr


def test_the_help_is_grouped_and_has_examples() -> None:
    """--help shows every option in a group, and examples of whole commands."""
    ended = run("--help")
    assert ended.returncode == 0, ended.stderr
    for text in ("TLS and access:", "--cors-origin ORIGIN", "Examples:", "flyteapps serve --port 0 --quiet"):
        assert text in ended.stdout, text


def test_a_closed_pipe_gives_no_traceback() -> None:
    """`flyteapps serve --help | head -0` writes nothing to standard error."""
    command = [sys.executable, "-m", "flyteapps_fake.cli.serve", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
