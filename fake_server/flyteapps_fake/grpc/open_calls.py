"""The open calls of grpcio's server: how many there may be, and what their clients keep it from.

A thread of grpcio waits without a limit of time for a request to arrive, and for a message of a stream to be read; and
its C library holds the answers of unary calls until they are read. All of that ends if the call is cancelled, which
any thread can do: the clients then get CANCELLED.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

import grpc

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.streaming.unread_answers import LARGE_BYTES, MAX_UNREAD_BYTES, STALLED_SECONDS

MAX_STREAMS = 512
"""Server streams that may be open at once: each holds a thread."""
MAX_STREAMS_PER_CONNECTION = 256
MAX_CALLS = 256
"""Unary calls that may be under way at once: each holds a thread until its answer is there."""
MAX_ARRIVING = 64
"""Requests that may take more than ARRIVING_SECONDS to arrive; each takes up to 4 MiB meanwhile."""
ARRIVING_SECONDS = 0.5
CALL_BYTES = 32 * 1024
"""Bytes that grpcio takes for a unary call whose answer isn't read, besides the answer."""


class OpenCall:
    """One call: where it came from, and since when its client keeps the server waiting."""

    __slots__ = ("at", "connection", "context", "over", "size", "streaming")

    def __init__(self, context: grpc.ServicerContext, streaming: bool, at: float) -> None:
        self.context = context
        self.streaming = streaming
        self.connection = context.peer() if streaming else ""
        self.at = at
        self.size = 0
        self.over = False


class OpenCalls:
    """The open calls of one server. `request_seconds`: time for a request to arrive; `now`: a clock in seconds."""

    def __init__(
        self,
        request_seconds: float,
        max_unread_bytes: int = MAX_UNREAD_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._request_seconds = request_seconds
        self._max_unread_bytes = max_unread_bytes
        self._now = now
        self._lock = threading.Lock()
        self._calls = 0
        """Unary calls that hold a thread."""
        self._streams = 0
        self._of_connection: dict[str, int] = {}
        """The number of a connection's open streams."""
        self._arriving: dict[OpenCall, None] = {}
        """Calls whose request is arriving, the longest first."""
        self._unread: dict[OpenCall, None] = {}
        """Calls with messages that their clients haven't read, the longest first."""
        self.unread_bytes = 0

    def add(self, context: grpc.ServicerContext, *, streaming: bool) -> OpenCall:
        """Add a call whose request is arriving, until `release`. Raises RESOURCE_EXHAUSTED."""
        call = OpenCall(context, streaming, self._now())
        cancelled: list[OpenCall] = []
        with self._lock:
            if streaming or self._calls >= MAX_CALLS:
                cancelled += self._check_number(call)
            if streaming:
                self._streams += 1
                self._of_connection[call.connection] = self._of_connection.get(call.connection, 0) + 1
            else:
                self._calls += 1
            self._arriving[call] = None
            if len(self._arriving) > MAX_ARRIVING:
                cancelled += self._late()
        _cancel(cancelled)
        if not context.add_callback(partial(self._finish, call)):
            self._finish(call)
        return call

    def arrived(self, call: OpenCall) -> None:
        """Note that the request is there, or will not be."""
        with self._lock:
            self._arriving.pop(call, None)

    def release(self, call: OpenCall) -> None:
        """Note that the call, which `add` returned, holds no thread any more."""
        with self._lock:
            if not call.streaming:
                self._calls -= 1
                return
            self._streams -= 1
            others = self._of_connection.pop(call.connection) - 1
            if others:
                self._of_connection[call.connection] = others

    def sending(self, call: OpenCall, size: int) -> None:
        """Note that so many bytes are being sent, until `sent` or the end of the call."""
        if call.streaming and size < LARGE_BYTES:
            return  # there are few, and its thread holds no more
        cancelled: list[OpenCall] = []
        with self._lock:
            if call.over:
                return
            # the thread of a stream holds the message, too
            call.at, call.size = self._now(), (2 * size if call.streaming else size) + CALL_BYTES
            self._unread[call] = None
            self.unread_bytes += call.size
            if self.unread_bytes > self._max_unread_bytes:
                cancelled = self._unread_too_long()
        _cancel(cancelled)

    def sent(self, call: OpenCall) -> None:
        """Note that the client has read the bytes that are being sent."""
        if call.size:
            with self._lock:
                self._discard_unread(call)

    def sweep(self) -> None:
        """Cancel the calls that keep the server waiting for too long."""
        with self._lock:
            cancelled = self._late() + self._unread_too_long()
        _cancel(cancelled)

    def _finish(self, call: OpenCall) -> None:
        with self._lock:
            call.over = True
            self._arriving.pop(call, None)
            self._discard_unread(call)

    def _discard_unread(self, call: OpenCall) -> None:
        if call.size:
            del self._unread[call]
            self.unread_bytes -= call.size
            call.size = 0

    def _check_number(self, call: OpenCall) -> list[OpenCall]:
        """Remove and return the call that has to be cancelled for this one, if any. Raises RESOURCE_EXHAUSTED."""
        others = self._of_connection.get(call.connection, 0)
        if others >= MAX_STREAMS_PER_CONNECTION:
            raise _too_many(f"this connection has {others} open streams", "open another connection")
        if call.streaming and self._streams < MAX_STREAMS:
            return []
        slowest = next((each for each in self._arriving if each.streaming == call.streaming), None)
        if slowest is None:
            open_ones = f"{self._streams} streams are open" if call.streaming else f"{self._calls} calls are under way"
            raise _too_many(f"{open_ones} at grpcio's port", "use the server's own port, which also speaks gRPC")
        del self._arriving[slowest]
        return [slowest]

    def _late(self) -> list[OpenCall]:
        """Remove and return the calls whose requests take too long to arrive."""
        now = self._now()
        found: list[OpenCall] = []
        for call in self._arriving:
            too_many = len(self._arriving) - len(found) > MAX_ARRIVING
            if now - call.at < (ARRIVING_SECONDS if too_many else self._request_seconds):
                break
            found.append(call)
        for call in found:
            del self._arriving[call]
        return found

    def _unread_too_long(self) -> list[OpenCall]:
        """Remove and return the calls that have been unread for the longest time, where unread bytes are too many."""
        stalled = self._now() - STALLED_SECONDS
        found: list[OpenCall] = []
        while self.unread_bytes > self._max_unread_bytes:
            call = next(iter(self._unread))
            if call.at > stalled:
                break
            self._discard_unread(call)
            found.append(call)
        return found


def _too_many(count: str, otherwise: str) -> RpcError:
    return RpcError(Code.RESOURCE_EXHAUSTED, f"{count}, as many as there may be: close some, or {otherwise}")


def _cancel(calls: Iterable[OpenCall]) -> None:
    for call in calls:
        call.context.cancel()
