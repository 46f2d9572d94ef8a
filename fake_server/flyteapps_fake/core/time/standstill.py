"""Waits on a manual clock that is not moved: after a second of real time they are reported, once a standstill.

Entered under the plane's lock. The transports call `report_overdue` on time, as they fire the timers of other clocks.
"""

from __future__ import annotations

from collections.abc import Callable

STANDSTILL_SECONDS = 1.0
"""Real seconds that a client waits before it is reported."""


class Standstill:
    """The standstill of one manual clock. `report`: reports what waits, and returns whether anything does."""

    def __init__(self, real: Callable[[], float]) -> None:
        self.report: Callable[[], bool] = lambda: False
        self.due: float | None = None
        """The real time of the report; None where none is to be made."""
        self._real = real
        self._reported = False

    def begin(self) -> None:
        """Record that a client begins to wait, or that the clock was moved while one waits."""
        self._reported = False
        self.due = self._real() + STANDSTILL_SECONDS

    def written(self) -> None:
        """Record that there may be a reason to wait from now on, where a client waits."""
        if not self._reported:
            self.due = self._real() + STANDSTILL_SECONDS

    def seconds(self) -> float | None:
        """Return the real seconds until the report, or None."""
        return None if self.due is None else max(0.0, self.due - self._real())

    def report_overdue(self) -> None:
        """Report, if it is time for that."""
        if self.due is not None and self._real() >= self.due:
            self.due = None
            self._reported = self.report()
