"""Turns of the loop for the work of connections, shared among all of a server's."""

from __future__ import annotations

import asyncio
from collections import deque

from hypercorn.asyncio.worker_context import WorkerContext

MAX_PER_TURN = 16
"""Requests, ends of streams and pieces of data that all connections together begin before other work has a turn."""


class Turns:
    """The places for work in each turn of the loop, for which the connections of a server wait in one queue.

    Without them a client with many connections has work done on each of these between any two steps of another
    client's call.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = MAX_PER_TURN
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._renewing = False

    def take(self) -> bool:
        """Take a place in this turn; return False where none is left: `wait` for one then."""
        if not self._left:
            return False
        self._left -= 1
        if not self._renewing:
            self._renewing = True
            self._loop.call_soon(self._renew)
        return True

    async def wait(self) -> None:
        """Take a place in one of the next turns."""
        place = self._loop.create_future()
        self._waiting.append(place)
        if not self._renewing:
            self._renewing = True
            self._loop.call_soon(self._renew)
        await place

    def _renew(self) -> None:
        """Begin a turn; its places are first for those that wait."""
        self._left = MAX_PER_TURN
        self._renewing = False
        while self._left and self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # its connection was cut
                place.set_result(None)
                self._left -= 1
        if self._left < MAX_PER_TURN:
            self._renewing = True
            self._loop.call_soon(self._renew)


class Context(WorkerContext):
    """The state that the connections of a server share."""

    def __init__(self) -> None:
        super().__init__(None)
        self.turns = Turns()
