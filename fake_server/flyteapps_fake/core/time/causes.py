"""The causes of changes: the call, timer or fault that a plane carries out now, and where each change comes from.

They are kept only where calls are recorded. Entered under the plane's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import NamedTuple

from flyteapps_control.selection import AppName


class Cause(NamedTuple):
    """The origin of a change.

    `call`: the number of the recorded call that led to it, 0 where there is none. `timer`: the reason of the timer that
    fired, if the call scheduled one. `fault`: the id of the rule that did it. `other`: an origin that is none of these.
    """

    call: int = 0
    timer: str = ""
    fault: str = ""
    other: str = ""


UNKNOWN = Cause()


class Causes:
    """The cause of what happens in a plane now, `current`. `on`: whether causes are kept."""

    def __init__(self) -> None:
        self.on = False
        self.current = UNKNOWN
        self.on_change: Callable[[Cause, AppName, str], None] | None = None
        """The listener for changes of apps, each with its cause and in a word, such as DEPLOYING."""

    @contextlib.contextmanager
    def during(self, cause: Cause) -> Generator[None]:
        """Make it the cause of what happens in the block."""
        before, self.current = self.current, cause
        try:
            yield
        finally:
            self.current = before

    def changed(self, cause: Cause, app: AppName, change: str) -> None:
        """Report a change of an app."""
        if self.on_change is not None:
            self.on_change(cause, app, change)
