"""Retries and Waits: exponential backoff with full jitter, seedable, and the limits of waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from flyteapps.errors import ConfigError
from flyteapps.support.durations import positive

COLLISION_INITIAL_SECONDS = 0.01
"""`initial` of a write that met another one: it can be made as soon as that one is, in a few milliseconds."""

COLLISION_MAXIMUM_SECONDS = 0.5
"""`maximum` of a write that met another one."""


@dataclass(frozen=True, slots=True)
class Retries:
    """The retries of a call after UNAVAILABLE, RESOURCE_EXHAUSTED and INTERNAL.

    `attempts`: the maximum number, the first included; 1 never retries. `initial`, `maximum`: seconds; before the n-th
    retry the client waits a random time between 0 and `min(maximum, initial * 2 ** (n - 1))`. `seed`: makes these
    times repeatable. A write that met another one, and was not made, is retried apart from `attempts` unless that is 1.
    """

    attempts: int = 4
    initial: float = 0.2
    maximum: float = 5.0
    seed: int | None = None
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = (self.attempts, self.initial, self.maximum)
        valid = isinstance(self.attempts, int) and all(  # pyright: ignore[reportUnnecessaryIsInstance]
            isinstance(each, int | float) and not isinstance(each, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
            for each in numbers
        )
        if not valid or not (self.attempts >= 1 and 0 <= self.initial <= self.maximum):
            raise ConfigError(
                f"retries: attempts={self.attempts!r}, initial={self.initial!r}, maximum={self.maximum!r}: at least "
                f"one attempt, and 0 <= initial <= maximum (seconds)"
            )
        # without a seed no state, since a forked process would repeat the pauses of its parent
        object.__setattr__(self, "_random", random.SystemRandom() if self.seed is None else random.Random(self.seed))

    @classmethod
    def of(cls, given: int | Retries | None) -> Retries:
        """Return the Retries of an option: one, a maximum number of attempts, or None. Raises ConfigError."""
        if isinstance(given, Retries):
            return given
        return cls() if given is None else cls(attempts=given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Retries, (self.attempts, self.initial, self.maximum, self.seed)

    def pause(self, retry: int) -> float:
        """Return the seconds to wait before the given retry (1 is the first)."""
        return self._drawn(self.initial, self.maximum, retry)

    def pause_of_collision(self, retry: int) -> float:
        """Return the seconds to wait before the given retry of a write that met another one."""
        return self._drawn(COLLISION_INITIAL_SECONDS, min(self.maximum, COLLISION_MAXIMUM_SECONDS), retry)

    def _drawn(self, initial: float, maximum: float, retry: int) -> float:
        return self._random.uniform(0, min(maximum, initial * 2.0 ** min(retry - 1, 60)))


@dataclass(frozen=True, slots=True)
class Waits:
    """The limits of waits for an app, all in seconds.

    `timeout`: the deadline of a wait that has none of its own. `settle`: a plane without revisions can return an old
    ACTIVE for a while; a state that stays unchanged for this time counts as current. `poll`: after this time without
    an event the app is read. `stall`: after this time without any response the wait fails.
    """

    timeout: float = 600.0
    settle: float = 35.0
    poll: float = 30.0
    stall: float = 60.0

    def __post_init__(self) -> None:
        for name in ("timeout", "settle", "poll", "stall"):
            object.__setattr__(self, name, positive(getattr(self, name), f"waits: {name}"))
