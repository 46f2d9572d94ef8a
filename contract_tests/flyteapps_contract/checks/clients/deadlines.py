"""Deadlines of whole calls: CL-28. That a wait has a deadline at all is CL-7.

No check measures a time, which may be longer on a busy machine. The plane holds two attempts, each for more than half
of the deadline, before it ends them: a third one begins after the deadline, however slow the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any

from flyteapps_contract.clients.adapter import HandleUnderTest, Kind
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.outcomes import Broken, NotOffered
from flyteapps_contract.session import ACTIVE, DEPLOYING, UNASSIGNED

SECONDS = 0.3
"""The deadline of a call."""
HELD_SECONDS = 0.6 * SECONDS
"""The time for which the plane holds an attempt."""


async def _fails_before(s: ClientContext, call: Coroutine[Any, Any, object], third: asyncio.Event, what: str) -> None:
    """Judge a call whose third attempt, which sets `third`, begins after the deadline."""
    calling = s.begin(call)
    await s.until(calling, s.plane.until(third.is_set), "end with its deadline")
    if third.is_set():
        raise Broken(f"{what}: another attempt began once two had taken longer than its {SECONDS:g} seconds")
    await s.fails(calling, what)


async def _waiting(s: ClientContext) -> tuple[str, HandleUnderTest]:
    """Return an app that isn't active yet, and its handle. Raises NotOffered."""
    if not s.client.deadlines:
        raise NotOffered("the waits of this client take no deadline")
    app = s.given(UNASSIGNED)
    return app.metadata.id.name, await s.handle(app)


@client_check("CL-28")
async def attempts_share_a_deadline(s: ClientContext) -> None:
    """A Get whose attempts are UNAVAILABLE after more than half of its deadline has two of them at most."""
    client, app, third = s.with_timeout(SECONDS), s.given(ACTIVE), asyncio.Event()

    async def held(call: Callable[[], Awaitable[object]]) -> object:
        await asyncio.sleep(HELD_SECONDS)
        return How.UNAVAILABLE.end()

    async def late(call: Callable[[], Awaitable[object]]) -> object:
        third.set()
        return await call()

    for around in (held, held, late):
        s.plane.once("Get", around)
    what = "a Get with a deadline, whose attempts are UNAVAILABLE"
    await _fails_before(s, client.get(app.metadata.id.name), third, what)


async def _streams_share(s: ClientContext, how: How) -> None:
    name, handle = await _waiting(s)
    third = asyncio.Event()

    async def held(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async with contextlib.aclosing(stream):
            yield await anext(stream)
            await asyncio.sleep(HELD_SECONDS)
        how.end()

    async def late(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        third.set()
        async with contextlib.aclosing(stream):
            async for message in stream:
                yield message

    for around in (held, held, late):
        s.plane.once("Watch", around, name)
    what = f"a wait with a deadline, each of whose streams shows its snapshot and {how}"
    await _fails_before(s, _watched(handle), third, what)


async def _watched(handle: HandleUnderTest) -> object:
    return await handle.watch("activated", seconds=SECONDS)


@client_check("CL-28")
async def streams_that_end_share_a_deadline(s: ClientContext) -> None:
    """A wait whose streams end without an error, each after its snapshot, has no more time for all of them."""
    await _streams_share(s, How.CLEANLY)


@client_check("CL-28")
async def streams_that_drop_share_a_deadline(s: ClientContext) -> None:
    """A wait whose streams end with UNAVAILABLE, each after its snapshot, has no more time for all of them."""
    await _streams_share(s, How.UNAVAILABLE)


@client_check("CL-28")
async def events_do_not_extend_a_deadline(s: ClientContext) -> None:
    """A wait for an app that goes on deploying, with an event now and then, ends at its deadline."""
    name, handle = await _waiting(s)

    async def go_on() -> None:
        while True:
            s.plane.apps.report(name, DEPLOYING)
            await asyncio.sleep(SECONDS / 3)

    s.begin(go_on())
    what = "waiting, with a deadline, for an app that goes on deploying"
    await s.fails(_watched(handle), what, (Kind.TIMEOUT,))


@client_check("CL-28")
async def reads_of_a_wait_share_its_deadline(s: ClientContext) -> None:
    """A wait whose stream is silent, and whose reads are never answered, ends at its deadline."""
    name, handle = await _waiting(s)

    async def silent(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        s.plane.once("Get", unanswered, name)
        async with contextlib.aclosing(stream):
            await asyncio.Event().wait()
            yield

    async def unanswered(call: Callable[[], Awaitable[object]]) -> object:
        s.plane.once("Get", unanswered, name)
        await asyncio.Event().wait()
        return await call()

    s.plane.once("Watch", silent, name)
    what = "waiting, with a deadline, on a stream and on reads that nothing answers"
    await s.fails(_watched(handle), what, (Kind.TIMEOUT, Kind.STALLED))
