"""Work in threads: what may take long, such as the removal of a large directory, doesn't keep the loop from others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Return what the function returns, which is called in a thread; a cancelled caller waits for its end."""
    call = partial(function, *arguments, **named)
    try:
        future = asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError:  # the interpreter ends, and starts no more threads
        return call()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait((future,))
        raise
