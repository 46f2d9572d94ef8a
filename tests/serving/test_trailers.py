"""A refusal's trailers: clients of gRPC take 8,192 bytes of them, and fail some of the calls above that."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from buf.validate import validate_pb2
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.app.app_service_pb2_grpc import AppServiceStub
from google.rpc.status_pb2 import Status

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.errors import MAX_TRAILER_BYTES, Code, RpcError
from flyteapps_fake.http.protocol.wire import grpc_trailers

from .messages import create
from .raw_http2 import RawHttp2
from .server_process import ServerProcess
from .test_edges import CREATE, GRPC, frame

CALLS = 25
ENTRY_BYTES = 32
"""Bytes that HTTP/2 counts for a header besides its name and its value."""
TEXTS = {"plain": "a" * 300, "not ASCII": "é日本" * 300, "percent": "%\n" * 500}


def broken(text: str = "", inputs: int = 15) -> payload.CreateRequest:
    """Return a Create of which each input breaks two rules, with `text` wherever one goes."""
    request = create("a")
    for number in range(inputs):
        request.app.spec.inputs.items.add()
        request.app.metadata.labels[f"{text}{number}"] = text
    if text:
        request.app.metadata.id.name = request.app.metadata.id.project = text
    return request


def size(trailers: list[tuple[str, bytes]]) -> int:
    return sum(len(name) + len(value) + ENTRY_BYTES for name, value in trailers)


@pytest.fixture(scope="module", params=["portable", "pyvoy", "grpcio"])
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """The gRPC target of each server, and of grpcio's own."""
    if request.param == "grpcio":
        with FakeControlPlane() as plane:
            yield plane.serve().grpc_target
        return
    if request.param == "pyvoy":
        pytest.importorskip("pyvoy")
    with ServerProcess("--server", request.param, "--quiet") as server:
        yield f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_many_violations_over_grpcio(target: str, text: str) -> None:
    """A Create with 15 broken inputs is INVALID_ARGUMENT each time, and its details are those of the message."""
    with grpc.insecure_channel(target) as channel:
        stub = AppServiceStub(channel)
        request = broken(text)
        refusals: list[Any] = []
        for _ in range(CALLS):
            with pytest.raises(grpc.RpcError) as refused:
                stub.Create(request, timeout=20)
            refusals.append(refused.value)
        assert {each.code() for each in refusals} == {grpc.StatusCode.INVALID_ARGUMENT}, refusals
        carried = dict(refusals[0].trailing_metadata())["grpc-status-details-bin"]
        status = Status.FromString(carried)
        assert (status.code, status.message) == (int(Code.INVALID_ARGUMENT), refusals[0].details())
        violations = validate_pb2.Violations()
        assert status.details[0].Unpack(violations) and len(violations.violations) >= 10


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_bytes_on_the_wire(server: ServerProcess, text: str) -> None:
    """All headers and trailers of the answer together stay below 8,192 bytes, whatever the request had."""
    with RawHttp2(server.port) as raw:
        headers = {"x-request-id": "r" * 128}
        answer = raw.answer(raw.asked(CREATE, GRPC, frame(broken(text).SerializeToString()), headers))
    assert answer.grpc_status == "3"
    both = [*answer.headers.items(), *answer.trailers.items()]
    assert size([(name, value.encode()) for name, value in both]) < 8_192
    status = Status.FromString(b64decode(answer.trailers["grpc-status-details-bin"] + "=="))
    assert status.details


@pytest.mark.parametrize("text", ["a", "é", "日", "\U0001f600", "%", "\n", "\ud800"])
@pytest.mark.parametrize("violations", [0, 1, 20, 1_000])
def test_any_refusal_is_bounded(text: str, violations: int) -> None:
    """A message of any characters, with details of any size, has trailers that every client takes."""
    details = validate_pb2.Violations(violations=[validate_pb2.Violation(message="m" * 100)] * violations)
    for length in (1, 1_999, 2_000, 100_000):
        error = RpcError(Code.INVALID_ARGUMENT, text * length, (details,))
        trailers = [(name.decode(), value) for name, value in grpc_trailers(error)]
        assert size(trailers) <= MAX_TRAILER_BYTES
        assert bool(error.details) == (violations <= 20)
        assert error.message[0] == text or text == "\ud800"
        assert length < 3_000 or error.message.endswith("more characters)")


def test_in_process_says_the_same() -> None:
    """The direct transport cuts as the wire does, so that a test sees what production would."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        with AppServiceClientSync(server.url) as client:
            said: list[tuple[str, int]] = []
            for create_one in (client.create, plane.stub().create):
                with pytest.raises(ConnectError) as refused:
                    create_one(broken(TEXTS["not ASCII"]))
                said.append((refused.value.message, len(refused.value.details)))
    assert said[0] == said[1]
