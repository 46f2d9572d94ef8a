"""Server streams on an event loop: one waiting task each, one sweeper for all, which notices clients that left.

On pyvoy receive() returns at once after the end of the body, for ever: nobody may wait on it, the sweeper polls it.
On hypercorn receive() waits for the client to leave: connectrpc itself waits there, else `listen` does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.endpoints import Source, Stream
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.http.protocol.wire import Event, Receive, Send
from flyteapps_fake.http.request_timeouts import Arrivals

SWEEP_SECONDS = 1.0
BATCH = 256
"""Streams whose clients are looked for at once."""
MANY = 2_000
"""Streams that are looked at half as often."""
ENOUGH = 64 * 1024
"""Bytes of messages that are sent at once."""


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
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None
        self._looking: asyncio.Future[Event] | None = None
        self._listening: asyncio.Task[None] | None = None

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

    def listen(self) -> None:
        """Notices by itself, where receive() waits, that the client left: for a stream that connectrpc doesn't read."""
        if not self._polled:
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while not self.gone:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self.left()

    def close(self) -> None:
        """Nobody listens any more."""
        if self._listening is not None:
            self._listening.cancel()

    async def deliver(self, send: Send, event: Event) -> None:
        """Sends to a client that is there; one that turns out not to be has left."""
        if not self.gone:
            try:
                await send(event)
            except Exception as error:  # pyvoy's ClientDisconnectedError, or an OSError: each server has its own
                # pyvoy raises one and the same for all clients: its traceback would hold the frames of each, for ever
                error.__traceback__ = None
                self.left()

    def left(self) -> None:
        self.gone = True
        self._wake()

    def end(self, message: str) -> None:
        """Have the stream end with UNAVAILABLE."""
        self.ending = message
        self._wake()

    def wake(self) -> None:
        """Look again; from any thread, also from within the plane."""
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def rearm(self) -> None:
        """Waits for what comes from now on."""
        self._woken = False

    def look(self) -> asyncio.Future[Event] | None:
        """Begins to ask whether the client is there; None where nobody can be asked, or `gone` says it.

        One question at a time, and never cancelled: pyvoy forgets the other one. Many at once cost a tenth each of
        what one alone costs.
        """
        if self.gone or not (self._polled and self._ended):
            return None
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._receive())
            self._looking.add_done_callback(self._looked)
        return self._looking

    async def present(self) -> bool:
        """Whether the client is still there."""
        looking = self.look()
        await (asyncio.wait((looking,)) if looking is not None else asyncio.sleep(0))
        return not self.gone

    def _looked(self, looking: asyncio.Future[Event]) -> None:
        self._looking = None
        # a server's own error for a client that left must not end the sweeper
        if looking.cancelled() or looking.exception() is not None or looking.result()["type"] == "http.disconnect":
            self.left()

    async def wait(self, until: float | None) -> None:
        """Until woken since `rearm`; DEADLINE_EXCEEDED where the loop's time reaches `until` before."""
        if self._woken:
            return
        self._waiter = self._loop.create_future()
        if until is None:
            await self._waiter
            return
        try:
            async with asyncio.timeout_at(until):
                await self._waiter
        except TimeoutError:
            raise RpcError(Code.DEADLINE_EXCEEDED, "the stream's deadline has passed") from None


class Sweeper:
    """Looks every second or two at all streams of a loop, and ends those whose client left; counts them, too."""

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
        stream.close()
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
            await asyncio.sleep(SWEEP_SECONDS if len(self.streams) < MANY else 2 * SWEEP_SECONDS)
            self._arrivals.sweep()
            streams = list(self.streams)
            for start in range(0, len(streams), BATCH):
                await self._sweep(streams[start : start + BATCH])

    async def _sweep(self, batch: list[LiveStream]) -> None:
        looking: list[asyncio.Future[Event]] = []
        for stream in batch:
            if stream not in self.streams:
                continue
            if stream.gone:  # seen a second ago and still here: it hangs in a send
                if stream.task is not None:
                    stream.task.cancel()
            elif (one := stream.look()) is not None:
                looking.append(one)
        if looking:
            await asyncio.wait(looking)
        await asyncio.sleep(0)


def collect(source: Source) -> tuple[list[bytes], RpcError | EOFError | None, bool]:
    """What is there; how the stream ends after that, if it does; and whether nothing more was there."""
    items: list[bytes] = []
    size = 0
    try:
        while size < ENOUGH:
            item = source.take()
            if item is None:
                return items, None, True
            items.append(item)
            size += len(item)
    except (EOFError, RpcError) as end:
        return items, end, True
    return items, None, False


async def pump(endpoint: Stream, call: Call[Any], live: LiveStream) -> AsyncGenerator[list[bytes]]:
    """The messages of one stream, as many at once as are there, until it is over or its client leaves.

    Raises the RpcError that ends it, or that lets it not begin. The first batch comes at once, and is empty.
    """
    source = endpoint.open(call)
    try:
        source.wake = live.wake
        yield []
        while not live.gone:
            live.rearm()
            if live.ending is not None:
                raise RpcError(Code.UNAVAILABLE, live.ending)
            items, end, drained = collect(source)
            if items:
                yield items
            if isinstance(end, RpcError):
                raise end
            if end is not None:
                return
            if not drained:
                await asyncio.sleep(0)
                continue
            if source.on_sent is not None:
                if not await live.present():
                    return
                source.sent()
            await live.wait(call.deadline)
    finally:
        source.close()
