"""Each RPC of each service, by each protocol: without credentials, and with a forged token, nothing gets in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.codec import proto_json_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from connectrpc.protocol import ProtocolType
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest

from auth.support import AUTH, app, bearer
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.operations import OPERATIONS, Operation
from flyteapps_fake.http.builtin.uploads import Uploads
from flyteapps_fake.http.endpoints import Duplex
from flyteapps_fake.http.table import table

PUBLIC = ("flyteidl2.auth.AuthMetadataService", "grpc.")
"""The beginnings of the services that need no caller."""


def _operations() -> list[Operation]:
    rows = table(FakeControlPlane(auth=AUTH), Uploads(), True).values()
    return [row.operation for row in rows if not isinstance(row, Duplex)]


EVERY = _operations()
CLOSED = [each for each in EVERY if not each.service.startswith(PUBLIC)]
OPEN = [each for each in EVERY if each.service.startswith(PUBLIC)]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeControlPlane, Any]]:
    """A plane with an app, and its server."""
    with FakeControlPlane(auth=AUTH) as plane, plane.serve() as server:
        plane.stub().create(CreateRequest(app=app("secret-app")), headers=bearer(plane, "alice"))
        yield plane, server


def _info(operation: Operation) -> MethodInfo[Any, Any]:
    return MethodInfo(
        name=operation.method,
        service_name=operation.service,
        input=operation.request,
        output=operation.response,
        idempotency_level=IdempotencyLevel.UNKNOWN,
    )


def _by_connectrpc(url: str, operation: Operation, headers: dict[str, str], **options: Any) -> Code | None:
    """Return the code of an RPC's error, None for none."""
    request, info = operation.request(), _info(operation)
    try:
        with ConnectClientSync(url, **options) as client:
            if operation.streaming:
                next(
                    iter(client.execute_server_stream(request=request, method=info, headers=headers, timeout_ms=60_000))
                )
            else:
                client.execute_unary(request=request, method=info, headers=headers, timeout_ms=60_000)
    except ConnectError as error:
        assert "secret-app" not in error.message
        assert error.code is not Code.UNAUTHENTICATED or not error.details
        return error.code
    return None


def _by_grpc(target: str, operation: Operation, headers: dict[str, str], seconds: float = 60.0) -> Code | None:
    """Return the code of an RPC's error by grpcio, None for none."""
    with grpc.insecure_channel(target) as channel:
        make: Any = channel.unary_stream if operation.streaming else channel.unary_unary
        call = make(operation.path, operation.request.SerializeToString, operation.response.FromString)
        try:
            answer = call(operation.request(), metadata=tuple(headers.items()), timeout=seconds)
            if operation.streaming:
                next(iter(answer))
        except grpc.RpcError as error:
            refused: Any = error
            assert "secret-app" not in refused.details()
            return Code(refused.code().value[1].replace(" ", "_").replace("cancelled", "canceled"))
    return None


PROTOCOLS: dict[str, dict[str, Any]] = {
    "connect": {},
    "connect-json": {"codec": proto_json_codec()},
    "grpc-web": {"protocol": ProtocolType.GRPC_WEB},
    "grpc": {},
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("operation", CLOSED, ids=lambda each: each.rpc)
def test_an_rpc_needs_a_caller(served: tuple[FakeControlPlane, Any], operation: Operation, protocol: str) -> None:
    """UNAUTHENTICATED, before anything of the request is looked at, and nothing of the app in the error."""
    plane, server = served
    forged = f"{plane.token('alice')[:-10]}AAAAAAAAAA"
    for headers in ({}, {"authorization": f"Bearer {forged}"}):
        if protocol == "grpc":
            code = _by_grpc(f"127.0.0.1:{server.port}", operation, headers)
        else:
            code = _by_connectrpc(server.url, operation, headers, **PROTOCOLS[protocol])
        assert code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("operation", OPEN, ids=lambda each: each.rpc)
def test_some_rpcs_need_none(served: tuple[FakeControlPlane, Any], operation: Operation) -> None:
    """Health, and how to log in."""
    _, server = served
    assert _by_connectrpc(server.url, operation, {}) is None
    assert _by_grpc(f"127.0.0.1:{server.port}", operation, {}) is None


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: each.rpc)
def test_grpcios_server_needs_a_caller(served: tuple[FakeControlPlane, Any], operation: Operation) -> None:
    """On its own port, unary and streams; a genuine token gets in."""
    plane, server = served
    for headers in ({}, {"authorization": "Bearer x.y.z"}):
        assert _by_grpc(server.grpc_target, operation, headers) is Code.UNAUTHENTICATED
    seconds = 0.3 if operation.streaming else 60.0  # a stream is open, and says nothing
    assert _by_grpc(server.grpc_target, operation, bearer(plane, "alice"), seconds) is not Code.UNAUTHENTICATED


