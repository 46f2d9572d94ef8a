"""Streams that drop: CL-3. Every position, every way to drop; what happens goes on in the gap, or after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.apps import status_of
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.outcomes import Broken
from flyteapps_contract.session import ACTIVE, DEPLOYING, STOPPED

STORY = (DEPLOYING, ACTIVE)
PLACES = ("before the snapshot", "after the snapshot", "after the first event", "after the last event")


@client_check("CL-3")
async def a_stream_that_ends_cleanly(s: ClientContext) -> None:
    """A stream that ends without an error, at any position, is opened again, and its new snapshot counts."""
    await _at_every_position(s, How.CLEANLY)


@client_check("CL-3")
async def a_stream_that_ends_with_unavailable(s: ClientContext) -> None:
    """A stream that ends with UNAVAILABLE, at any position, is opened again, and its new snapshot counts."""
    await _at_every_position(s, How.UNAVAILABLE)


@client_check("CL-3")
async def a_stream_that_is_cut(s: ClientContext) -> None:
    """A stream whose connection is cut, at any position, is opened again, and its new snapshot counts."""
    await _at_every_position(s, How.CUT)


async def _at_every_position(s: ClientContext, how: How) -> None:
    """Judge all drops at the same time, each with its own app, so that one that hangs hides none of the others."""
    tried = [_dropped(s, how, after, gap) for after in range(len(PLACES)) for gap in (True, False)]
    outcomes = await asyncio.gather(*tried, return_exceptions=True)
    if others := [each for each in outcomes if isinstance(each, Exception) and not isinstance(each, Broken)]:
        raise others[0]
    if said := [str(each) for each in outcomes if isinstance(each, Broken)]:
        raise Broken("\n".join(said))


async def _dropped(s: ClientContext, how: How, after: int, gap: bool) -> None:
    """Judge one drop: the stream ends after so many messages; the rest happens in the gap, or on the next stream."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    before_drop = list(STORY[: max(0, after - 1)])
    rest = list(STORY[len(before_drop) :])
    where = f"a stream that {how} {PLACES[after]}, the app going on {'in the gap' if gap else 'when it is back'}"
    calls: list[int] = []

    def tell_rest() -> None:
        for status in rest:
            s.plane.apps.report(name, status)

    async def dropped(stream: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async with contextlib.aclosing(stream):
            for _ in range(after):
                message = await anext(stream)
                yield message
                if before_drop and _status_in(message) == before_drop[-1]:
                    break  # a snapshot that was slow shows what was reported meanwhile
        calls.append(len(s.plane.call_log.calls))
        if gap:
            tell_rest()
        how.end()

    handle = await s.handle(app)
    s.plane.once("Watch", dropped, name)
    waiting = s.begin(handle.activate(wait=True))
    if after > 0:
        await s.until(waiting, s.plane.attended(name), "look at the app that it waits for")
    for status in before_drop:
        s.plane.apps.report(name, status)
    if rest and not gap:
        await s.until(waiting, s.plane.until(lambda: calls), "watch the app that it waits for")
        if not waiting.done():
            await s.until(waiting, s.plane.waited_for_again(name, since=calls[0]), f"come back after {where}")
        if waiting.done():
            error = waiting.exception()
            raise Broken(f"{where}: the wait ended before the app was active{f', with {error!r}' if error else ''}")
        tell_rest()
    await s.succeeds(waiting, where)


def _status_in(message: object) -> int:
    assert isinstance(message, rpc.WatchResponse)
    return status_of(message.create_event.app if message.HasField("create_event") else message.update_event.updated_app)
