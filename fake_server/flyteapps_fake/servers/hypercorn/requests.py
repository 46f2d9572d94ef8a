"""One request on hypercorn, of either HTTP: what still comes of a body once it was answered holds nothing up."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from hypercorn.protocol.events import Body, EndBody, Event, StreamClosed
from hypercorn.protocol.http_stream import HTTPStream

CONNECT_REFUSAL = b"CONNECT is not offered: this is no proxy\n"


class EarlyRequest(HTTPStream):
    """A request that may be answered before its body has come.

    hypercorn would wait for ever to put the rest, and the end, into the full queue of a handler that is gone.
    """

    _over = False

    async def handle(self, event: Event) -> None:
        if isinstance(event, StreamClosed):
            self._forget()
        elif self._over and isinstance(event, Body | EndBody):
            return
        await super().handle(event)

    async def app_send(self, message: Any) -> None:
        if message is None:
            self._forget()
        await super().app_send(message)

    def _forget(self) -> None:
        """Lets go of what nobody reads, and so of the connection, which waits to add to it."""
        self._over = True
        put = getattr(self, "app_put", None)
        if put is not None:
            queue = cast("asyncio.Queue[Any]", put.__self__)
            while not queue.empty():
                queue.get_nowait()
