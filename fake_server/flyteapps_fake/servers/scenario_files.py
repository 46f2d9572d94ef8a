"""The look at files of scenarios each second, on a server's loop: no thread, no library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flyteapps_fake.simulation.files.watching import FileWatch

POLL_SECONDS = 1.0
"""Real time between two looks."""


class ScenarioFiles:
    """The files of one server's scenarios, read again when they change. `report`: writes a message for the user."""

    def __init__(self, watch: FileWatch, report: Callable[[str], None]) -> None:
        self._watch = watch
        self._report = report
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from now on, on the running loop."""
        if self._watch.files:
            self._timer = asyncio.get_running_loop().call_later(POLL_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more; a second call does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        for message in self._watch.look():
            self._report(message)
        self.start()
