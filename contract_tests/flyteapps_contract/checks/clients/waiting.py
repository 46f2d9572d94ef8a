"""The end of a wait: CL-1, CL-2, CL-22, CL-23. Streams that drop are in drops.py.

A wait that must not end yet is given the opposite end: who took the old ACTIVE for the new one reports a success where
the new deployment then fails. So nothing here has to wait for something not to happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.clients.adapter import HandleUnderTest
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.plane import Cluster
from flyteapps_contract.outcomes import Broken
from flyteapps_contract.session import ACTIVE, DEPLOYING, FAILED, STOPPED, status_name

SCALED_TO_ZERO = model.Status.SCALED_TO_ZERO
STARTED = model.Status.DEPLOYMENT_STATUS_STARTED


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
        await s.eventually(_deserted(s), f"a wait has ended with {status_name(status)}, its stream is still open")


async def _deserted(s: ClientContext) -> None:
    """Judge the open streams. An error keeps the frames that it came from, with their streams: those don't count."""
    while s.plane.viewers:
        gc.collect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await s.plane.deserted()


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
