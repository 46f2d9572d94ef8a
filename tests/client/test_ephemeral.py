"""Starting and stopping: from any state, by stale handles, and around a block that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import App, AppNotFound, Client, DeploymentFailed, DeploymentStatus, DesiredState
from flyteapps.testing import FaultyTransport, faults
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import QUICK, SCOPE, SETTLES, Run, client_of
from .messages import app, spec

STATES = ("active", "stopped", "unassigned", "pending", "failed", "never written")


def in_state(client: Client, state: str) -> App:
    """Return a handle of an app in that state."""
    if state == "failed":
        made = client.apps.create(app(scenario="crash-loop"))
        with pytest.raises(DeploymentFailed):
            made.watch()
        return client.apps.get("hello")
    message = app()
    if state == "unassigned":
        message.spec.cluster_pool = "nobody serves this"
    made = client.apps.create(message)
    if state == "active":
        return made.watch()
    if state == "stopped":
        return made.deactivate(wait=True)
    if state == "pending":
        made.watch()
        return client.apps.replace("hello", spec("example.org/hello:2"), "test")
    return made


def at_rest(client: Client) -> App:
    """Return the app as the plane has it; by List, as not every plane's Get is up to date."""
    [found] = client.apps.listall()
    return found


@pytest.mark.parametrize("state", STATES)
def test_a_context_ends_with_the_app_stopped(client: Client, run: Run, state: str, dialect: str) -> None:
    """From whatever state it begins; within it the app is active, unless it fails again."""
    handle = in_state(client, state)
    states: list[DeploymentStatus] = []

    def body() -> None:
        states.append(at_rest(client).deployment_status)

    if state == "failed" or (state == "unassigned" and dialect == "standard"):
        kind: Any = DeploymentFailed if state == "failed" else TimeoutError
        with pytest.raises(kind) as caught:
            run.within(
                lambda: handle.ephemeral_ctx_sync(timeout=30 if state == "failed" else 0.1),
                lambda: handle.ephemeral_ctx(timeout=30 if state == "failed" else 0.1),
                body,
            )
        if state == "failed":  # the other's 0.1 s limits the stop, too, which then is requested and not seen
            assert not getattr(caught.value, "__notes__", [])
        assert not states
    else:
        run.within(handle.ephemeral_ctx_sync, handle.ephemeral_ctx, body)
        assert states == [DeploymentStatus.ACTIVE]
    after = at_rest(client)
    assert (after.desired_state, after.deployment_status) == (DesiredState.STOPPED, DeploymentStatus.STOPPED)
    assert handle.revision == after.revision


def test_the_first_error_is_kept(plane: FakeControlPlane, run: Run) -> None:
    """The block's error is raised; the failed stop is a note on it."""
    transport = FaultyTransport(plane.transport())
    client = Client(transport=transport, retries=QUICK, waits=SETTLES, **SCOPE)
    handle = client.apps.create(app())

    def body() -> None:
        transport.add(*(faults.fail(rpc, code="UNAVAILABLE") for rpc in ("Get", "Update")))
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        run.within(handle.ephemeral_ctx_sync, handle.ephemeral_ctx, body)
    assert "could not be stopped" in caught.value.__notes__[0]
    transport.clear()
    assert at_rest(client).is_active()


def test_an_error_of_the_block_leaves_the_app_stopped(client: Client, run: Run) -> None:
    """It can be entered again after any end."""
    handle = client.apps.create(app())

    def body() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run.within(handle.ephemeral_ctx_sync, handle.ephemeral_ctx, body)
    assert at_rest(client).deployment_status is DeploymentStatus.STOPPED


def test_an_app_that_was_deleted_within_is_no_error(direct: Client, run: Run) -> None:
    """It doesn't run: that is what the end of the context is for."""
    handle = direct.apps.create(app())

    def body() -> None:
        other = direct.apps.get("hello")
        other.deactivate(wait=True)
        direct.apps.delete("hello")

    run.within(handle.ephemeral_ctx_sync, handle.ephemeral_ctx, body)
    with pytest.raises(AppNotFound):
        direct.apps.get("hello")


