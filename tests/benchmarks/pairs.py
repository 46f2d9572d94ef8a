"""Comparison of two programs that do the same: alternating blocks, ratios of adjacent ones, their median."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over base: the median of pair ratios, and the 95% interval of that median by bootstrap."""

    median: float
    low: float
    high: float
    base_us: float

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio_of(pairs: list[tuple[float, float]]) -> Ratio:
    """Return the ratio of pairs (base, ours), in seconds a call."""
    ratios = [ours / base for base, ours in pairs]
    source = random.Random(1)
    medians = sorted(statistics.median(source.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    low, high = medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]
    return Ratio(statistics.median(ratios), low, high, statistics.median(base for base, _ in pairs) * 1e6)


def compare(base: Callable[[], object], ours: Callable[[], object], blocks: int, calls: int) -> Ratio:
    """Alternate blocks of calls; the first of a pair is drawn, so that a drift favours neither."""
    source = random.Random(2)
    pairs: list[tuple[float, float]] = []
    for each in (base, ours):
        each()
    for _ in range(blocks):
        if source.random() < 0.5:
            first = block(base, calls)
            pairs.append((first, block(ours, calls)))
        else:
            second = block(ours, calls)
            pairs.append((block(base, calls), second))
    return ratio_of(pairs)


def block(call: Callable[[], object], calls: int) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls
