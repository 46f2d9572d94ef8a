"""Server streams on an event loop: one waiting task each, and one sweeper for all, which notices clients that left.

On pyvoy receive() always returns at once after the end of the body: no task may wait on it, the sweeper polls it.
On hypercorn receive() returns when the client leaves: connectrpc itself waits there, else `listen` does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.delays import outcome
from flyteapps_fake.http.endpoints import Source, Stream
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.http.protocol.wire import Event, Receive, Send
from flyteapps_fake.http.request_timeouts import RequestTimeouts
from flyteapps_fake.http.streaming.unread_answers import UnreadAnswers

SWEEP_SECONDS = 1.0
SWEPT_AT_ONCE = 256
"""Streams that are polled at once."""
MANY_STREAMS = 2_000
"""Number of open streams from which each is polled half as often."""
MAX_BATCH_BYTES = 64 * 1024
"""Bytes of messages from which a batch is sent."""


class LiveStream:
    """One open stream: whether its client is connected, and how its task is woken.

    `body`: the body, read already, None where connectrpc reads it as it arrives. `connection`: identifies its
    connection.
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
        self._polling: asyncio.Future[Event] | None = None
        self._listening: asyncio.Task[None] | None = None

    async def receive(self) -> Event:
        """Return the next event for connectrpc: the body once, then nothing until the client leaves."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._polled and self._ended:
            await self._loop.create_future()
        event = await self._receive()
        if event["type"] == "http.disconnect":
            self.mark_gone()
        elif not event.get("more_body", False):
            self._ended = True
        return event

    def listen(self) -> None:
        """Watch for the client to leave, where receive() waits for that: for a stream that connectrpc doesn't read."""
        if not self._polled:
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while not self.gone:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self.mark_gone()

    def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()

    async def deliver(self, send: Send, event: Event) -> None:
        """Send an event to a connected client; an error of the server means that it has left."""
        if not self.gone:
            try:
                await send(event)
            except Exception as error:  # pyvoy's ClientDisconnectedError, or an OSError: each server has its own
                # pyvoy raises one and the same for all clients: its traceback would keep the frames of each alive
                error.__traceback__ = None
                self.mark_gone()

    def mark_gone(self) -> None:
        """Note that the client has left, and wake the task."""
        self.gone = True
        self._wake()

    def end(self, message: str) -> None:
        """End the stream with UNAVAILABLE."""
        self.ending = message
        self._wake()

    def wake(self) -> None:
        """Wake the task; from any thread, also from within the plane."""
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Forget earlier wakes: `wait` returns at those from now on."""
        self._woken = False

    def poll(self) -> asyncio.Future[Event] | None:
        """Start to poll the client, and return the poll; None where polling isn't possible, or `gone` is known.

        There is one poll at a time, which is never cancelled: pyvoy forgets the other one. Each of many polls at once
        costs a tenth of a single one.
        """
        if self.gone or not (self._polled and self._ended):
            return None
        if self._polling is None:
            self._polling = asyncio.ensure_future(self._receive())
            self._polling.add_done_callback(self._finish_poll)
        return self._polling

    async def is_connected(self) -> bool:
        """Poll, and return whether the client is still connected."""
        polling = self.poll()
        await (asyncio.wait((polling,)) if polling is not None else asyncio.sleep(0))
        return not self.gone

    def _finish_poll(self, polling: asyncio.Future[Event]) -> None:
        self._polling = None
        # a server's own error for a client that left must not end the sweeper
        if polling.cancelled() or polling.exception() is not None or polling.result()["type"] == "http.disconnect":
            self.mark_gone()

    async def wait(self, until: float | None) -> bool:
        """Wait until woken since `clear`, and return True; False where the loop's time reaches `until` before."""
        if self._woken:
            return True
        self._waiter = self._loop.create_future()
        if until is None:
            await self._waiter
            return True
        try:
            async with asyncio.timeout_at(until):
                await self._waiter
        except TimeoutError:
            return False
        return True


class Sweeper:
    """The open streams of a loop: it polls all of them every second or two, and ends those whose client left."""

    def __init__(self, limits: Limits, timeouts: RequestTimeouts, unread_answers: UnreadAnswers) -> None:
        self.streams: set[LiveStream] = set()
        self._limits = limits
        self._timeouts = timeouts
        self._unread_answers = unread_answers
        self._of_connection: dict[object, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._ending: str | None = None

    def add(self, stream: LiveStream) -> None:
        """Add a stream. Raises RESOURCE_EXHAUSTED where the limit of streams is reached."""
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
        """Remove a stream, if it is there."""
        stream.close()
        if stream in self.streams:
            self.streams.remove(stream)
            others = self._of_connection.pop(stream.connection) - 1
            if others:
                self._of_connection[stream.connection] = others

    def end(self, message: str) -> None:
        """End all streams, and those that are added later, with UNAVAILABLE."""
        self._ending = message
        for stream in self.streams:
            stream.end(message)

    def start(self) -> None:
        """Start to poll, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="flyteapps-sweeper")

    async def stop(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS if len(self.streams) < MANY_STREAMS else 2 * SWEEP_SECONDS)
            self._timeouts.sweep()
            self._unread_answers.sweep()
            streams = list(self.streams)
            for start in range(0, len(streams), SWEPT_AT_ONCE):
                await self._sweep(streams[start : start + SWEPT_AT_ONCE])

    async def _sweep(self, batch: list[LiveStream]) -> None:
        polls: list[asyncio.Future[Event]] = []
        for stream in batch:
            if stream not in self.streams:
                continue
            if stream.gone:  # known for a second, and still open: it hangs in a send
                if stream.task is not None:
                    stream.task.cancel()
            elif (one := stream.poll()) is not None:
                polls.append(one)
        if polls:
            await asyncio.wait(polls)
        await asyncio.sleep(0)


def collect(source: Source) -> tuple[list[bytes], RpcError | EOFError | None, bool]:
    """Return the messages that are there, the end of the stream after them, if any, and whether there are no more."""
    items: list[bytes] = []
    size = 0
    try:
        while size < MAX_BATCH_BYTES:
            item = source.take()
            if item is None:
                return items, None, True
            items.append(item)
            size += len(item)
    except (EOFError, RpcError) as end:
        return items, end, True
    return items, None, False


async def message_batches(endpoint: Stream, call: Call[Any], live: LiveStream) -> AsyncGenerator[list[bytes]]:
    """Yield the messages of one stream, as many at once as are there, until it is over or its client leaves.

    Raises the RpcError that ends it, or that refuses to open it. The first batch is empty, and
    follows the opening.
    """
    try:
        source = endpoint.open(call)
    except Postponed as postponed:
        source = await outcome(postponed, call.deadline)
    try:
        source.wake = live.wake
        yield []
        while not live.gone:
            live.clear()
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
                if not await live.is_connected():
                    return
                source.sent()
            if not await live.wait(call.deadline):
                late = source.late()
                if late is not None:
                    raise late
                return
    finally:
        source.close()