def test_a_cancelled_block_asks_for_the_stop_and_leaves(plane: FakeControlPlane) -> None:
    """It doesn't wait for it."""
    client = client_of(plane, "direct")

    async def go() -> None:
        handle = await client.apps.create.aio(app())
        entered = asyncio.Event()

        async def use() -> None:
            async with handle.ephemeral_ctx():
                entered.set()
                await asyncio.Event().wait()

        using = asyncio.create_task(use())
        await entered.wait()
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        assert handle.desired_state is DesiredState.STOPPED

    asyncio.run(go())
    assert at_rest(client).desired_state is DesiredState.STOPPED


@pytest.mark.parametrize("ticks", range(40))
def test_cancelled_at_any_moment_the_app_is_stopped(plane: FakeControlPlane, ticks: int) -> None:
    """While it starts, within the block, or while it stops."""
    client = client_of(plane, "direct")

    async def go() -> None:
        handle = await client.apps.create.aio(app())
        await handle.watch.aio()

        async def use() -> None:
            async with handle.ephemeral_ctx():
                await asyncio.sleep(0)

        using = asyncio.create_task(use())
        for _ in range(ticks):
            await asyncio.sleep(0)
        using.cancel()
        await asyncio.wait({using})
        assert using.cancelled() or using.exception() is None

    asyncio.run(go())
    if ticks:  # a task that never ran has entered nothing
        assert at_rest(client).desired_state is DesiredState.STOPPED
    assert not plane.open_streams()


def test_a_stale_handle_stops_the_app(client: Client, run: Run, nth: Callable[[int], int]) -> None:
    """After another caller's update the handle reads before it writes."""
    stale = client.apps.create(app())
    stale.watch()
    client.apps.replace("hello", spec("example.org/hello:2"), "somebody else")
    assert run(stale.deactivate, wait=True).revision == nth(3)
    assert at_rest(client).deployment_status is DeploymentStatus.STOPPED


def test_starting_twice_writes_once(client: Client, run: Run, nth: Callable[[int], int]) -> None:
    """An app that runs, or is about to, is left alone."""
    handle = client.apps.create(app())
    handle.deactivate(wait=True)
    assert run(handle.activate).revision == nth(3)
    assert run(client.apps.get("hello").activate).revision == nth(3)
    assert run(handle.activate, wait=True).revision == nth(3)


def test_a_failed_app_is_started_anew(client: Client, run: Run, nth: Callable[[int], int]) -> None:
    """By another revision each time, which fails for itself."""
    handle = in_state(client, "failed")
    for revision in (2, 3):
        with pytest.raises(DeploymentFailed) as caught:
            run(handle.activate, wait=True)
        assert caught.value.last.revision == nth(revision) == handle.revision


def test_an_unassigned_app_is_stopped(direct: Client, run: Run) -> None:
    """Though it looks deactivated, it would start as soon as a cluster takes it."""
    handle = in_state(direct, "unassigned")
    assert handle.is_deactivated()
    run(handle.deactivate, wait=True)
    assert at_rest(direct).desired_state is DesiredState.STOPPED


def test_an_app_without_ingress_can_be_created_again(run: Run) -> None:
    """Another plane stores no ingress: the comparison treats that as equal."""
    from .scripted import scripted, state

    stored = state((DeploymentStatus.ACTIVE, "ready"), revision=1)
    assert not stored.spec.HasField("ingress")

    def exists(_: Any) -> Any:
        from connectrpc.code import Code
        from connectrpc.errors import ConnectError

        return ConnectError(Code.ALREADY_EXISTS, "it exists")

    def got(_: Any) -> Any:
        return payload.GetResponse(app=stored)

    transport = scripted({"Create": exists, "Get": got})
    wanted = definition.App()
    wanted.CopyFrom(stored)
    wanted.spec.ingress.SetInParent()
    made = run(Client(transport=transport, retries=QUICK, **SCOPE).apps.create, wanted)
    assert made.revision == 1
    assert [call.rpc for call in transport.calls] == ["Create", "Get"]
