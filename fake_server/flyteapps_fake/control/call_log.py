"""The log of calls: each with its request, its outcome and its times; the oldest are forgotten first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from time import time
from typing import Any, NamedTuple

from flyteidl2.app.app_payload_pb2 import GetRequest, GetResponse
from google.protobuf.message import Message

from flyteapps_control.selection import AppName
from flyteapps_control.v1.control_pb2 import AppSelector, Fault, Load
from flyteapps_fake.control.subject import app_named_by, app_named_in
from flyteapps_fake.core.call import Call, Protocol
from flyteapps_fake.core.operations import GET
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.simulation.given import Given

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of requests and responses that are kept."""
MAX_MESSAGES = 100
"""Messages of a stream that are kept, the last ones."""
MAX_EFFECTS = 100
"""Changes to which a call led that are kept, and as many messages of streams; the first ones."""
MAX_LOADS = 10_000
"""Changes of declared loads that are kept, the last ones."""
MAX_LOAD_BYTES = 4 * 1024 * 1024
"""Bytes of the loads in them."""
MAX_DECODED_BYTES = 1024
"""Bytes of a request of a read that is kept decoded; decoded, one that was built for it has 30 times its size."""
EFFECT_BYTES = 200
RECORD_BYTES = 400
"""Bytes of a record besides its messages."""
NO_MESSAGES: deque[tuple[bytes, Cause]] = deque(maxlen=0)

QuickRead = tuple[int, int, float, bytes, Protocol, str | None]
"""A Get by the id of a stored app: its number, times, response, protocol and caller. A Record is made of it on demand.
"""


class Effect(NamedTuple):
    """A change of an app to which a call led; or a message of a stream, by the number of its call and its own."""

    time_ns: int
    app: AppName
    cause: Cause
    change: str = ""
    stream: int = 0
    message: int = 0


class LoadChange(NamedTuple):
    """A load that was declared, or else loads that were removed: those of `app`, all for None.

    `after`: the number of the last call before it.
    """

    time_ns: int
    after: int
    load: Load | None
    app: AppSelector | None

    @property
    def size(self) -> int:
        """The bytes of its message."""
        message = self.load or self.app
        return message.ByteSize() if message is not None else 0


