"""Random draws that depend on a seed and a key alone: no other draw changes them."""

from __future__ import annotations

import hashlib


class Seed:
    """The seed of a plane's draws, which a reset may change."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __str__(self) -> str:
        return str(self.value)


def drawn(seed: int | Seed, *words: object) -> bytes:
    """Return 32 bytes, the same for the same seed and words."""
    return hashlib.sha256("\0".join(map(str, (seed, *words))).encode()).digest()


def jitter(width: int, seed: int | Seed, *words: object) -> int:
    """Return a number in [-width, width], the same for the same seed and words."""
    return int.from_bytes(drawn(seed, *words)[:8], "big") % (2 * width + 1) - width if width else 0


def fraction(seed: int | Seed, *words: object) -> float:
    """Return a number in [0, 1), the same for the same seed and words."""
    return int.from_bytes(drawn(seed, *words)[:6], "big") / (1 << 48)
