"""Server streams on an event loop: one waiting task each, one sweeper for all, which notices clients that left.

On pyvoy receive() returns at once after the end of the body, for ever: nobody may wait on it, the sweeper polls it.
On hypercorn receive() waits for the client to leave, and connectrpc itself waits there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.transports.arrivals import Arrivals
from flyteapps_fake.transports.endpoints import Stream
from flyteapps_fake.transports.limits import Limits
from flyteapps_fake.transports.wire import Encoded, Event, Receive, encoded

if TYPE_CHECKING:
    from google.protobuf.message import Message

SWEEP_SECONDS = 1.0
BATCH = 256


class LiveStream:
    """One open stream: whether its client is there, and the wake of its task.

    `body`: what was read already, None where connectrpc shall read it as it comes.
    `connection`: what tells its connection from others.
    """

    def __init__(self, receive: Receive, body: bytes | None, polled: bool, connection: object = None) -> None:
        self.gone = False
        self.connection = connection
        self.ending: str | None = None
        self.task = asyncio.current_task()
        self._receive = receive
        self._body = body
        self._ended = body is not None
        self._polled = polled
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._event = asyncio.Event()
        self._poll: asyncio.Task[None] | None = None

    async def receive(self) -> Event:
        """What connectrpc reads: the body once, then nothing until the client leaves."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._polled and self._ended:
            await self._loop.create_future()
        event = await self._receive()
        if event["type"] == "http.disconnect":
            self.left()
        elif not event.get("more_body", False):
            self._ended = True
        return event

    def left(self) -> None:
        self.gone = True
        self._event.set()

    def end(self, message: str) -> None:
        """Have the stream end with UNAVAILABLE."""
        self.ending = message
        self._event.set()

    def wake(self) -> None:
        """Look again; from any thread, also from within the plane."""
        if threading.get_ident() == self._thread:
            self._event.set()
        else:
            self._loop.call_soon_threadsafe(self._event.set)

    def rearm(self) -> None:
        self._event.clear()

    async def present(self) -> bool:
        """Whether the client is still there."""
        if self._polled and self._ended and not self.gone:
            if self._poll is None:  # one at a time, and never cancelled: pyvoy forgets the other one
                self._poll = asyncio.create_task(self._look())
            await asyncio.shield(self._poll)
        elif not self.gone:
            await asyncio.sleep(0)
        return not self.gone

    async def _look(self) -> None:
        try:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self.left()
        except Exception:  # a server's own error for a client that left must not end the sweeper
            self.left()
        finally:
            self._poll = None

    async def wait(self, until: float | None) -> None:
        """Until woken; DEADLINE_EXCEEDED where the loop's time reaches `until` before."""
        if until is None:
            await self._event.wait()
            return
        try:
            async with asyncio.timeout_at(until):
                await self._event.wait()
        except TimeoutError:
            raise RpcError(Code.DEADLINE_EXCEEDED, "the stream's deadline has passed") from None


class Sweeper:
    """Looks every second at all streams of a loop, and ends those whose client left; counts them, too."""

    def __init__(self, limits: Limits, arrivals: Arrivals) -> None:
        self.streams: set[LiveStream] = set()
        self._limits = limits
        self._arrivals = arrivals
        self._of_connection: dict[object, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._ending: str | None = None

    def add(self, stream: LiveStream) -> None:
        """Takes a stream; RESOURCE_EXHAUSTED where there are as many as there may be."""
        if len(self.streams) >= self._limits.streams:
            raise RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"{len(self.streams)} streams are open, as many as this server allows: close some, "
                "or start it with a higher --max-streams",
            )
        others = self._of_connection.get(stream.connection, 0)
        if others >= self._limits.streams_per_connection:
            raise RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"this connection has {others} open streams, as many as one may have: close some, "
                "or open another connection",
            )
        self._of_connection[stream.connection] = others + 1
        self.streams.add(stream)
        if self._ending is not None:
            stream.end(self._ending)

    def discard(self, stream: LiveStream) -> None:
        """Forgets a stream; one that isn't there is no error."""
        if stream in self.streams:
            self.streams.remove(stream)
            others = self._of_connection.pop(stream.connection) - 1
            if others:
                self._of_connection[stream.connection] = others

    def end(self, message: str) -> None:
        """End all streams, and those that come after, with UNAVAILABLE."""
        self._ending = message
        for stream in self.streams:
            stream.end(message)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="flyteapps-sweeper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._arrivals.sweep()
            for number, stream in enumerate(list(self.streams)):
                if stream not in self.streams:
                    continue
                if stream.gone:  # seen a second ago and still here: it hangs in a send
                    if stream.task is not None:
                        stream.task.cancel()
                elif not await stream.present():
                    stream.left()
                if number % BATCH == BATCH - 1:
                    await asyncio.sleep(0)


async def pump(endpoint: Stream, request: Message, live: LiveStream, until: float | None) -> AsyncIterator[Encoded]:
    """The messages of one stream, until it is over or its client leaves; raises the RpcError that ends it."""
    subscription = endpoint.open(request)
    try:
        subscription.wake = live.wake
        count = 0
        while True:
            live.rearm()
            if live.gone:
                return
            if live.ending is not None:
                raise RpcError(Code.UNAVAILABLE, live.ending)
            try:
                item = subscription.take()
            except EOFError:
                return
            if item is not None:
                yield encoded(item, endpoint.response)
                count += 1
                if count % BATCH == 0:
                    await asyncio.sleep(0)
                continue
            if not await live.present():
                return
            subscription.sent()
            await live.wait(until)
    finally:
        subscription.close()
