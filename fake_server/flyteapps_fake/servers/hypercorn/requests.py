"""One request on hypercorn, in either version of HTTP; the rest of a body after its answer blocks nothing."""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import Any, cast

from hypercorn.protocol.events import Body, EndBody, Event, StreamClosed
from hypercorn.protocol.http_stream import HTTPStream

from flyteapps_fake.servers.hypercorn.sending import Unread

CONNECT_REFUSAL = b"CONNECT is not offered: this is no proxy\n"


class EarlyRequest(HTTPStream):
    """A request that may be answered before its whole body has arrived.

    hypercorn would block forever on putting the rest, and the end, into the full queue of a finished handler. The
    methods are no coroutines of their own, which each event would pay for.
    """

    unread: Unread | None = None
    """The unread bytes of the connection, where it may have several requests."""
    _over = False

    def handle(self, event: Event) -> CoroutineType[Any, Any, None]:
        """Pass an event of the client to the application; drop parts of the body after the end of the handler.

        The end of a body is held while the client doesn't read the answers to other requests.
        """
        if isinstance(event, StreamClosed):
            self._drop_unread()
        elif self._over and isinstance(event, Body | EndBody):
            return _nothing()
        elif self.unread is not None and self.unread.full and isinstance(event, EndBody):
            self.unread.hold(lambda: self._end_body(event))
            return _nothing()
        return super().handle(event)

    def app_send(self, message: Any) -> CoroutineType[Any, Any, None]:
        """Send an event of the application; None at its end."""
        if message is None:
            self._drop_unread()
            if self.unread is not None:
                self.unread.resume()
        return super().app_send(message)

    def _end_body(self, event: EndBody) -> None:
        """Pass the end of the body on, unless the server ends, and no task may be started any more."""
        if not self.context.terminated.is_set():
            cast("Any", self.task_group).spawn(super().handle, event)

    def _drop_unread(self) -> None:
        """Empty the queue of the handler, and so release the connection, which waits to add to it."""
        self._over = True
        put = getattr(self, "app_put", None)
        if put is not None:
            queue = cast("asyncio.Queue[Any]", put.__self__)
            while not queue.empty():
                queue.get_nowait()


async def _nothing() -> None:
    return
