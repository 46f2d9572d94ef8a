"""Calls that a fault delays: the event loop waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.waiting import pauses
from flyteapps_fake.core.errors import Code, RpcError


class Connected(Protocol):
    """A client that may leave."""

    def listen(self) -> None:
        """Watch for the client to leave."""
        ...

    async def is_connected(self) -> bool:
        """Return whether it is still there."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class _Wakes:
    """The tasks of one loop that are to go on: any thread adds some, and the loop is woken once for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[asyncio.Future[None]] = deque()
        self._called = False

    def add(self, future: asyncio.Future[None]) -> None:
        self._ready.append(future)
        if not self._called:
            self._called = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._called = False
        while self._ready:
            _finish(self._ready.popleft())


_wakes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Wakes] = WeakKeyDictionary()


async def nap(postponed: Postponed, seconds: float, deadline: float | None = None) -> None:
    """Let the task sleep until a wait may be over; `deadline`: of the call, by which it has to be looked at again."""
    if postponed.wake_by is None:
        await asyncio.sleep(seconds)
        return
    loop = asyncio.get_running_loop()
    wakes = _wakes.get(loop)
    if wakes is None:
        wakes = _wakes[loop] = _Wakes(loop)
    future = loop.create_future()
    postponed.wake_by(partial(wakes.add, future))
    timed = deadline is not None or not postponed.is_woken
    timer = loop.call_later(seconds, _finish, future) if timed else None
    try:
        await future
    finally:
        if timer is not None:
            timer.cancel()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def outcome(postponed: Postponed, deadline: float | None, client: Connected | None = None) -> Any:
    """Wait until the call may go on, and return what it returns. Raises RpcError.

    `deadline`: by the loop's time. `client`: of a call that may be given up once it has left.
    """
    if client is None or not postponed.ends_with_client:
        for seconds in pauses(postponed, deadline):
            await nap(postponed, seconds, deadline)
        return postponed.resume()
    client.listen()
    try:
        for seconds in pauses(postponed, deadline):
            await nap(postponed, seconds, 0.0)
            if not await client.is_connected():
                raise RpcError(Code.CANCELED, f"the client left while {postponed.purpose}")
    finally:
        client.close()
    return postponed.resume()
