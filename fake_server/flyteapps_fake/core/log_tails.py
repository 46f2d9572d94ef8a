"""Streams that follow a log: its lines so far, then each new one, until it ends. A subclass makes the lines.

They hold no lines: what a client has not read yet is computed when it reads.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import cast

from flyteapps_control.selection import AppName
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.streams import OpenStream, Streams, StreamScope
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import Timer

NEXT_LINE = "next-log-line"
"""The kind of timer of a stream whose next line is logged then; the stream is its owner."""


def _look_again(timer: Timer) -> None:
    cast("Tail", timer.owner).stir()


def _app_of(stream: Tail) -> AppName:
    return stream.app


class Tail(OpenStream):
    """One open log; `first` is its first message, `entry` the place of the piece of the state that it is of."""

    def __init__(
        self, scope: StreamScope, streams: Streams, timeline: Timeline, first: bytes, entry: Entry | None
    ) -> None:
        super().__init__(scope, streams.remove)
        self._entry = entry
        self._timeline = timeline
        self._pending: Iterator[bytes] = iter((first,))
        self._fresh = True
        """Whether something may have been logged since the last look."""
        reason = "a client that follows its log reads the next line"
        timeline.handle(NEXT_LINE, _look_again, reason, _app_of, changes=False)
        streams.add(self)

    @abstractmethod
    def _since(self) -> Iterator[bytes]:
        """Return the messages with the lines since the last call."""

    @abstractmethod
    def _over(self) -> bool:
        """Return whether the log has ended."""

    @abstractmethod
    def _next_at(self) -> int | None:
        """Return when the next line is logged, or None if that is unknown."""

    def detached(self) -> None:
        """Cancel the timer of the next line."""
        self._timeline.timers.cancel(self)

    def stir(self) -> None:
        """Wake the transport: a line may have been logged."""
        self._fresh = True
        super().stir()

    def _ready(self) -> bool:
        return self._fresh and self._is_saved()

    def _holds_back(self) -> bool:
        return self._fresh

    def _is_saved(self) -> bool:
        return self._entry is None or self._timeline.changes.is_entry_safe(self._entry, self)

    def _next(self) -> bytes | None:
        if not self._is_saved():
            return None
        message = next(self._pending, None)
        if message is not None or self._end is not None:
            return message
        with self._timeline.lock:
            self._pending = self._since()
            message = next(self._pending, None)
            if message is None:
                self._fresh = False
                if self._over():
                    self.finish()
                else:
                    self._look_later()
            return message

    def _look_later(self) -> None:
        """Schedule a wake of the transport for the next line."""
        at = self._next_at()
        if at is not None:
            self._timeline.timers.schedule(at, self, NEXT_LINE, progress=False)
            self._timeline.scheduled()
