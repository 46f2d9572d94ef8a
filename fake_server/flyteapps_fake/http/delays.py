"""Calls that a fault delays: the event loop waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol

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


async def nap(postponed: Postponed, seconds: float) -> None:
    """Let the task sleep until a wait may be over, at most so many seconds."""
    if postponed.wake_by is None:
        await asyncio.sleep(seconds)
        return
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(woken.set)

    postponed.wake_by(wake)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()


async def outcome(postponed: Postponed, deadline: float | None, client: Connected | None = None) -> Any:
    """Wait until the call may go on, and return what it returns. Raises RpcError.

    `deadline`: by the loop's time. `client`: of a call that may be given up once it has left.
    """
    if client is None or not postponed.ends_with_client:
        for seconds in pauses(postponed, deadline):
            await nap(postponed, seconds)
        return postponed.resume()
    client.listen()
    try:
        for seconds in pauses(postponed, deadline):
            await nap(postponed, seconds)
            if not await client.is_connected():
                raise RpcError(Code.CANCELED, f"the client left while {postponed.purpose}")
    finally:
        client.close()
    return postponed.resume()
