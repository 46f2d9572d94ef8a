"""Selection of calls by their headers and their caller: the same on every transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import grpc
import pytest
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.app.app_service_pb2_grpc import AppServiceStub

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import GET

from .messages import create, get, watch
from .server_process import HTTP, PATIENCE

Headers = Mapping[str, str]
Calling = Callable[[FakeControlPlane, Headers], None]


@pytest.fixture(scope="module")
def served() -> Iterator[FakeControlPlane]:
    """A served plane with an app."""
    with FakeControlPlane(clock="manual", org="flyte") as made:
        made.serve()
        made.stub().create(create("a"))
        yield made


@pytest.fixture
def plane(served: FakeControlPlane) -> Iterator[FakeControlPlane]:
    """The same plane, which is left without rules."""
    yield served
    served.faults.clear()


def in_process(plane: FakeControlPlane, headers: Headers) -> None:
    plane.stub().get(get("a"), headers=headers)


def awaited(plane: FakeControlPlane, headers: Headers) -> None:
    asyncio.run(plane.async_stub().get(get("a"), headers=headers))


def streamed(plane: FakeControlPlane, headers: Headers) -> None:
    stream = plane.stub().watch(watch("a"), headers=headers)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # as every open stream


def connect(plane: FakeControlPlane, headers: Headers) -> None:
    with AppServiceClientSync(plane.serve().url) as client:
        client.get(get("a"), headers=headers)


def connect_by_get(plane: FakeControlPlane, headers: Headers) -> None:
    with AppServiceClientSync(plane.serve().url) as client:
        client.get(get("a"), headers=headers, use_get=True)


def connect_stream(plane: FakeControlPlane, headers: Headers) -> None:
    with AppServiceClientSync(plane.serve().url) as client:
        next(iter(client.watch(watch("a"), headers=headers)))


def json(plane: FakeControlPlane, headers: Headers) -> None:
    body = {"appId": {"project": "p", "domain": "development", "name": "a"}}
    answer = HTTP.post(f"{plane.serve().url}/flyteidl2.app.AppService/Get", json=body, headers=dict(headers))
    if answer.status_code != 200:
        raise ValueError(answer.text)


def grpc_web(plane: FakeControlPlane, headers: Headers) -> None:
    with AppServiceClientSync(plane.serve().url, protocol=ProtocolType.GRPC_WEB) as client:
        client.get(get("a"), headers=headers)


def grpc_of_the_front(plane: FakeControlPlane, headers: Headers) -> None:
    _by_grpcio(f"127.0.0.1:{urlsplit(plane.serve().url).port}", headers)


def grpc_of_grpcio(plane: FakeControlPlane, headers: Headers) -> None:
    _by_grpcio(plane.serve().grpc_target, headers)


def _by_grpcio(target: str, headers: Headers) -> None:
    metadata = [(name.lower(), value) for name, value in headers.items()]  # which grpcio demands
    with grpc.insecure_channel(target) as channel:
        AppServiceStub(channel).Get(get("a"), timeout=PATIENCE, metadata=metadata)


TRANSPORTS: tuple[Calling, ...] = (
    *(in_process, awaited, streamed, connect, connect_by_get, connect_stream),
    *(json, grpc_web, grpc_of_the_front, grpc_of_grpcio),
)


def fails(calling: Calling, plane: FakeControlPlane, headers: Headers) -> bool:
    """Return whether a call gets the fault."""
    try:
        calling(plane, headers)
    except (ConnectError, grpc.RpcError, ValueError) as error:
        assert "for blue" in str(error)
        return True
    return False


@pytest.mark.parametrize("calling", TRANSPORTS, ids=lambda each: each.__name__)
def test_a_header_selects_on_every_transport(plane: FakeControlPlane, calling: Calling) -> None:
    """A rule is for calls with such a header, whatever the case of its name; also where answers are cached."""
    without = [fails(calling, plane, {}) for _ in range(2)]
    plane.faults.fail("*", code="ABORTED", message="for blue", headers={"X-Team": "blue-*"})
    given: tuple[Headers, ...] = ({}, {"X-Team": "red"}, {"x-team": "blue-1"}, {"X-Team": "blue-2"})
    assert [*without, *(fails(calling, plane, headers) for headers in given)] == [False] * 4 + [True] * 2
    [rule] = plane.faults.list()
    assert (rule.matched, rule.applied) == (2, 2)


def test_a_caller_selects(plane: FakeControlPlane) -> None:
    """A glob on the subject of an authenticated caller; a call without one has none."""
    plane.faults.fail("Get", code="ABORTED", caller="alice@*")
    codes: list[str] = []
    for caller in (None, "bob@example.org", "alice@example.org"):
        try:
            plane.call(Call(GET, get("a"), caller=caller))
            codes.append("OK")
        except RpcError as error:
            codes.append(error.code.name)
    assert codes == ["OK", "OK", "ABORTED"]
