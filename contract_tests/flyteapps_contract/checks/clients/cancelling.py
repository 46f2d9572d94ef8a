"""Calls that are cancelled: CL-29, and of ephemeral contexts CL-9."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from flyteapps.testing.faults import fail
from flyteapps_contract.checks.clients.waiting import deserted
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.clients.scripted.plane import Cluster
from flyteapps_contract.expectations import expect
from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.session import ACTIVE, STOP, STOPPED, UNASSIGNED

LOOKS, LOOK_SECONDS = 50, 0.01
"""Looks for an attempt that should not come, and the time before each: a pause of a busy machine takes one look."""
WAITS = 5
"""Waits that are cancelled, one after the other: a client may leave a stream open only if it has read from it."""
IN_FLIGHT = 1
"""Attempts that may have left the client before it was cancelled, and arrive later."""


def _require_cancelling(s: ClientContext) -> None:
    if not getattr(s.client, "cancels", False):
        raise NotOffered("its adapter does not say that its calls can be cancelled (`cancels`)")


async def _leaves_nothing(s: ClientContext, call: asyncio.Future[Any], method: str, what: str) -> None:
    """Judge a call that is cancelled after its attempts of that method so far: no others come."""
    await s.cancelled(call, what)
    before = len(s.plane.call_log.of(method))

    def goes_on() -> bool:
        return len(s.plane.call_log.of(method)) > before + IN_FLIGHT

    for _ in range(LOOKS):
        if goes_on():
            break
        await asyncio.sleep(LOOK_SECONDS)
    expect(not goes_on(), f"{what}: cancelled, the client goes on ({s.plane.call_log.story()})")


# ---- CL-29


@client_check("CL-29")
async def a_cancelled_wait_closes_its_stream(s: ClientContext) -> None:
    """A wait that is cancelled ends so, and leaves no stream open."""
    _require_cancelling(s)
    what = "waiting for an app"
    for _ in range(WAITS):
        app = s.given(STOPPED, run=False)
        handle = await s.handle(app)
        waiting = s.begin(handle.activate(wait=True))
        await s.until(waiting, s.plane.attended(app.metadata.id.name), "look at the app that it waits for")
        await s.cancelled(waiting, what)
        del waiting
        await s.eventually(deserted(s), f"{what}: cancelled, its stream is still open")


@client_check("CL-29")
async def a_cancelled_wait_opens_no_other_stream(s: ClientContext) -> None:
    """A wait that is cancelled while its streams end one after the other opens no more of them."""
    _require_cancelling(s)
    app = s.given(UNASSIGNED)
    name = app.metadata.id.name
    handle = await s.handle(app)

    async def ended(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        s.plane.once("Watch", ended, name)
        async with contextlib.aclosing(stream):
            yield await anext(stream)
        How.UNAVAILABLE.end()

    s.plane.once("Watch", ended, name)
    waiting = s.begin(handle.watch("activated"))
    await s.until(waiting, s.plane.until(lambda: len(s.plane.call_log.of("Watch")) >= 2), "open another stream")
    await _leaves_nothing(s, waiting, "Watch", "a wait whose streams end")


@client_check("CL-29")
async def a_cancelled_read_is_not_tried_again(s: ClientContext) -> None:
    """A Get that is cancelled after an attempt that was UNAVAILABLE isn't tried again."""
    _require_cancelling(s)
    app = s.given(ACTIVE)
    s.plane.faults.add(fail("Get", code="UNAVAILABLE"))
    reading = s.begin(s.client.get(app.metadata.id.name))
    await s.until(reading, s.plane.until(lambda: s.plane.call_log.of("Get")), "get the app")
    await _leaves_nothing(s, reading, "Get", "a Get that is UNAVAILABLE")


@client_check("CL-29")
async def a_cancelled_write_is_not_tried_again(s: ClientContext) -> None:
    """An Update that is cancelled while the plane works on it isn't tried again."""
    _require_cancelling(s)
    app = s.given(ACTIVE)
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def held(call: Callable[[], Awaitable[object]]) -> object:
        begun.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(s.left):
                await going_on.wait()
        s.plane.faults.add(fail("Update", code="UNAVAILABLE"))
        return await call()

    s.plane.once("Update", held)
    app.spec.container.image = "img:2"
    writing = s.begin(s.client.update(app, "cancelled"))
    await s.until(writing, s.plane.until(begun.is_set), "update the app")

    async def go_on() -> None:
        await asyncio.wait((writing,))
        going_on.set()

    s.begin(go_on())
    await _leaves_nothing(s, writing, "Update", "an Update that takes long")


# ---- CL-9


@client_check("CL-9")
async def a_cancelled_context_stops_the_app(s: ClientContext) -> None:
    """A context whose body is cancelled ends so, and its app's desired state is STOPPED."""
    _require_cancelling(s)
    app = s.given(STOPPED, run=False)
    handle = await s.handle(app)
    s.plane.cluster = Cluster.WHEN_SEEN
    entered = asyncio.Event()

    async def use() -> None:
        async with handle.ephemeral():
            entered.set()
            await asyncio.Event().wait()

    using = s.begin(use())
    await s.until(using, _set(entered), "enter the context")
    await s.cancelled(using, "a context")
    expect(s.stored(app).spec.desired_state == STOP, "a context that was cancelled left its app's desired state to run")


async def _set(event: asyncio.Event) -> None:
    await event.wait()
