"""Large answers whose clients may not read them: sent in slices, with a bound of all that wait for their clients.

A server holds a body for which its client has no room, whatever its size. Slices wait for room, so that the server
holds some of each body, and the rest is here, where it is counted. Beyond the bound, clients that read nothing lose
their connections, those first that have read nothing for the longest time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flyteapps_fake.core.errors import Code
from flyteapps_fake.http.protocol.wire import Event, Send
from flyteapps_fake.http.request_timeouts import CallAbandoned
from flyteapps_fake.http.streaming.client_sockets import shut_down

LARGE_BYTES = 64 * 1024
"""Bytes of a body from which it is sent in slices; a server holds as many of a smaller one's stream anyway."""
FIRST_SLICE_BYTES = 64 * 1024
"""Bytes of the first slice, for which a server has room in any case."""
LATER_SLICE_BYTES = 256 * 1024
"""Bytes of the others, whose client reads: each slice costs some 50 microseconds of CPU."""
MAX_UNREAD_BYTES = 512 * 1024 * 1024
"""Bound of the large bodies that are being sent, together."""
SERVER_BYTES = 128 * 1024
"""Bytes that a server and its tasks take for each of them besides, with a first slice."""
STALLED_SECONDS = 0.25
"""Time for which a client has read nothing of its answer before it may lose its connection."""
FORGOTTEN_SECONDS = 10.0
"""Time for which requests of a closed connection may still arrive; a new one of the same client has another port."""


class _Sending:
    """A body that is being sent, and when its client last had room for a slice."""

    __slots__ = ("at", "body", "client", "held")

    def __init__(self, body: bytes, client: tuple[str, int], at: float) -> None:
        self.body = body
        self.client = client
        self.at = at
        self.held = SERVER_BYTES
        """Bytes besides the body."""


class UnreadAnswers:
    """The large bodies that one server is sending. `close` closes a connection; `now` is a clock in seconds."""

    def __init__(
        self,
        max_bytes: int = MAX_UNREAD_BYTES,
        close: Callable[[tuple[str, int]], object] = shut_down,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._close = close
        self._now = now
        self._sending: dict[_Sending, None] = {}
        """The client that has had room for nothing for the longest time is first."""
        self._sharing: dict[int, int] = {}
        """The number of streams that send the same bytes, by the identity of these."""
        self._closed: dict[tuple[str, int], float] = {}
        """When the connections of these clients were closed."""
        self.bytes = 0
        """Bytes held; an event that many streams send counts once."""

    def sliced(self, send: Send, client: tuple[str, int] | None) -> Send:
        """Return a send that sends large bodies of an answer to that client in slices."""

        async def sending(event: Event) -> None:
            if len(event.get("body", b"")) < LARGE_BYTES:
                await send(event)
            else:
                await self.send(send, event, client)

        return sending

    async def send(self, send: Send, event: Event, client: tuple[str, int] | None) -> None:
        """Send a large body in slices. Raises CallAbandoned for a client whose connection was closed."""
        body: bytes = event["body"]
        one = _Sending(body, client, self._now()) if client is not None else None
        if one is not None:
            self._add(one)
        try:
            view = memoryview(body)
            start, size = 0, FIRST_SLICE_BYTES
            while start < len(body):
                await send(_part(bytes(view[start : start + size])))
                start += size
                size = min(max(FIRST_SLICE_BYTES, len(body) - start), LATER_SLICE_BYTES)
                if one in self._sending:
                    del self._sending[one]
                    self._sending[one] = None
                    one.at = self._now()
                    self.bytes += SERVER_BYTES + size - FIRST_SLICE_BYTES - one.held
                    one.held = SERVER_BYTES + size - FIRST_SLICE_BYTES
            await send(_part(b""))  # waits for room, too: pyvoy itself would keep back the end, and nothing count it
        finally:
            if one is not None:
                self._discard(one)
        if not event.get("more_body", False):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def sweep(self) -> None:
        """Close connections whose clients read nothing, until the bound holds."""
        if self.bytes <= self._max_bytes:
            return
        stalled = self._now() - STALLED_SECONDS
        for one in tuple(self._sending):
            if self.bytes <= self._max_bytes or one.at > stalled:
                return
            if one in self._sending:
                self._close(one.client)
                self._closed = {client: at for client, at in self._closed.items() if at > stalled - FORGOTTEN_SECONDS}
                self._closed[one.client] = self._now()
                for each in [each for each in self._sending if each.client == one.client]:
                    self._discard(each)

    def _add(self, one: _Sending) -> None:
        if self._now() - self._closed.get(one.client, float("-inf")) < FORGOTTEN_SECONDS:
            raise CallAbandoned(Code.CANCELED)
        sharing = self._sharing.get(id(one.body), 0)
        self._sharing[id(one.body)] = sharing + 1
        self.bytes += one.held + (0 if sharing else len(one.body))
        self._sending[one] = None
        self.sweep()

    def _discard(self, one: _Sending) -> None:
        if one not in self._sending:
            return
        del self._sending[one]
        sharing = self._sharing.pop(id(one.body)) - 1
        if sharing:
            self._sharing[id(one.body)] = sharing
        self.bytes -= one.held + (0 if sharing else len(one.body))


def _part(body: bytes) -> Event:
    return {"type": "http.response.body", "body": body, "more_body": True}
