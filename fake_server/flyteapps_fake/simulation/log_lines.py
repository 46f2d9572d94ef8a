"""Log lines of simulated replicas: the line itself, and the requests that a serving replica logs. Nothing is stored.

The same arguments lead to the same lines with the same times: nanoseconds since 1970.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from flyteapps_fake.core.time.clock import MILLISECOND, SECOND

BACKLOG = 1_000
"""Lines of one replica that can still be read."""
MAX_SHOWN_CHARACTERS = 1_000
"""Characters of an image or command in a line: each replica has the line, and each client that reads its log."""
SLOT_NS = 60 * SECOND
"""A serving replica logs at most one request in each slot of this length."""
MAX_SLOTS_AHEAD = 1_000
"""Slots ahead that are searched for the next request."""

_ROUTES = ("/", "/health", "/predict", "/items/7", "/docs")


class Line(NamedTuple):
    """One log line; `system` is True for a line of the platform, False for one of the app."""

    at: int
    system: bool
    text: str


def request_in(seed: bytes, slot: int) -> Line | None:
    """Return the request that a replica of that seed logs in that slot, or None."""
    drawn = hashlib.blake2b(slot.to_bytes(8, "big"), key=seed, digest_size=8).digest()
    if drawn[0] & 1:
        return None
    at = slot * SLOT_NS + int.from_bytes(drawn[1:4], "big") * 3 * MILLISECOND % SLOT_NS
    return Line(at, False, f"GET {_ROUTES[drawn[4] % len(_ROUTES)]} 200 in {drawn[5] % 90 + 2} ms")
