"""MockServer: a handler answers real clients over a socket, and can reset their connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from connectrpc.code import Code
from connectrpc.codec import proto_json_codec
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_service_connect import AppServiceClient

from flyteapps import Client, DeploymentStatus, PermissionDenied, Unavailable
from flyteapps.testing import SILENCE, Call, FaultyTransport, MockServer, faults
from flyteapps.testing.http_server import CUT
from flyteapps_fake import FakeControlPlane

from .conftest import SCOPE, Run
from .messages import app
from .scripted import created, state, updated

ACTIVE = state((DeploymentStatus.ACTIVE, "ready"), revision=1)
PENDING = state((DeploymentStatus.PENDING, ""), revision=1)
FOUND = payload.GetResponse(app=ACTIVE)
APP_ID = definition.Identifier(name="hello", **SCOPE)
STREAMS = {
    "list": [created(PENDING), updated(ACTIVE), SILENCE],
    "ended": [created(PENDING), updated(ACTIVE), EOFError()],
}


def at(server: MockServer) -> Client:
    """Return a client of the server, without retries."""
    return Client(server.url, retries=1, **SCOPE)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_handler_answers(run: Run, asynchronous: bool) -> None:
    """A response, an error that is returned or raised; calls are recorded with their headers and timeout."""

    def answer(call: Call) -> Any:
        if call.rpc == "Delete":
            raise ConnectError(Code.PERMISSION_DENIED, "read-only")
        return FOUND if call.app == "hello" else ConnectError(Code.UNAVAILABLE, "later")

    async def later(call: Call) -> Any:
        await asyncio.sleep(0)
        return answer(call)

    with MockServer(later if asynchronous else answer) as server, at(server) as client:
        assert run(client.apps.get, "hello").is_active()
        with pytest.raises(Unavailable, match="later"):
            run(client.apps.get, "other")
        with pytest.raises(PermissionDenied, match="read-only"):
            run(client.apps.delete, "hello")
        assert [(call.rpc, call.app, call.streaming) for call in server.calls] == [
            *(("Get", "hello", False), ("Get", "other", False), ("Delete", "hello", False))
        ]
        assert server.calls[0].headers["x-request-id"]
        assert run.awaiting or server.calls[0].timeout == pytest.approx(30, abs=1)


async def test_codecs() -> None:
    """Binary and JSON, plain and compressed, POST and GET are answered alike, errors too; requests can be chunked."""
    async with MockServer(lambda call: FOUND if call.app == "hello" else ConnectError(Code.NOT_FOUND, "no")) as server:
        for options in ({}, {"codec": proto_json_codec()}, {"send_compression": None}):
            async with AppServiceClient(server.url, **options) as client:  # pyright: ignore[reportArgumentType]
                for use_get in (False, True):
                    assert await client.get(payload.GetRequest(app_id=APP_ID), use_get=use_get) == FOUND
                    with pytest.raises(ConnectError, match="no") as caught:
                        await client.get(payload.GetRequest(), use_get=use_get)
                    assert caught.value.code is Code.NOT_FOUND
        async with httpx.AsyncClient() as client:
            path, headers = f"{server.url}/flyteidl2.app.AppService/Get", {"content-type": "application/json"}

            async def pieces() -> AsyncIterator[bytes]:
                yield b'{"appId": {"name": '
                yield b'"hello"}}'

            answered = await client.post(path, content=pieces(), headers=headers)
            assert answered.json()["app"]["metadata"]["id"]["name"] == "hello"
            assert (await client.post(f"{path}s", content=b"{}", headers=headers)).status_code == 404


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream(run: Run, kind: str) -> None:
    """Messages come in order; a stream ends, or stays open and silent until its client goes."""
    with MockServer(lambda call: STREAMS[kind] if call.streaming else FOUND) as server, at(server) as client:
        handle = client.apps.get("hello")
        assert run(handle.watch).is_active()
        changes = run.items(handle.events, most=1, timeout=0.5)
        assert len(changes) <= 1


async def test_a_client_that_leaves_ends_its_stream() -> None:
    """An async generator of the handler is closed, though it has nothing to send."""
    left = asyncio.Event()

    async def messages() -> AsyncIterator[Any]:
        try:
            yield created(PENDING)
            await asyncio.get_running_loop().create_future()
        finally:
            left.set()

    async with MockServer(lambda _: messages()) as server, AppServiceClient(server.url) as client:
        events = client.watch(payload.WatchRequest(app_id=APP_ID))
        assert await anext(events) == created(PENDING)
        await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]  # a generator, typed as an iterator
        await asyncio.wait_for(left.wait(), 10)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_connection_that_is_reset(run: Run, position: int) -> None:
    """ConnectionResetError is a reset, of a call and at any position of a stream; other connections stay."""
    reset = ConnectionResetError()
    streams = [[*[created(PENDING), updated(PENDING)][:position], reset], [created(ACTIVE), SILENCE]]

    def answer(call: Call) -> Any:
        return (
            streams.pop(0) if call.streaming else {"Delete": reset, "Get": payload.GetResponse(app=PENDING)}[call.rpc]
        )

    with MockServer(answer) as server, at(server) as client:
        with pytest.raises(Unavailable) as caught:
            run(client.apps.delete, "hello")
        assert caught.value.maybe_applied
        assert run(run(client.apps.get, "hello").watch, timeout=60).is_active()
        assert streams == []


@pytest.mark.parametrize(("answer", "error"), [(ZeroDivisionError("mine"), ZeroDivisionError), ("x", TypeError)])
def test_an_error_of_the_handler_fails_the_test(answer: Any, error: type[Exception]) -> None:
    """The client gets UNKNOWN, the test the error itself at the end of the server; but an error of the test stands."""

    def refused() -> None:
        with MockServer(lambda _: answer) as server, at(server) as client, pytest.raises(Exception, match="UNKNOWN"):
            client.apps.get("hello")

    def failing() -> None:
        with MockServer(lambda _: answer) as server, at(server) as client:
            client.apps.get("hello")

    with pytest.raises(error):
        refused()
    with pytest.raises(Exception, match="UNKNOWN"):
        failing()


@pytest.mark.parametrize("rule", [faults.fail, faults.reset], ids=["fail", "reset"])
def test_a_proxy_with_faults(plane: FakeControlPlane, run: Run, rule: Callable[..., Any]) -> None:
    """Calls and streams are passed on to another transport, through faults: for clients of any language."""
    options = {"code": "UNAVAILABLE"} if rule is faults.fail else {}
    transport = FaultyTransport(plane.transport(), [rule("Get", nth=2, **options), faults.cut("Watch", after=1, nth=1)])
    with MockServer(lambda call: call.send(transport)) as server, at(server) as client:
        made = run(client.apps.create, app())
        assert run(made.watch, timeout=60).is_active()
        assert run(client.apps.get, "hello").is_active() or transport.unapplied()
        assert [call.rpc for call in server.calls].count("Watch") == 2
    assert not plane.open_streams()


@pytest.mark.parametrize("gone", [ConnectionResetError, BrokenPipeError, ConnectionAbortedError])
async def test_a_client_that_has_gone_is_no_failure(gone: type[OSError]) -> None:
    """A write to it raises one of these, by the moment; the test that used the server fails for none."""
    server = MockServer(lambda call: None)

    async def application(*_: Any) -> None:
        raise gone

    vars(vars(server)["_service"])["_application"] = application
    async with server:
        await vars(server)["_server"]._app({CUT: lambda: None}, None, None)


def test_no_thread_is_left() -> None:
    """`with` ends its thread, also with a stream open; `async with` needs none."""
    before = threading.active_count()
    with MockServer(lambda _: [created(PENDING), SILENCE]) as server, httpx.Client() as client:
        body = b"\0\0\0\0\0"
        headers = {"content-type": "application/connect+proto"}
        path = f"{server.url}/flyteidl2.app.AppService/Watch"
        with client.stream("POST", path, content=body, headers=headers) as stream:
            assert next(stream.iter_raw())
            assert threading.active_count() == before + 1
    assert threading.active_count() == before

    async def go() -> None:
        async with MockServer(lambda _: FOUND) as server, AppServiceClient(server.url) as raw:
            assert await raw.get(payload.GetRequest(app_id=APP_ID)) == FOUND
            assert threading.active_count() <= before + 1  # the client's resolver of names may have one

    asyncio.run(go())
