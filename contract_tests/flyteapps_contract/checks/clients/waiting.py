"""The end of a wait: CL-1, CL-2, CL-22, CL-23. Streams that drop are in drops.py.

A wait that must not end yet is given the opposite end: who took the old ACTIVE for the new one reports a success where
the new deployment then fails. So nothing here has to wait for something not to happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.clients.adapter import HandleUnderTest
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.clients.scripted.plane import Cluster
from flyteapps_contract.outcomes import Broken, NotOffered
from flyteapps_contract.session import ACTIVE, DEPLOYING, FAILED, STOPPED, status_name

SCALED_TO_ZERO = model.Status.SCALED_TO_ZERO
STARTED = model.Status.DEPLOYMENT_STATUS_STARTED
SHORT = 0.3
"""Seconds of a deadline that should pass."""
SILENT_SECONDS = 3.0
"""The longest silence of a stream, in which a client reads the app."""


async def redeployed(s: ClientContext, app: model.App) -> HandleUnderTest:
    """Return a handle of the app after a new image was written by the client."""
    name = app.metadata.id.name
    return await s.succeeds(s.client.replace(name, s.changed(app), "a new image"), "replacing the spec")


# ---- CL-1


@client_check("CL-1")
async def active_before_the_watch_opens(s: ClientContext) -> None:
    """activate(wait) ends where the app became active between the write and the watch."""
    handle = await s.handle(s.given(STOPPED, run=False))
    s.plane.cluster = Cluster.AT_ONCE
    await s.succeeds(handle.activate(wait=True), "waiting for an app that was active before the watch opened")


@client_check("CL-1")
async def redeployed_before_the_watch_opens(s: ClientContext) -> None:
    """A wait after replacing the spec ends where the new revision was active before the watch opened."""
    app = s.given(ACTIVE)
    s.plane.cluster = Cluster.AT_ONCE
    handle = await redeployed(s, app)
    await s.succeeds(handle.watch("activated"), "waiting for a revision that was active before the watch opened")


@client_check("CL-1")
async def stopped_before_the_watch_opens(s: ClientContext) -> None:
    """deactivate(wait) ends where the app stopped between the write and the watch."""
    handle = await s.handle(s.given(ACTIVE))
    s.plane.cluster = Cluster.AT_ONCE
    await s.succeeds(handle.deactivate(wait=True), "waiting for an app that had stopped before the watch opened")


# ---- CL-2


async def _fails_after_an_old_active(s: ClientContext, handle: HandleUnderTest, app: model.App) -> None:
    """Judge a wait that sees the old ACTIVE before the new deployment fails."""
    name = app.metadata.id.name
    waiting = s.begin(handle.watch("activated"))
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.apps.report(name, DEPLOYING)
    s.plane.apps.report(name, FAILED, message="the new image is broken")
    await s.fails(waiting, "waiting for a new revision that fails, while the old ACTIVE still showed")


@client_check("CL-2")
async def a_lagging_plane_shows_the_old_active(s: ClientContext) -> None:
    """Conditions of before the update, still shown at the new revision, don't end the wait."""
    app = s.given(ACTIVE)
    s.plane.apps.lags = True
    await _fails_after_an_old_active(s, await redeployed(s, app), app)


@client_check("CL-2")
async def a_plane_without_revisions_shows_the_old_active(s: ClientContext) -> None:
    """Without revisions, the conditions that the write returned don't end the wait."""
    s.plane.apps.counts = False
    app = s.given(ACTIVE)
    s.plane.apps.lags = True
    await _fails_after_an_old_active(s, await redeployed(s, app), app)


@client_check("CL-2")
async def a_lagging_plane_shows_the_new_active(s: ClientContext) -> None:
    """The ACTIVE of the new revision ends the wait, on lagging planes with revisions and without."""
    for counts in (True, False):
        s.plane.apps.counts, s.plane.apps.lags = counts, False
        app = s.given(ACTIVE)
        name = app.metadata.id.name
        s.plane.apps.lags = True
        handle = await redeployed(s, app)
        waiting = s.begin(handle.watch("activated"))
        await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
        if not counts:
            s.plane.apps.report(name, DEPLOYING)
        s.plane.apps.report(name, ACTIVE, message="the new image runs")
        await s.succeeds(waiting, f"waiting on a lagging plane {'with' if counts else 'without'} revisions")


@client_check("CL-2")
async def an_old_active_arrives_late(s: ClientContext) -> None:
    """An event that shows ACTIVE at the older revision doesn't end the wait for the newer one."""
    app = s.given(ACTIVE)
    name = app.metadata.id.name
    handle = await redeployed(s, app)
    waiting = s.begin(handle.watch("activated"))
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.say(name, rpc.WatchResponse(update_event=rpc.UpdateEvent(updated_app=app, old_app=app)))
    s.plane.apps.report(name, FAILED, message="the new image is broken")
    await s.fails(waiting, "waiting for a new revision that fails, after a late event of the old one")


@client_check("CL-2")
async def a_snapshot_shows_the_old_active(s: ClientContext) -> None:
    """A stream's snapshot of the older revision, ACTIVE, doesn't end the wait for the newer one."""
    await _fails_after_an_old_snapshot(s, dropped=False, later=False)


@client_check("CL-2")
async def a_later_snapshot_shows_the_old_active(s: ClientContext) -> None:
    """Nor does such a snapshot of the stream that follows one that dropped."""
    await _fails_after_an_old_snapshot(s, dropped=True, later=False)


@client_check("CL-2")
async def a_snapshot_shows_an_active_of_before_the_write(s: ClientContext) -> None:
    """Nor where the older revision became ACTIVE after the client had read it, before it wrote."""
    await _fails_after_an_old_snapshot(s, dropped=False, later=True)


