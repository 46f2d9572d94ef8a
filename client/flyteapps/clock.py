"""The clock that deadlines are kept by: seconds that only go forward, also where a test has frozen `time`.

freezegun replaces `time.monotonic`, wherever it was imported to; a wait by that clock would never end.
"""

from __future__ import annotations

import time

if hasattr(time, "clock_gettime"):

    def monotonic() -> float:
        """Return the seconds of the system's monotonic clock."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:  # Windows
    monotonic = time.monotonic
