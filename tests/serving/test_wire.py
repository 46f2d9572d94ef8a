"""Errors on the wire (ID-3), over real sockets of both servers."""

from __future__ import annotations

import gzip
import json
from typing import Any

import grpc
import pytest
from buf.validate import validate_pb2
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync

from .messages import create, get
from .server_process import HTTP, ServerProcess

PROTO = {"content-type": "application/proto"}
JSON = {"content-type": "application/json"}


def method(server: ServerProcess, name: str) -> str:
    return f"{server.url}/flyteidl2.app.AppService/{name}"


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


@pytest.fixture
def app(server: ServerProcess, request: pytest.FixtureRequest) -> str:
    """The name of an app that the server has."""
    name = request.node.name.split("[")[0].replace("_", "-")[:30].rstrip("-")
    with AppServiceClientSync(server.url) as client:
        client.create(create(name))
    return name


def test_connect_and_grpc_return_the_same_app(server: ServerProcess, app: str) -> None:
    """One port answers Connect and gRPC, compressed requests or not, with the same message."""
    with AppServiceClientSync(server.url) as client, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = app_service_pb2_grpc.AppServiceStub(channel)
        over_connect = client.get(get(app)).app.metadata
        assert over_connect.id.name == app
        assert stub.Get(get(app)).app.metadata == over_connect
        assert stub.Get(get(app), compression=grpc.Compression.Gzip).app.metadata == over_connect
        assert client.get(get(app), use_get=True).app.metadata == over_connect


def test_a_refusal_carries_code_message_and_details(server: ServerProcess) -> None:
    """A refusal's code, message and details arrive over Connect and gRPC."""
    bad = payload.GetRequest(app_id={"org": "flyte", "domain": "d", "name": "n"})
    with AppServiceClientSync(server.url) as client, pytest.raises(ConnectError) as over_connect:
        client.get(bad)
    assert over_connect.value.code == Code.INVALID_ARGUMENT
    violations = validate_pb2.Violations()
    assert over_connect.value.details[0].Unpack(violations)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError) as over_grpc:
        app_service_pb2_grpc.AppServiceStub(channel).Get(bad)
    error: Any = over_grpc.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == over_connect.value.message
    assert "grpc-status-details-bin" in dict(error.trailing_metadata())


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(b"\xff\xff\xff", PROTO, id="protobuf"),
        pytest.param(b"not gzip", PROTO | {"content-encoding": "gzip"}, id="gzip"),
        pytest.param(gzip.compress(b"x" * 99)[:-9], PROTO | {"content-encoding": "gzip"}, id="cut gzip"),
        pytest.param(b"{", JSON, id="json"),
        pytest.param(b'"\xff"', JSON, id="not utf-8"),
        pytest.param(
            b'{"app": {"spec": {"autoscaling": {"replicas": {"max": -1e999}}}}}', JSON, id="too small for one"
        ),
        pytest.param(b"not gzip", JSON | {"content-encoding": "gzip"}, id="gzip of json"),
    ],
)
def test_undecodable_bytes_are_the_callers_mistake(
    server: ServerProcess, content: bytes, headers: dict[str, str]
) -> None:
    """Undecodable bytes are INVALID_ARGUMENT, whatever they should have been."""
    answer = HTTP.post(method(server, "Get"), content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


@pytest.mark.parametrize(
    "part",
    [
        '"metadata": {"revision": Infinity}',
        '"metadata": {"revision": NaN}',
        '"metadata": {"revision": "Infinity"}',
        '"spec": {"desiredState": Infinity}',
        '"spec": {"desiredState": "\\ud800"}',
        '"spec": {"desiredState": -1e999}',
    ],
)
def test_a_number_that_is_no_integer_is_the_callers_mistake(server: ServerProcess, part: str) -> None:
    """An integer or an enum that is given no integer is INVALID_ARGUMENT in JSON, whatever Python makes of it."""
    content = f'{{"app": {{{part}}}}}'.encode()
    answer = HTTP.post(method(server, "Create"), content=content, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert "can't be decoded" in answer.json()["message"]


def test_undecodable_bytes_over_grpc(server: ServerProcess) -> None:
    """Undecodable bytes are INVALID_ARGUMENT over gRPC too."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/flyteidl2.app.AppService/Get")(b"\xff\xff\xff")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        pytest.param(gzip.compress(bytes(8_000_000)), "gzip", id="gzip bomb"),
        pytest.param(bytes(5_000_000), "identity", id="plain"),
    ],
)
def test_a_large_request_is_refused(server: ServerProcess, content: bytes, encoding: str) -> None:
    """More than 4 MiB after decompression is RESOURCE_EXHAUSTED, and the server stays well."""
    answer = HTTP.post(method(server, "Get"), content=content, headers=PROTO | {"content-encoding": encoding})
    assert answer.json()["code"] == "resource_exhausted"


def test_json_drops_unknown_fields(server: ServerProcess, app: str) -> None:
    """Unknown JSON fields are dropped."""
    request = {"appId": {"project": "p", "domain": "development", "name": app, "new": 1}, "newer": []}
    answer = HTTP.post(method(server, "Get"), json=request)
    assert answer.json()["app"]["metadata"]["id"]["name"] == app


def test_connect_get(server: ServerProcess, app: str) -> None:
    """Get answers Connect GET; a method with side effects says 405."""
    message = json.dumps({"appId": {"project": "p", "domain": "development", "name": app}})
    answer = HTTP.get(method(server, "Get"), params={"encoding": "json", "message": message})
    assert answer.json()["app"]["metadata"]["id"]["name"] == app
    assert HTTP.get(method(server, "Create")).status_code == 405


def test_unknown_methods_and_content_types(server: ServerProcess) -> None:
    """An unknown method is UNIMPLEMENTED (Connect: HTTP 404) and says so; a wrong content type is HTTP 415."""
    answer = HTTP.post(method(server, "Nope"), content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (404, "unimplemented")
    assert "is not offered: this stand-in" in answer.json()["message"]
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/flyteidl2.other.Service/Method")(b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
    assert "is not offered: this stand-in" in str(caught.value.details())  # type: ignore[attr-defined]
    wrong = HTTP.post(method(server, "Get"), content=b"x", headers={"content-type": "text/plain"})
    assert wrong.status_code == 415


def test_grpc_web(server: ServerProcess, app: str) -> None:
    """gRPC-Web answers on the same port."""
    answer = HTTP.post(
        method(server, "Get"),
        content=frame(get(app).SerializeToString()),
        headers={"content-type": "application/grpc-web+proto"},
    )
    size = int.from_bytes(answer.content[1:5], "big")
    assert payload.GetResponse.FromString(answer.content[5 : 5 + size]).app.metadata.id.name == app
    assert b"grpc-status: 0" in answer.content[5 + size :]
