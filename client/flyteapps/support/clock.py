"""The clock of deadlines: seconds that only increase, also where a test has frozen `time`.

freezegun replaces `time.monotonic` wherever it was imported; a wait by that clock would never end.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

monotonic: Callable[[], float]
"""Return the seconds of the system's monotonic clock; a call reads it some ten times, so it is no Python function."""

if hasattr(time, "clock_gettime"):
    monotonic = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
else:  # Windows
    monotonic = time.monotonic
