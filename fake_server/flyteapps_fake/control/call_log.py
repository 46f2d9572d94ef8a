"""The log of calls: each with its request, its outcome and its times; the oldest are forgotten first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from flyteapps_control.selection import AppName
from flyteapps_fake.control.subject import app_named_by
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import Operation

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of requests and responses that are kept."""
MAX_MESSAGES = 100
"""Messages of a stream that are kept, the last ones."""
RECORD_BYTES = 400
"""Bytes of a record besides its messages."""
NO_MESSAGES: deque[bytes] = deque(maxlen=0)


class Record:
    """A recorded call. `number`: from 1. `code`: the name of its code, "" as long as it isn't over.

    `time_ns`: the plane's time at which it began; `real_time`: that of the wall clock, in seconds since 1970. `faults`:
    the ids of the rules whose faults it had. What costs time is made when it is asked for.
    """

    __slots__ = (
        "_call",
        "_ends_otherwise",
        "_log",
        "_request",
        "_response",
        "_stream",
        "code",
        "faults",
        "message",
        "messages",
        "number",
        "real_time",
        "size",
        "time_ns",
    )

    def __init__(self, log: CallLog, number: int, call: Call[Any], time_ns: int) -> None:
        self._log = log
        self.number = number
        self._call = call
        self.time_ns = time_ns
        self.real_time = time.time()
        # the plane may change and keep the request of a write
        self._request: bytes | None = None if call.operation.no_side_effects else call.request.SerializeToString()
        self._response: bytes | None = None
        self._ends_otherwise = False
        self._stream = NO_MESSAGES
        self.messages = 0
        self.code = ""
        self.message = ""
        self.faults: tuple[str, ...] = ()
        self.size: int = RECORD_BYTES + (call.request.ByteSize() if self._request is None else len(self._request))

    @property
    def operation(self) -> Operation:
        """The RPC."""
        return self._call.operation

    @property
    def app(self) -> AppName:
        """The app that the request names."""
        return app_named_by(self._call)

    @property
    def caller(self) -> str:
        """The subject of an authenticated caller, "" for any other."""
        return self._call.caller or ""

    @property
    def protocol(self) -> str:
        """The protocol, "direct" without a wire."""
        return self._call.protocol

    @property
    def request(self) -> bytes:
        """The encoded request."""
        return self._call.request.SerializeToString() if self._request is None else self._request

    @property
    def responses(self) -> list[bytes]:
        """The encoded response, or the last messages of a stream."""
        return [*self._stream] if self._response is None else [self._response]

    def answer(self, response: bytes) -> None:
        """Record the response of a unary call."""
        self._response = response
        self.code = "OK"
        self._log.grow(self, len(response))
        if not self._ends_otherwise:
            self._log.finish(self)

    def send(self, message: bytes) -> None:
        """Record a message of a stream."""
        if self._stream is NO_MESSAGES:
            self._stream = deque[bytes](maxlen=MAX_MESSAGES)
        dropped = len(self._stream[0]) if len(self._stream) == MAX_MESSAGES else 0
        self._stream.append(message)
        self.messages += 1
        self._log.grow(self, len(message) - dropped)

    def end(self, code: str, message: str = "") -> None:
        """Record the end of the call, the first one."""
        if not self.code:
            self.code, self.message = code, message
            self._log.finish(self)

    def expect_loss(self) -> None:
        """Record that `lose_answer` follows, unless the call fails: the call isn't over with its answer."""
        self._ends_otherwise = True

    def lose_answer(self, code: str, message: str) -> None:
        """Record that the call was carried out, and answered otherwise."""
        self._response = None
        self.code, self.message = code, message
        self._log.finish(self)


class CallLog:
    """The recorded calls, at most `size` of them, in order. Not thread-safe."""

    def __init__(self, size: int, now: Callable[[], int]) -> None:
        self.size = size
        self._now = now
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._number = 0
        self.forgotten = 0
        """Number of calls that were recorded and are forgotten by now."""
        self.on_finished: Callable[[Record], None] | None = None
        """The listener for calls that are over; it must not wait."""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records))

    def begin(self, call: Call[Any]) -> Record:
        """Record a call that begins."""
        self._number += 1
        record = Record(self, self._number, call, self._now())
        self._records.append(record)
        self._bytes += record.size
        if len(self._records) > self.size or self._bytes > MAX_BYTES:
            self._trim()
        return record

    def grow(self, record: Record, size: int) -> None:
        """Count the bytes by which a record grew."""
        if record.number > self._number - len(self._records):  # else it is forgotten already
            record.size += size
            self._bytes += size
            if self._bytes > MAX_BYTES:
                self._trim()

    def finish(self, record: Record) -> None:
        """Report that a call is over."""
        if self.on_finished is not None:
            self.on_finished(record)

    def clear(self) -> int:
        """Forget all calls; return how many there were."""
        count = len(self._records)
        self._records.clear()
        self._bytes = 0
        return count

    def _trim(self) -> None:
        """Forget the oldest records beyond the bounds."""
        while len(self._records) > self.size or (self._bytes > MAX_BYTES and len(self._records) > 1):
            self._bytes -= self._records.popleft().size
            self.forgotten += 1
