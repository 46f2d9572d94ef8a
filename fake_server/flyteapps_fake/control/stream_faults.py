"""The filter between a stream and its reader: the stream's faults, and its entry in the log of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flyteapps_control.fault_table import Rule
from flyteapps_control.stream_faults import StreamCut, StreamFaults
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.causes import UNKNOWN, Cause

Message = tuple[bytes, Cause]
"""A message of a stream with its cause."""


def _moved(message: Message, rule: Rule) -> Message:
    """Return a message that a rule sends once more, or later."""
    encoded, cause = message
    return encoded, cause._replace(fault=rule.fault.id)


class StreamFilter:
    """The faults of `stream`, and its entry in the log of calls.

    `pause` is called once with the nanoseconds for which a stall lasts: `resume` has to be called after them.
    """

    def __init__(
        self, rules: Sequence[Rule], record: Record | None, stream: OpenStream, pause: Callable[[int], None]
    ) -> None:
        self._faults = StreamFaults[Message](rules, pause, _moved)
        self._stream = stream
        self._of_call = Cause(record.number) if record is not None else UNKNOWN
        self._record = record
        self.idle = self._faults.idle
        self.resume = self._faults.resume

    @property
    def stalled(self) -> bool:
        """Whether it holds all messages back."""
        return self._faults.stalled

    def take(self, following: Callable[[], bytes | None]) -> bytes | None:
        """Return the next message for the reader, from those that `following` returns, or None if none is ready.

        Raises as `following`, and RpcError or EOFError where the stream is cut.
        """
        try:
            taken = self._next(following)
        except RpcError as error:
            if self._record is not None:
                self._record.end(error.code.name, error.message)
            raise
        except EOFError:
            if self._record is not None:
                self._record.end("OK")
            raise
        if taken is None:
            return None
        message, cause = taken
        if self._record is not None:
            self._record.send(message, cause)
        return message

    def close(self) -> None:
        """Record that the client closed the stream, unless it is over."""
        if self._record is not None:
            self._record.end(Code.CANCELED.name, "closed by its client")

    def _next(self, following: Callable[[], bytes | None]) -> Message | None:
        faults = self._faults
        try:
            while (message := faults.next()) is None and not faults.stalled:
                try:
                    made = following()
                except (EOFError, RpcError) as error:
                    faults.end(error)
                    continue
                if made is None:
                    return None
                faults.offer((made, self._stream.cause or self._of_call))
            return message
        except StreamCut as cut:
            raise RpcError(Code[cut.code], cut.message) from None
