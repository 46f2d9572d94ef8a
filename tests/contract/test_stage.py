"""The scripted plane of the client checks: by itself it does what is right; clients meet its faults and no others."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.codec import proto_json_codec
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_service_connect import AppServiceClient

from flyteapps.testing import faults
from flyteapps_contract.clients.scripted.call_log import LEFT
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.clients.scripted.plane import ScriptedPlane
from flyteapps_contract.clients.scripted.server import ScriptedServer
from flyteapps_contract.session import ACTIVE, RUN, STOP, statuses

APP_ID = model.Identifier(project="p", domain="d", name="one")


def app(image: str = "img:1", state: model.Spec.DesiredState = RUN) -> model.App:
    """Return a small app."""
    message = model.App(metadata=model.Meta(id=APP_ID))
    message.spec.container.image = image
    message.spec.desired_state = state
    return message


async def first(count: int, stream: AsyncGenerator[Any], how: How) -> AsyncGenerator[Any]:
    """Yield so many messages of a stream, and end it."""
    async with contextlib.aclosing(stream):
        for _ in range(count):
            yield await anext(stream)
    how.end()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Return a server in which nothing has failed by the end."""
    async with ScriptedServer() as open_server:
        yield open_server
    assert open_server.failures == []


@pytest.fixture
def plane(server: ScriptedServer) -> ScriptedPlane:
    """Return the scripted plane of the project that these tests use."""
    return server.plane(APP_ID.project)


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AppServiceClient]:
    """Return a raw client of the server."""
    async with AppServiceClient(server.url) as raw:
        yield raw


async def test_codecs(server: ScriptedServer) -> None:
    """Binary and JSON, plain and compressed, POST and GET are answered alike, errors too."""
    async with (
        AppServiceClient(server.url) as binary,
        AppServiceClient(server.url, codec=proto_json_codec()) as as_json,
        AppServiceClient(server.url, send_compression=None) as plain,
    ):
        created = (await plain.create(rpc.CreateRequest(app=app()))).app
        for client in (binary, as_json, plain):
            for use_get in (False, True):
                assert (await client.get(rpc.GetRequest(app_id=APP_ID), use_get=use_get)).app == created
            with pytest.raises(ConnectError, match="exists") as refused:
                await client.create(rpc.CreateRequest(app=app()))
            assert refused.value.code is Code.ALREADY_EXISTS
            events = client.watch(rpc.WatchRequest(app_id=APP_ID))
            assert (await anext(events)).create_event.app == created
            await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]  # a generator, typed as an iterator


async def test_a_client_that_leaves_is_gone(plane: ScriptedPlane, client: AppServiceClient) -> None:
    """A stream whose client went away is freed, and the call log says how it ended."""
    await client.create(rpc.CreateRequest(app=app()))
    events = client.watch(rpc.WatchRequest(app_id=APP_ID))
    await anext(events)
    assert len(plane.viewers) == 1
    await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]  # a generator, typed as an iterator
    await asyncio.wait_for(plane.deserted(), 5)
    await asyncio.wait_for(plane.until(lambda: plane.call_log.of("Watch")[0].outcome == LEFT), 5)


async def test_events_follow_the_snapshot(plane: ScriptedPlane, client: AppServiceClient) -> None:
    """Each report is one event, in order, each with the app before it; a dropped stream ends where the fault says."""
    await client.create(rpc.CreateRequest(app=app()))
    plane.once("Watch", lambda stream: first(3, stream, How.CLEANLY))
    shown = [event async for event in _reported(plane, client)]
    assert [event.WhichOneof("event") for event in shown] == ["create_event", "update_event", "update_event"]
    assert shown[1].update_event.old_app == shown[0].create_event.app
    assert shown[2].update_event.old_app == shown[1].update_event.updated_app
    assert statuses(shown[2].update_event.updated_app) == ["UNASSIGNED", "ASSIGNED", "ACTIVE", "PENDING"]


async def _reported(plane: ScriptedPlane, client: AppServiceClient) -> AsyncIterator[rpc.WatchResponse]:
    async for event in client.watch(rpc.WatchRequest(app_id=APP_ID)):
        yield event
        if event.HasField("create_event"):
            plane.apps.report("one", ACTIVE)
            await client.update(rpc.UpdateRequest(app=app(state=STOP), reason="enough"))


@pytest.mark.parametrize("how", How)
async def test_kinds_of_drops(how: How, plane: ScriptedPlane, client: AppServiceClient) -> None:
    """A stream ends without an error, with UNAVAILABLE, or as a broken connection, which is UNAVAILABLE, too."""
    await client.create(rpc.CreateRequest(app=app()))
    plane.once("Watch", lambda stream: first(1, stream, how))
    seen: list[rpc.WatchResponse] = []
    code: Code | None = None
    try:
        async for event in client.watch(rpc.WatchRequest(app_id=APP_ID)):
            seen.append(event)
    except ConnectError as error:
        code = error.code
    assert len(seen) == 1
    assert code is (None if how is How.CLEANLY else Code.UNAVAILABLE)


async def test_a_lost_answer_is_committed(plane: ScriptedPlane, client: AppServiceClient) -> None:
    """A response that is lost belongs to a write that was done; one that is refused by a fault to none."""
    plane.faults.add(How.CUT.lose("Create", "one"))
    with pytest.raises(ConnectError):
        await client.create(rpc.CreateRequest(app=app()))
    assert plane.apps.require("one").metadata.revision == 1
    plane.faults.add(faults.fail("Update", code="UNAVAILABLE"))
    with pytest.raises(ConnectError):
        await client.update(rpc.UpdateRequest(app=app(image="img:2")))
    assert plane.apps.require("one").metadata.revision == 1


async def test_no_thread(server: ScriptedServer, client: AppServiceClient) -> None:
    """The server needs no thread: it runs on the loop of its check."""
    before = threading.active_count()
    await client.create(rpc.CreateRequest(app=app()))
    assert threading.active_count() == before
