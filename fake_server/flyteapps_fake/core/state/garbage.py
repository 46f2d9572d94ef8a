"""The collection of garbage, paused while many objects are made that all stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def uncollected(*, lasting: bool = False) -> Generator[None]:
    """Collect no garbage of this process meanwhile: each collection would look at all that was made so far.

    `lasting`: whether most of it stays, and counts as old at once: it isn't looked at before the next full collection.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if lasting and not gc.get_freeze_count():  # what the process has frozen stays so
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()
