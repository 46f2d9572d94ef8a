"""How often a call is tried again, and how long between: exponential backoff with full jitter, seedable."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from flyteapps.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Retries:
    """Tries again after UNAVAILABLE, RESOURCE_EXHAUSTED and INTERNAL.

    `attempts`: how often at most, the first included; 1 tries once. `initial`, `maximum`: seconds; before the n-th
    repetition the client waits a random time between 0 and `min(maximum, initial * 2 ** (n - 1))`. `seed`: makes these
    times repeatable.
    """

    attempts: int = 4
    initial: float = 0.2
    maximum: float = 5.0
    seed: int | None = None
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.initial < 0 or self.maximum < self.initial:
            raise ConfigError(
                f"retries: attempts={self.attempts}, initial={self.initial}, maximum={self.maximum}: at least one "
                f"attempt, and 0 <= initial <= maximum (seconds)"
            )
        object.__setattr__(self, "_random", random.Random(self.seed))

    def __reduce__(self) -> tuple[Any, ...]:
        return Retries, (self.attempts, self.initial, self.maximum, self.seed)

    def pause(self, repetition: int) -> float:
        """Seconds to wait before the given repetition (1 is the first)."""
        return self._random.uniform(0, min(self.maximum, self.initial * 2.0 ** min(repetition - 1, 60)))


@dataclass(frozen=True, slots=True)
class Waits:
    """How waits for an app behave; all in seconds.

    `timeout`: the deadline of a wait that names none. `settle`: a plane without revisions can show an old ACTIVE for a
    while; one that stays unchanged for so long is believed. `poll`: after so long without an event the app is read.
    `stall`: after so long without any answer a wait gives up.
    """

    timeout: float = 600.0
    settle: float = 35.0
    poll: float = 30.0
    stall: float = 60.0

    def __post_init__(self) -> None:
        for name in ("timeout", "settle", "poll", "stall"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"waits: {name}={getattr(self, name)}: has to be more than 0 seconds")
