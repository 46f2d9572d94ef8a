"""The filter between a stream and its reader: it counts, cuts, stalls and rearranges messages, and records them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from flyteapps_control.fault_table import Rule
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.core.errors import Code, RpcError


class StreamFilter:
    """The faults of one stream, and its entry in the log of calls.

    Messages are counted from 1 as the plane makes them; `after` of a cut or a stall counts those that were sent.
    `pause` is called once with the nanoseconds for which a stall lasts: `resume` has to be called after them.
    """

    def __init__(self, rules: Sequence[Rule], record: Record | None, pause: Callable[[int], None]) -> None:
        self._record = record
        self._pause = pause
        self._ready: deque[bytes] = deque()
        self._held: bytes | None = None
        self._made = 0
        self._sent = 0
        self._cut: Rule | None = None
        self._stall: Rule | None = None
        self._stalled = False
        self._rearranged: dict[int, list[str]] = {}
        for rule in rules:
            fault = rule.fault
            if rule.effect == "cut":
                if self._cut is None or fault.cut.after < self._cut.fault.cut.after:
                    self._cut = rule
            elif rule.effect == "stall":
                if self._stall is None or fault.stall.after < self._stall.fault.stall.after:
                    self._stall = rule
            elif rule.effect in ("repeat", "withhold", "reorder"):
                number: int = getattr(fault, rule.effect).message
                self._rearranged.setdefault(number, []).append(rule.effect)

    def take(self, following: Callable[[], bytes | None]) -> bytes | None:
        """Return the next message for the reader, from those that `following` returns, or None if none is ready.

        Raises as `following`, and RpcError or EOFError where the stream is cut.
        """
        try:
            message = self._next(following)
        except RpcError as error:
            if self._record is not None:
                self._record.end(error.code.name, error.message)
            raise
        except EOFError:
            if self._record is not None:
                self._record.end("OK")
            raise
        if message is not None:
            self._sent += 1
            if self._record is not None:
                self._record.send(message)
        return message

    def idle(self, idle: bool) -> bool:
        """Return whether no message is ready for the reader; `idle`: whether none is without the filter."""
        if self._is_cut():
            return False
        if self._stalled:
            return True
        return idle and not self._ready and not self._stalls()

    def resume(self) -> None:
        """End a stall."""
        self._stalled = False

    def close(self) -> None:
        """Record that the client closed the stream, unless it is over."""
        if self._record is not None:
            self._record.end(Code.CANCELED.name, "closed by its client")

    def _next(self, following: Callable[[], bytes | None]) -> bytes | None:
        if self._is_cut():
            assert self._cut is not None
            raise _cut_error(self._cut)
        if self._stalls():
            assert self._stall is not None
            stall, self._stall = self._stall.fault.stall, None
            self._stalled = True
            if stall.HasField("duration"):
                self._pause(stall.duration.ToNanoseconds())  # which may resume at once
        if self._stalled:
            return None
        while not self._ready:
            try:
                message = following()
            except (EOFError, RpcError):
                if self._held is None:
                    raise
                self._ready.append(self._held)  # there is no next message to send it after
                self._held = None
                break
            if message is None:
                return None
            self._made += 1
            self._arrange(message)
        return self._ready.popleft()

    def _arrange(self, message: bytes) -> None:
        effects = self._rearranged.get(self._made, ())
        if "withhold" in effects:
            return
        if "reorder" in effects and self._held is None:
            self._held = message
            return
        self._ready.append(message)
        if "repeat" in effects:
            self._ready.append(message)
        if self._held is not None:
            self._ready.append(self._held)
            self._held = None

    def _is_cut(self) -> bool:
        return self._cut is not None and self._sent >= self._cut.fault.cut.after

    def _stalls(self) -> bool:
        return self._stall is not None and self._sent >= self._stall.fault.stall.after


def _cut_error(rule: Rule) -> RpcError | EOFError:
    cut = rule.fault.cut
    if not cut.code:
        return EOFError("the stream was cut, by a fault")
    return RpcError(Code[cut.code], f"the stream was cut after {cut.after} messages, by fault {rule.fault.id}")
