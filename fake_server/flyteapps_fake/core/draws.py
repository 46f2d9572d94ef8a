"""Random draws that are no one's turn: the same for the same seed and words, whatever else was drawn."""

from __future__ import annotations

import hashlib


def drawn(seed: int, *words: object) -> bytes:
    """32 bytes."""
    return hashlib.sha256("\0".join(map(str, (seed, *words))).encode()).digest()


def jitter(width: int, seed: int, *words: object) -> int:
    """A draw in [-width, width]."""
    return int.from_bytes(drawn(seed, *words)[:8], "big") % (2 * width + 1) - width if width else 0
