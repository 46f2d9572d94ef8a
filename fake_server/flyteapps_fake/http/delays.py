"""Calls that a fault delays: the event loop waits for them."""

from __future__ import annotations

import asyncio
from typing import Any

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.waiting import pauses


async def outcome(postponed: Postponed, deadline: float | None) -> Any:
    """Wait until the call may go on, and return what it returns. Raises RpcError.

    `deadline`: by the loop's time.
    """
    for seconds in pauses(postponed, deadline):
        await asyncio.sleep(seconds)
    return postponed.resume()
