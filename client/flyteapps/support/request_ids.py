"""Ids of calls, unlike in all processes: drawn from a generator that the system seeds, anew in each forked child.

`os.urandom` would do the same by a system call each, which is 2% of a Get in process.
"""

from __future__ import annotations

import os
import random

REQUEST_ID = "x-request-id"
"""The header of the id."""

_random = random.Random()
if hasattr(os, "register_at_fork"):  # not on Windows, which doesn't fork
    os.register_at_fork(after_in_child=_random.seed)


def request_id() -> str:
    """Return a new id: 16 hexadecimal digits."""
    return _random.getrandbits(64).to_bytes(8, "big").hex()
