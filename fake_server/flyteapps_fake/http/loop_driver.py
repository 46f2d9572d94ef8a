"""A plane's clock on an asyncio loop: one timer, set to the plane's next due time."""

from __future__ import annotations

import asyncio

from flyteapps_fake.core.plane import Plane


class LoopDriver:
    """A timer that calls the plane's `run_due` on time, while it is started."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._arming_requested = False

    def start(self) -> None:
        """Start on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._plane.on_schedule.append(self._request_arming)
        self._arm()

    def stop(self) -> None:
        """Stop; a second call does nothing."""
        if self._loop is not None:
            self._plane.on_schedule.remove(self._request_arming)
            self._loop = None
        if self._timer is not None:
            self._timer.cancel()

    def _request_arming(self) -> None:
        if self._loop is not None and not self._arming_requested:
            self._arming_requested = True
            self._loop.call_soon_threadsafe(self._arm)

    def _arm(self) -> None:
        self._arming_requested = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None:
            seconds = self._plane.next_due()
            if seconds is not None:
                self._timer = self._loop.call_later(seconds, self._fire)

    def _fire(self) -> None:
        self._plane.run_due()
        self._arm()