class Record:
    """A recorded call. `number`: from 1. `code`: the name of its code, "" as long as it isn't over.

    `caller`: the subject of an authenticated caller, "" for any other. `protocol`: "direct" without a wire.
    `time_ns`: the plane's time at which it began; `real_time`: that of the wall clock, in seconds since 1970.
    `fault_rules`: the rules whose faults it had. `opened`: whether it is a stream that was opened.
    `abandoned`: whether its client left before it was carried out. `changes` of apps
    and `deliveries`, messages of streams, are what it led to, and `starts` the scenarios of apps that it started. What
    costs time is made when it is asked for.
    """

    __slots__ = (
        "_app",
        "_ends_otherwise",
        "_log",
        "_message",
        "_request",
        "_response",
        "_stream",
        "abandoned",
        "caller",
        "changes",
        "code",
        "deliveries",
        "fault_rules",
        "message",
        "messages",
        "number",
        "opened",
        "operation",
        "protocol",
        "real_time",
        "size",
        "starts",
        "time_ns",
    )

    def __init__(self, log: CallLog, number: int, call: Call[Any], time_ns: int, real_time: float) -> None:
        self._log = log
        self.number = number
        self.operation = call.operation
        self.caller = call.caller or ""
        self.protocol: str = call.protocol
        self.time_ns = time_ns
        self.real_time = real_time
        # not the call, whose headers may be long and secret; the plane may change and keep the request of a write
        self._message: Message | None = call.request
        self._request: bytes | None = None
        self._app: AppName | None = None
        size = call.request.ByteSize()
        if not call.operation.no_side_effects or size > MAX_DECODED_BYTES:
            self._message, self._request, self._app = None, call.request.SerializeToString(), app_named_by(call)
        self._response: bytes | None = None
        self._ends_otherwise = False
        self._stream = NO_MESSAGES
        self.changes: list[Effect] = []
        self.deliveries: list[Effect] = []
        self.starts: list[Given] = []
        self.messages = 0
        self.code = ""
        self.message = ""
        self.fault_rules: Sequence[Fault] = ()
        self.opened = False
        self.abandoned = False
        self.size: int = RECORD_BYTES + size

    @classmethod
    def of(cls, read: QuickRead, log: CallLog) -> Record:
        """Return the record of a Get, whose request was the id of the app that it returned."""
        number, time_ns, real_time, response, protocol, caller = read
        app_id = GetResponse.FromString(response).app.metadata.id
        call = Call(GET, GetRequest(app_id=app_id), caller=caller, protocol=protocol)
        record = cls(log, number, call, time_ns, real_time)
        record._response = response
        record.size += len(response)
        record.code = "OK"
        return record

    @property
    def faults(self) -> list[str]:
        """The ids of the rules whose faults it had."""
        return [each.id for each in self.fault_rules]

    @property
    def app(self) -> AppName:
        """The app that the request names."""
        if self._app is None:
            assert self._message is not None
            self._app = app_named_in(self.operation, self._message)
        return self._app

    @property
    def request(self) -> bytes:
        """The encoded request."""
        if self._request is None:
            assert self._message is not None
            return self._message.SerializeToString()
        return self._request

    @property
    def responses(self) -> list[bytes]:
        """The encoded response, or the last messages of a stream."""
        return [message for message, _ in (*self._stream,)] if self._response is None else [self._response]

    @property
    def causes(self) -> list[Cause]:
        """The causes of the messages of a stream."""
        return [cause for _, cause in (*self._stream,)]

    @property
    def effects(self) -> list[Effect]:
        """All to which it led, in order of time."""
        return sorted((*self.changes, *self.deliveries), key=lambda effect: effect.time_ns)

    def answer(self, response: bytes) -> None:
        """Record the response of a unary call."""
        self._response = response
        self.code = "OK"
        self._log.grow(self, len(response))
        if not self._ends_otherwise:
            self._log.finish(self)

    def send(self, message: bytes, cause: Cause) -> None:
        """Record a message of a stream, and that the cause has led to it."""
        if self._stream is NO_MESSAGES:
            self._stream = deque[tuple[bytes, Cause]](maxlen=MAX_MESSAGES)
        dropped = len(self._stream[0][0]) if len(self._stream) == MAX_MESSAGES else 0
        self._stream.append((message, cause))
        self.messages += 1
        origin = self._log.record_of(cause.call) if cause.call != self.number else None
        if origin is not None and len(origin.deliveries) < MAX_EFFECTS:
            effect = Effect(self._log.now(), self.app, cause, stream=self.number, message=self.messages)
            self._log.add_effect(origin, origin.deliveries, effect)
        self._log.grow(self, len(message) - dropped)

    def end(self, code: str, message: str = "") -> None:
        """Record the end of the call, the first one."""
        if not self.code and not self._ends_otherwise:
            self._refused(code, message)

    def abandon(self, message: str) -> None:
        """Record that the client left before the call was carried out."""
        self.abandoned = True
        self.end("CANCELED", message)

    def expect_loss(self) -> None:
        """Record that `lose_answer` follows: the call isn't over with its answer, nor with its error."""
        self._ends_otherwise = True

    def lose_answer(self, code: str, message: str) -> None:
        """Record that the call was carried out, and answered otherwise."""
        self._response = None
        self._refused(code, message)

    def _refused(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        self._log.grow(self, len(message))
        self._log.finish(self)


class CallLog:
    """The recorded calls, at most `size` of them, in order. Not thread-safe.

    `now` returns the plane's time. A Get takes few microseconds, so that its record is one tuple in a ring, and bytes
    are not summed up for it: as many as fit into the ring, of so few bytes each, have half of `MAX_BYTES` at most. All
    other calls have a Record, whose bytes are counted, with the other half.
    """

    def __init__(self, size: int, now: Callable[[], int]) -> None:
        self.size = size
        self.now = now
        self._records: deque[Record] = deque()
        self._by_number: dict[int, Record] = {}
        self._reads: deque[QuickRead] = deque(maxlen=size)
        self._max_read_bytes = MAX_BYTES // 2 // max(1, size) - RECORD_BYTES
        self._bytes = 0
        self._number = 0
        self._first = 1
        """The number of the oldest call that is kept; calls before it are forgotten, or cleared."""
        self._cleared = 0
        """Number of calls that were cleared."""
        self._on_finished: Callable[[Record], None] | None = None
        self.loads = deque[LoadChange]()
        """The changes of declared loads."""
        self._load_bytes = 0

    def __len__(self) -> int:
        return self._number - self._oldest() + 1

    def __iter__(self) -> Iterator[Record]:
        first = self._oldest()
        reads = [Record.of(each, self) for each in self._reads if each[0] >= first]
        records = [each for each in self._records if each.number >= first]
        return merge(reads, records, key=lambda record: record.number)

    @property
    def forgotten(self) -> int:
        """Number of calls that were recorded and are forgotten by now."""
        return self._oldest() - 1 - self._cleared

    @property
    def last(self) -> int:
        """The number of the last call that was recorded."""
        return self._number

    def restart(self, last: int) -> None:
        """Forget all calls and changes of loads, and number the next call after `last`."""
        self.clear()
        self.loads.clear()
        self._load_bytes = 0
        self._number, self._first, self._cleared = last, last + 1, last

    def on_finished(self, listener: Callable[[Record], None]) -> None:
        """Call `listener` with each call that is over; it must not wait."""
        self._on_finished = listener
        self._max_read_bytes = -1

    def begin(self, call: Call[Any]) -> Record:
        """Record a call that begins."""
        self._number += 1
        record = Record(self, self._number, call, self.now(), time())
        self._add(record)
        return record

    def answer(self, response: bytes, protocol: Protocol, caller: str | None = None) -> None:
        """Record a Get by the id of a stored app, which was answered at once."""
        self._number = number = self._number + 1
        read = (number, self.now(), time(), response, protocol, caller)
        if len(response) <= self._max_read_bytes:
            self._reads.append(read)
        else:
            self._add(Record.of(read, self))

    def grow(self, record: Record, size: int) -> None:
        """Count the bytes by which a record grew."""
        if self._by_number.get(record.number) is record:  # else it is forgotten already
            record.size += size
            self._bytes += size
            self._trim()

    def record_of(self, number: int) -> Record | None:
        """Return the record of a call, None if it is forgotten, or one of a Get that had no effect."""
        return self._by_number.get(number)

    def add_effect(self, record: Record, effects: list[Effect], effect: Effect) -> None:
        """Record an effect of a call with the others of its kind."""
        effects.append(effect)
        self.grow(record, EFFECT_BYTES)

    def changed(self, cause: Cause, app: AppName, change: str) -> None:
        """Record a change of an app with the call that led to it."""
        record = self.record_of(cause.call)
        if record is not None and len(record.changes) < MAX_EFFECTS:
            self.add_effect(record, record.changes, Effect(self.now(), app, cause, change))

    def started(self, cause: Cause, given: Given) -> None:
        """Record the scenario of an app's start with the call that led to it."""
        record = self.record_of(cause.call)
        if record is not None and len(record.starts) < MAX_EFFECTS:
            record.starts.append(given)
            self.grow(record, EFFECT_BYTES)

    def load_changed(self, load: Load | None, app: AppSelector | None) -> None:
        """Record that a load was declared, or that loads were removed."""
        change = LoadChange(self.now(), self._number, load, app)
        if len(self.loads) == MAX_LOADS:
            self._load_bytes -= self.loads.popleft().size
        self.loads.append(change)
        self._load_bytes += change.size
        while self._load_bytes > MAX_LOAD_BYTES and len(self.loads) > 1:
            self._load_bytes -= self.loads.popleft().size

    def finish(self, record: Record) -> None:
        """Report that a call is over."""
        if self._on_finished is not None:
            self._on_finished(record)

    def clear(self) -> int:
        """Forget all calls; return how many there were."""
        count = len(self)
        self._cleared += count
        self._first = self._number + 1
        self._records.clear()
        self._by_number.clear()
        self._reads.clear()
        self._bytes = 0
        return count

    def _add(self, record: Record) -> None:
        self._records.append(record)
        self._by_number[record.number] = record
        self._bytes += record.size
        self._trim()
        if record.code:
            self.finish(record)

    def _oldest(self) -> int:
        """Return the number of the oldest call that is kept."""
        return max(self._first, self._number - self.size + 1)

    def _trim(self) -> None:
        """Forget the oldest records beyond the bounds, and all calls before them."""
        records, first = self._records, self._oldest()
        while records and (records[0].number < first or (self._bytes > MAX_BYTES // 2 and len(records) > 1)):
            oldest = records.popleft()
            del self._by_number[oldest.number]
            self._bytes -= oldest.size
            self._first = oldest.number + 1
