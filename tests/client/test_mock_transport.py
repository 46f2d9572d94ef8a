"""MockTransport: what a handler can answer, blocking and awaiting, and which answers are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import App, AppNotFound, Client, DeploymentStatus, PermissionDenied
from flyteapps.testing import SILENCE, Call, MockTransport
from flyteapps_fake import FakeControlPlane

from .conftest import SCOPE, Run
from .messages import app
from .scripted import created, state, updated

ACTIVE = state((DeploymentStatus.ACTIVE, "ready"), revision=1)
PENDING = state((DeploymentStatus.PENDING, ""), revision=1)


def always(answer: Any) -> Callable[[Call], Any]:
    """Return a handler that gives the same answer to each call."""
    return lambda call: answer


def client_of(handler: Callable[[Call], Any]) -> Client:
    """Return a client whose calls the handler answers."""
    return Client(transport=MockTransport(handler), retries=1, **SCOPE)


def test_a_message_and_an_error(run: Run) -> None:
    """A response is returned, an error is raised, whether returned or raised by the handler."""
    assert run(client_of(always(payload.GetResponse(app=ACTIVE))).apps.get, "hello").is_active()
    with pytest.raises(AppNotFound, match="gone"):
        run(client_of(always(ConnectError(Code.NOT_FOUND, "gone"))).apps.get, "hello")

    def raising(call: Call) -> Any:
        raise ConnectError(Code.NOT_FOUND, f"no {call.app}")

    with pytest.raises(AppNotFound, match="no hello"):
        run(client_of(raising).apps.get, "hello")


def test_the_handler_sees_the_call(run: Run) -> None:
    """RPC, app, request, timeout and headers; they are recorded, too."""
    client = Client(transport=MockTransport(always(payload.GetResponse(app=ACTIVE))), timeout=5, **SCOPE)
    run(client.apps.get, "hello")
    transport: Any = client.transport
    [call] = transport.calls
    assert (call.rpc, call.app, call.request.app_id.project, call.timeout) == ("Get", "hello", "demo", 5)
    assert call.headers["x-request-id"]
    assert (call.streaming, call.awaiting) == (False, run.awaiting)


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "ended"])
def test_a_stream_of_an_iterable(run: Run, silent: bool) -> None:
    """Messages come in order; a generator is run as it is read, and closed with the stream."""
    closed: list[bool] = []

    def events(_: Call) -> Iterator[Any]:
        try:
            yield created(PENDING)
            yield updated(ACTIVE)
            if silent:
                yield SILENCE
        finally:
            closed.append(True)

    assert run(App(PENDING, client_of(events)).watch).is_active()
    assert closed == [True]


def test_a_stream_that_ends_with_an_error(run: Run) -> None:
    """An exception among the messages is raised; the client opens another stream."""
    scripts = [[created(PENDING), ConnectError(Code.UNAVAILABLE, "broken")], [created(ACTIVE)]]
    client = client_of(lambda call: scripts.pop(0))
    assert run(App(PENDING, client).watch).is_active()
    assert scripts == []


def test_async_answers() -> None:
    """A handler may be async, and a stream an async iterable, where calls are awaited."""

    async def events() -> AsyncIterator[Any]:
        yield created(PENDING)
        await asyncio.sleep(0)
        yield updated(ACTIVE)
        yield SILENCE

    async def response() -> Any:
        await asyncio.sleep(0)
        return payload.GetResponse(app=PENDING)

    def answer(call: Call) -> Any:
        return events() if call.streaming else response()

    async def main() -> None:
        handle = await client_of(answer).apps.get.aio("hello")
        assert (await handle.watch.aio()).is_active()

    asyncio.run(main())
    with pytest.raises(TypeError, match="has to be awaited"):
        client_of(answer).apps.get("hello")
    with pytest.raises(TypeError, match="has to be awaited"):
        App(PENDING, client_of(answer)).watch()


def test_other_answers_are_refused(run: Run) -> None:
    """TypeError names the RPC, and what is wanted and what was given."""
    with pytest.raises(TypeError, match="answer Get by a GetResponse, not by NoneType"):
        run(client_of(always(None)).apps.get, "hello")
    with pytest.raises(TypeError, match="answer Watch by an iterable of messages, not by WatchResponse"):
        run(App(PENDING, client_of(always(created(PENDING)))).watch)


def test_a_call_is_passed_on(run: Run) -> None:
    """A handler in front of a plane answers what it wants to, and sends the rest on, streams too."""
    with FakeControlPlane() as plane:

        def answer(call: Call) -> Any:
            if call.rpc == "Delete":
                return ConnectError(Code.PERMISSION_DENIED, "not this one")
            return call.send(plane.transport())

        client = client_of(answer)
        assert run(run(client.apps.create, app()).watch).is_active()
        with pytest.raises(PermissionDenied, match="not this one"):
            run(client.apps.delete, "hello")
