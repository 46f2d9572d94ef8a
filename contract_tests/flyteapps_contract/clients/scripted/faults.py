"""Faults: what goes wrong, on which call of which method. Each is used once, or `times` times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

Action = Callable[[], object]


class How(StrEnum):
    """The loss of a response or a stream."""

    CLEANLY = "ended without an error"
    UNAVAILABLE = "ended with UNAVAILABLE"
    CUT = "was cut"


@dataclass(frozen=True, slots=True)
class Drop:
    """A stream that ends once it has sent so many messages; 0 is before its snapshot. `then` happens in the gap."""

    after: int
    how: How
    then: Action | None = None


class Meeting:
    """Calls that wait for one another: so many of them, or a second."""

    MAX_SECONDS = 1.0

    def __init__(self, size: int) -> None:
        self._missing = size
        self._complete = asyncio.Event()

    async def join(self) -> None:
        """Return when all are there, or none came in time."""
        self._missing -= 1
        if self._missing <= 0:
            self._complete.set()
        try:
            await asyncio.wait_for(self._complete.wait(), self.MAX_SECONDS)
        except TimeoutError:
            self._complete.set()


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault of one call, or of several.

    In this order: `meet` others; do `before`; answer `refuse` (a code) and commit nothing; commit; do `after`; lose the
    answer as `lose` says. `after` is done on a refusal by `refuse`, too. Of a Watch: `drop`, or stay `silent`.
    """

    method: str
    app: str = ""
    times: int = 1
    meet: Meeting | None = None
    before: Action | None = None
    refuse: str = ""
    after: Action | None = None
    lose: How | None = None
    drop: Drop | None = None
    silent: bool = False


@dataclass(slots=True)
class Faults:
    """The unused faults, in the order in which they were added."""

    left: list[Fault] = field(default_factory=list[Fault])

    def take(self, method: str, app: str) -> Fault | None:
        """Return the fault for this call, if there is one."""
        for fault in self.left:
            if fault.method == method and fault.app in ("", app):
                fault.times -= 1
                if fault.times <= 0:
                    self.left.remove(fault)
                return fault
        return None