async def _fails_after_an_old_snapshot(s: ClientContext, *, dropped: bool, later: bool) -> None:
    """Judge a wait whose stream, or the one after it, opens with the app of before the update."""
    app = s.given(DEPLOYING if later else ACTIVE)
    name = app.metadata.id.name
    old = s.plane.apps.require(name)
    if later:
        s.plane.apps.add_condition(old, ACTIVE, "runs, at last")
    handle = await redeployed(s, app)
    known = len(s.plane.call_log.calls)

    async def dropping(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async with contextlib.aclosing(stream):
            yield await anext(stream)
        How.UNAVAILABLE.end()

    async def stale(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async with contextlib.aclosing(stream):
            await anext(stream)
            yield rpc.WatchResponse(create_event=rpc.CreateEvent(app=old))
            async for message in stream:
                yield message

    for around in (dropping, stale) if dropped else (stale,):
        s.plane.once("Watch", around, name)
    waiting = s.begin(handle.watch("activated"))

    def stale_was_shown() -> bool:
        streams = [call for call in s.plane.call_log.calls[known:] if call.method == "Watch" and call.app == name]
        return len(streams) >= 1 + dropped

    await s.until(waiting, s.plane.until(stale_was_shown), "open the stream with the old snapshot")
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.apps.report(name, DEPLOYING)
    s.plane.apps.report(name, FAILED, message="the new image is broken")
    await s.fails(waiting, "waiting for a new revision that fails, on a stream that opened with the old ACTIVE")


@client_check("CL-2")
async def a_read_shows_the_old_active(s: ClientContext) -> None:
    """A Get that shows the older revision, ACTIVE, while the stream is silent, doesn't end the wait."""
    app = s.given(ACTIVE)
    name = app.metadata.id.name
    handle = await redeployed(s, app)
    silent, read = asyncio.Event(), asyncio.Event()

    async def shows_late(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async with contextlib.aclosing(stream):
            snapshot = await anext(stream)
            silent.set()
            with contextlib.suppress(TimeoutError):  # a client may never read
                async with asyncio.timeout(SILENT_SECONDS):
                    await read.wait()
            s.plane.apps.report(name, FAILED, message="the new image is broken")
            yield snapshot
            async for message in stream:
                yield message

    async def stale(call: Callable[[], Awaitable[object]]) -> object:
        read.set()
        return rpc.GetResponse(app=app)

    s.plane.once("Watch", shows_late, name)
    waiting = s.begin(handle.watch("activated"))
    await s.until(waiting, s.plane.until(silent.is_set), "watch the app that it waits for")
    s.plane.once("Get", stale, name)
    await s.fails(waiting, "waiting for a new revision that fails, after a read of the old one")


# ---- CL-22


@client_check("CL-22")
async def a_wait_closes_its_stream(s: ClientContext) -> None:
    """After a wait that ended well, and after one that failed, no stream of the client is open."""
    for status in (ACTIVE, FAILED):
        app = s.given(STOPPED, run=False)
        name = app.metadata.id.name
        handle = await s.handle(app)
        waiting = s.begin(handle.activate(wait=True))
        await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
        s.plane.apps.report(name, status)
        if status == ACTIVE:
            await s.succeeds(waiting, "waiting for an app that becomes active")
        else:
            await s.fails(waiting, "waiting for an app that fails")
        del waiting
        await s.eventually(deserted(s), f"a wait has ended with {status_name(status)}, its stream is still open")


@client_check("CL-22")
async def a_wait_for_a_deleted_app_closes_its_stream(s: ClientContext) -> None:
    """After a wait that ended since its app was deleted no stream of the client is open."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)
    waiting = s.begin(handle.activate(wait=True))
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.apps.remove(name)
    await asyncio.wait((waiting,), timeout=s.left / 2)
    if not waiting.done():
        raise NotOffered("the waits of this client don't end with the deletion of their app (CL-6)")
    await s.fails(waiting, "waiting for an app that is deleted")
    del waiting
    await s.eventually(deserted(s), "a wait has ended since its app was deleted, its stream is still open")


@client_check("CL-22")
async def a_wait_that_is_too_long_closes_its_stream(s: ClientContext) -> None:
    """After a wait that ended at its deadline no stream of the client is open."""
    if not s.client.deadlines:
        raise NotOffered("the waits of this client take no deadline")
    handle = await s.handle(s.given(STOPPED, run=False))
    await s.fails(handle.activate(wait=True, seconds=SHORT), "waiting, with a deadline, for an app that stays PENDING")
    await s.eventually(deserted(s), "a wait has ended at its deadline, its stream is still open")


async def deserted(s: ClientContext) -> None:
    """Return once no stream is open, but those in the frames that an error keeps."""
    pause = 0.05
    while s.plane.viewers:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await s.plane.deserted()
                break
        pause *= 2
        gc.collect()  # which takes long in a large process


# ---- CL-23


@client_check("CL-23")
async def scaled_to_zero_is_active(s: ClientContext) -> None:
    """ACTIVE with SCALED_TO_ZERO ends a wait, and so does STARTED."""
    for status, substate in ((ACTIVE, SCALED_TO_ZERO), (STARTED, 0)):
        app = s.given(STOPPED, run=False)
        name = app.metadata.id.name
        handle = await s.handle(app)
        waiting = s.begin(handle.activate(wait=True))
        await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
        if waiting.done():
            raise Broken("the wait ended before the app was active")
        s.plane.apps.report(name, status, substate)
        await s.succeeds(waiting, f"waiting for an app in {'SCALED_TO_ZERO' if substate else 'STARTED'}")