@pytest.mark.parametrize(("subject", "expected"), [("alice", Code.ABORTED), ("vera", None)])
def test_rules_for_faults_choose_callers(
    served: tuple[FakeControlPlane, Any], subject: str, expected: Code | None
) -> None:
    """By a glob on the subject of a token, over each wire and without one."""
    plane, server = served
    get, request = OPERATIONS["/flyteidl2.app.AppService/Get"], GetRequest(app_id=app("secret-app").metadata.id)
    headers = bearer(plane, subject)
    plane.faults.fail("Get", code="ABORTED", caller="al*")

    def by(protocol: ProtocolType) -> object:
        with ConnectClientSync(server.url, protocol=protocol) as client:
            return client.execute_unary(request=request, method=_info(get), headers=headers)

    def by_grpcio() -> object:
        with grpc.insecure_channel(server.grpc_target) as channel:
            call = channel.unary_unary(get.path, request_serializer=GetRequest.SerializeToString)
            return call(request, metadata=tuple(headers.items()), timeout=60)

    try:
        assert _code(lambda: by(ProtocolType.CONNECT)) is expected
        assert _code(lambda: by(ProtocolType.GRPC_WEB)) is expected
        assert _code(by_grpcio) is expected
        assert _code(lambda: plane.stub().get(request, headers=headers)) is expected
    finally:
        plane.faults.clear()


def _code(call: Callable[[], object]) -> Code | None:
    try:
        call()
    except ConnectError as error:
        return error.code
    except grpc.RpcError as error:
        return Code(error.code().name.lower())  # type: ignore[attr-defined]  # of a call
    return None


def test_a_revoked_tokens_stream_over_http_ends(served: tuple[FakeControlPlane, Any]) -> None:
    """With UNAUTHENTICATED, at once."""
    plane, server = served
    token = plane.token("alice")
    operation = OPERATIONS["/flyteidl2.app.AppService/Watch"]
    info = _info(operation)
    request = operation.request(app_id=app("secret-app").metadata.id)
    with ConnectClientSync(server.url) as client:
        headers = {"authorization": f"Bearer {token}"}
        stream = client.execute_server_stream(request=request, method=info, headers=headers, timeout_ms=60_000)
        next(stream)
        plane.revoke_token(token)
        with pytest.raises(ConnectError, match="it was revoked") as ended:
            for _ in stream:
                pass
    assert ended.value.code is Code.UNAUTHENTICATED


def test_an_upload_stands_on_its_signature(served: tuple[FakeControlPlane, Any]) -> None:
    """Its URL is made for a caller; a client that has it needs no other credentials."""
    plane, server = served
    body = {"project": "demo", "domain": "development", "filename": "a.txt", "contentMd5": "XUFAKrxLKna5cZ2REBfFkg=="}
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        path = "/flyteidl2.dataproxy.DataProxyService/CreateUploadLocation"
        answer = http.post(path, json=body, headers=bearer(plane, "bob")).json()
        headers = {"content-md5": body["contentMd5"]}
        assert http.put(answer["signedUrl"], content=b"hello", headers=headers).status_code == 200
        assert http.put(f"{answer['signedUrl']}0", content=b"hello").status_code == 403
