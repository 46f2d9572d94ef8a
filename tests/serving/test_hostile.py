"""Clients that do what they should not: each gets an answer, and none keeps the server from ending."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_fake import FakeControlPlane, LeakedStreams

from .messages import create, get, watch
from .server_process import HTTP, PATIENCE, ServerProcess, eventually

GET = "/flyteidl2.app.AppService/Get"
WATCH = "/flyteidl2.app.AppService/Watch"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"half of it", id="half a request"),
        pytest.param(b"", id="an idle connection", marks=pytest.mark.matrix),
    ],
)
def test_a_client_that_hangs_does_not_keep_the_server(kind: str, body: bytes) -> None:
    """A signal ends the server soon, exit status 0, though a client neither reads, sends nor leaves."""
    server = ServerProcess("--server", kind)
    with socket.create_connection(("127.0.0.1", server.port)) as hanging:
        if body:
            fields = ("host: x", "content-type: application/connect+proto", "content-length: 99")
            hanging.sendall("\r\n".join((f"POST {WATCH} HTTP/1.1", *fields, "", "")).encode() + body)
        status, seconds = server.stop(signal.SIGTERM)
    assert status == 0, server.output
    assert seconds < server.soon
    assert "Traceback" not in server.output


def test_a_number_that_json_lacks_is_no_unknown_error(server: ServerProcess) -> None:
    """An app whose spec holds NaN is read in binary; in JSON, and on its page, it is refused with a reason."""
    request = create("nan")
    request.app.spec.pod.pod_spec.fields["x"].number_value = float("nan")
    with AppServiceClientSync(server.url) as client:
        client.create(request)
        assert client.get(get("nan")).app.metadata.revision == 1
    body = json.dumps({"appId": {"org": "flyte", "project": "p", "domain": "development", "name": "nan"}})
    answer = HTTP.post(server.url + GET, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["code"] == "invalid_argument", answer.text
    page = HTTP.get(f"{server.url}/v2/domain/development/project/p/apps/nan")
    assert page.status_code == 400 and "JSON" in page.text


def test_a_malformed_header_is_the_callers_mistake(server: ServerProcess) -> None:
    """A malformed grpc-timeout is INVALID_ARGUMENT, not a server's error."""
    headers = {"content-type": "application/grpc-web+proto", "grpc-timeout": "soon"}
    answer = HTTP.post(server.url + GET, content=b"\0\0\0\0\0", headers=headers)
    assert answer.status_code == 200 and b"grpc-status: 3" in answer.content, answer.content


def test_grpc_over_http_1_is_refused(server: ServerProcess) -> None:
    """gRPC needs trailers, hence HTTP/2: over HTTP/1.1 the answer says so."""
    answer = HTTP.post(server.url + GET, content=b"\0\0\0\0\0", headers={"content-type": "application/grpc+proto"})
    assert answer.status_code == 505 and "HTTP/2" in answer.text


def test_head_has_no_body(server: ServerProcess) -> None:
    """HEAD of a page gives its head alone."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        raw.settimeout(PATIENCE)
        received = b""
        while chunk := raw.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200") and received.endswith(b"\r\n\r\n"), received


def test_access_lines_tell_what_was_refused_and_stay_lines(kind: str) -> None:
    """A call that never reached a handler is logged with the code that it got; a client's words end no line."""
    server = ServerProcess("--server", kind)
    try:
        headers = {"content-type": "application/grpc-web+proto", "grpc-encoding": "klingon"}
        HTTP.post(server.url + GET, content=b"\x01\0\0\0\x01x", headers=headers)
        HTTP.post(server.url + "/a.B/C", content=b"", headers={"content-type": "application/proto"})
        with AppServiceClientSync(server.url) as client, pytest.raises(ConnectError) as refused:
            client.get(get("two\nlines \x1b[2J"))
        assert refused.value.code is Code.INVALID_ARGUMENT
        eventually(lambda: "two" in server.output, "no access line")
    finally:
        server.stop()
    assert "AppService/Get - UNIMPLEMENTED" in server.output
    assert "B/C - UNIMPLEMENTED" in server.output
    assert "two\\nlines\\x20\\x1b[2J" in server.output


@pytest.mark.slow
def test_a_reader_of_access_lines_that_stops_stops_no_call(kind: str) -> None:
    """After the last reader of the access lines stopped, calls go on, and the server still ends on a signal."""
    server = ServerProcess("--server", kind, reading=False)
    try:
        with AppServiceClientSync(server.url) as client:
            for _ in range(2_500):
                with pytest.raises(ConnectError):
                    client.get(get("a-name-that-fills-a-pipe-soon"), timeout_ms=60_000)
    finally:
        status, seconds = server.stop()
    assert status == 0 and seconds < server.soon


@pytest.mark.parametrize("over", ["Connect", "gRPC"])
def test_a_stream_leaked_over_a_wire_fails_the_test(over: str) -> None:
    """A stream that a remote client left open is found when the plane is closed."""
    plane = FakeControlPlane()
    server = plane.serve()
    plane.stub().create(create("a"))
    if over == "gRPC":
        channel = grpc.insecure_channel(server.grpc_target)
        stream = app_service_pb2_grpc.AppServiceStub(channel).Watch(watch("a"))
    else:
        stream = AppServiceClientSync(server.url).watch(watch("a"))
    next(iter(stream))
    with pytest.raises(LeakedStreams), plane:
        pass


def test_files_of_the_working_directory_are_not_imported(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of the user's that is called as one of the standard library doesn't get into the server."""
    for name in ("html", "secrets", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(tmp_path)
    server = ServerProcess("--server", kind)
    assert server.stop()[0] == 0, server.output
