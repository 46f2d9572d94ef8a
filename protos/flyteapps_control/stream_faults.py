"""The faults of one stream, between its source and its reader: an end, a stall, messages in another order. No IO."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from flyteapps_control.fault_table import Rule

M = TypeVar("M")


class StreamCut(Exception):  # noqa: N818  # a fault, for the reader's transport to translate
    """The end of a stream with an error. `code`: the name of its code of gRPC."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StreamFaults(Generic[M]):
    """The messages of one stream on their way, after the rules' effects; other effects than those of streams have none.

    Messages are counted from 1 as the source makes them; `after` of a cut or a stall counts those that were read.
    `pause` is called once with the nanoseconds for which a stall lasts, unless it is for good: `resume` has to be
    called after them. `moved` returns a message that a rule sends once more, or later.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        pause: Callable[[int], None],
        moved: Callable[[M, Rule], M] = lambda message, rule: message,
    ) -> None:
        self._moved = moved
        self._pause = pause
        self._ready: deque[M] = deque()
        self._held: M | None = None
        self._end: Exception | None = None
        self._made = 0
        self._read = 0
        self._cut: Rule | None = None
        self._stall: Rule | None = None
        self.stalled = False
        """Whether a stall has begun, and not ended."""
        self._rearranged: dict[int, dict[str, Rule]] = {}
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
                self._rearranged.setdefault(number, {}).setdefault(rule.effect, rule)

    def next(self) -> M | None:
        """Return the next message for the reader, None if the source has to make one first, or while stalled.

        Raises StreamCut, or EOFError for a cut without an error, and the error with which the source ended.
        """
        if self._is_cut():
            assert self._cut is not None
            raise _end_of(self._cut)
        if self._stalls():
            assert self._stall is not None
            stall, self._stall = self._stall.fault.stall, None
            self.stalled = True
            if stall.HasField("duration"):
                self._pause(stall.duration.ToNanoseconds())  # which may resume at once
        if self.stalled:
            return None
        if not self._ready:
            if self._end is not None:
                raise self._end
            return None
        self._read += 1
        return self._ready.popleft()

    def offer(self, message: M) -> None:
        """Pass the next message of the source on."""
        self._made += 1
        effects = self._rearranged.get(self._made, {})
        if "withhold" in effects:
            return
        if "reorder" in effects and self._held is None:
            self._held = self._moved(message, effects["reorder"])
            return
        self._ready.append(message)
        if "repeat" in effects:
            self._ready.append(self._moved(message, effects["repeat"]))
        self._release()

    def end(self, error: Exception) -> None:
        """End the stream with the source's EOFError or error, after the messages that are left."""
        self._release()  # there is no next message to send it after
        self._end = error

    def idle(self, idle: bool) -> bool:
        """Return whether `next` has nothing for the reader; `idle`: whether the source has nothing."""
        if self._is_cut():
            return False
        if self.stalled:
            return True
        return idle and not self._ready and self._end is None and not self._stalls()

    def resume(self) -> None:
        """End a stall."""
        self.stalled = False

    def _release(self) -> None:
        if self._held is not None:
            self._ready.append(self._held)
            self._held = None

    def _is_cut(self) -> bool:
        return self._cut is not None and self._read >= self._cut.fault.cut.after

    def _stalls(self) -> bool:
        return self._stall is not None and self._read >= self._stall.fault.stall.after


def _end_of(rule: Rule) -> StreamCut | EOFError:
    cut = rule.fault.cut
    if not cut.code:
        return EOFError("the stream was cut, by a fault")
    messages = "1 message" if cut.after == 1 else f"{cut.after} messages"
    return StreamCut(cut.code, f"the stream was cut after {messages}, by fault {rule.fault.id}")
