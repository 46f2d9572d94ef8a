"""The settings of an HTTP/2 client, whose changes cost no more than the client's requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from h2.exceptions import DenialOfServiceError
from h2.settings import ChangedSetting, SettingCodes, Settings

MAX_RESIZED_STREAMS = 200_000
"""Windows of streams that changes of SETTINGS_INITIAL_WINDOW_SIZE may resize at once: each resizes all open ones."""
RESIZED_STREAMS_PER_SECOND = 20_000
"""Windows that may be resized again after each second."""
KNOWN = frozenset(SettingCodes)


class ClientSettings(Settings):
    """The settings that a client has sent: unknown ones are dropped, as RFC 9113 (6.5.2) says, where h2 keeps them."""

    def __init__(self, open_streams: Callable[[], int]) -> None:
        """Take the function that returns the number of open streams."""
        super().__init__(client=True)
        self._open_streams = open_streams
        self._credit = float(MAX_RESIZED_STREAMS)
        self._since = time.monotonic()

    def __setitem__(self, key: Any, value: int) -> None:
        if key in KNOWN:
            super().__setitem__(key, value)

    def acknowledge(self) -> dict[SettingCodes | int, ChangedSetting]:
        """Apply the settings that were received last. Raises DenialOfServiceError for too many changes of windows."""
        changed = super().acknowledge()
        if SettingCodes.INITIAL_WINDOW_SIZE in changed:
            now = time.monotonic()
            refilled = self._credit + (now - self._since) * RESIZED_STREAMS_PER_SECOND
            self._credit = min(refilled, MAX_RESIZED_STREAMS) - self._open_streams()
            self._since = now
            if self._credit < 0:
                raise DenialOfServiceError("SETTINGS_INITIAL_WINDOW_SIZE has changed too often")
        return changed
