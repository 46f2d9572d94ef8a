"""Waits that can't end well: CL-4 to CL-7."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from flyteidl2.app import app_definition_pb2 as model

from flyteapps.testing.faults import fail, stall
from flyteapps_contract.checks.clients.waiting import redeployed
from flyteapps_contract.clients.adapter import Kind
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.clients.scripted.plane import Cluster
from flyteapps_contract.expectations import expect
from flyteapps_contract.session import ACTIVE, DEPLOYING, FAILED, STOPPED

SHORT = 0.3
"""Seconds of a deadline that should pass."""
GONE = (Kind.DELETED, Kind.NOT_FOUND)


# ---- CL-4


@client_check("CL-4")
async def failed_ends_the_wait(s: ClientContext) -> None:
    """An event that shows FAILED ends the wait with an error that names the app."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)
    waiting = s.begin(handle.activate(wait=True))
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.apps.report(name, FAILED, message="crash loop")
    await s.fails(waiting, "waiting for an app that fails", [Kind.FAILED], naming=name)


@client_check("CL-4")
async def failed_before_the_watch_opens(s: ClientContext) -> None:
    """An app that failed between the write and the watch ends the wait with such an error, too."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)
    s.plane.cluster, s.plane.fails = Cluster.AT_ONCE, {name}
    what = "waiting for an app that had failed before the watch opened"
    await s.fails(handle.activate(wait=True), what, [Kind.FAILED], naming=name)


# ---- CL-5


async def _recovers(s: ClientContext, app: model.App, what: str) -> None:
    """Judge a write that becomes active, after the wait has seen the old FAILED."""
    name = app.metadata.id.name
    handle = await redeployed(s, app)
    waiting = s.begin(handle.watch("activated"))
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.apps.report(name, DEPLOYING)
    s.plane.apps.report(name, ACTIVE)
    await s.succeeds(waiting, what)


@client_check("CL-5")
async def an_old_failed_is_passed_over(s: ClientContext) -> None:
    """A FAILED that was the last condition before the write doesn't end the wait, nor does it on a lagging plane."""
    for lags in (False, True):
        s.plane.apps.lags = lags
        what = f"waiting for a new revision of a failed app{', on a lagging plane' if lags else ''}"
        await _recovers(s, s.given(FAILED), what)


@client_check("CL-5")
async def an_old_failed_without_revisions_is_passed_over(s: ClientContext) -> None:
    """On a plane without revisions, the FAILED that the write returned doesn't end the wait."""
    s.plane.apps.counts, s.plane.apps.lags = False, True
    await _recovers(s, s.given(FAILED), "waiting for a new image of a failed app, on a plane without revisions")


@client_check("CL-5")
async def a_failed_app_is_activated(s: ClientContext) -> None:
    """activate(wait) on a failed app has it started again, and waits for that."""
    app = s.given(FAILED)
    handle = await s.handle(app)
    s.plane.cluster = Cluster.WHEN_SEEN
    await s.succeeds(handle.activate(wait=True), "activating a failed app")
    s.writes(app, 1, "updates of the failed app")


# ---- CL-6


@client_check("CL-6")
async def deleted_while_waiting(s: ClientContext) -> None:
    """A DeleteEvent ends the wait with an error that names the app."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)
    waiting = s.begin(handle.activate(wait=True))
    await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    s.plane.apps.remove(name)
    await s.fails(waiting, "waiting for an app that is deleted", GONE, naming=name)


@client_check("CL-6")
async def deleted_before_the_watch_opens(s: ClientContext) -> None:
    """An app that was deleted between the write and the watch, whose stream stays empty, ends the wait likewise."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)

    async def removed(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        s.plane.apps.remove(name)
        async for message in stream:
            yield message

    s.plane.once("Watch", removed)
    what = "waiting for an app that was deleted before the watch opened"
    await s.fails(handle.activate(wait=True), what, GONE, naming=name)


@client_check("CL-6")
async def deleted_while_the_stream_is_gone(s: ClientContext) -> None:
    """An app that was deleted after its stream had dropped, before the next one opened, ends the wait likewise."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)

    async def dropped(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async with contextlib.aclosing(stream):
            yield await anext(stream)
        s.plane.apps.remove(name)
        How.UNAVAILABLE.end()

    s.plane.once("Watch", dropped)
    what = "waiting for an app that was deleted while the stream was gone"
    await s.fails(handle.activate(wait=True), what, GONE, naming=name)


# ---- CL-7


async def _passes(s: ClientContext, what: str, kinds: tuple[Kind, ...]) -> None:
    expect(s.client.deadlines, "the waits of this client take no deadline")
    handle = await s.handle(s.given(STOPPED, run=False))
    await s.fails(handle.activate(wait=True, seconds=SHORT), what, kinds)


@client_check("CL-7")
async def an_app_that_stays_pending(s: ClientContext) -> None:
    """A wait for an app that stays PENDING ends at its deadline."""
    await _passes(s, "waiting, with a deadline, for an app that stays PENDING", (Kind.TIMEOUT,))


@client_check("CL-7")
async def a_stream_that_stays_silent(s: ClientContext) -> None:
    """A wait on a stream that sends nothing, not even its snapshot, ends at its deadline."""
    s.plane.faults.add(stall("Watch", after=0))
    what = "waiting, with a deadline, on a stream that sends nothing"
    await _passes(s, what, (Kind.TIMEOUT, Kind.STALLED))


@client_check("CL-7")
async def a_plane_that_is_gone(s: ClientContext) -> None:
    """A wait on a plane that refuses each stream and each read ends at its deadline, or before."""

    async def gone(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        s.plane.faults.add(fail("Get", code="UNAVAILABLE"))
        async for message in stream:
            yield message

    s.plane.faults.add(fail("Watch", code="UNAVAILABLE"))
    s.plane.once("Watch", gone)
    what = "waiting, with a deadline, on a plane that answers UNAVAILABLE"
    await _passes(s, what, (Kind.TIMEOUT, Kind.STALLED, Kind.NETWORK))
