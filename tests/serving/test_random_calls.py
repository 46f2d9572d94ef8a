"""Random calls in process, valid and broken, with faults, credentials and the control API: only errors of the contract.

A short form runs by default; `FLYTEAPPS_FUZZ=1000000` makes as many calls, and memory must be flat.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter

import psutil
import pytest

from .fuzzing_calls import RandomCalls

COUNT = int(os.environ.get("FLYTEAPPS_FUZZ", "4000"))
SEED = int(os.environ.get("FLYTEAPPS_FUZZ_SEED", "25"))
A_PLANE = 1_000
"""Calls of one plane, whose settings are drawn, too."""
FLAT_BYTES = 64 * 1024 * 1024
"""Bytes by which the process may grow after its first planes."""
FIRST_PLANES = 10


@pytest.mark.timeout(max(300, COUNT // 20))
@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_no_call_in_process_fails_outside_of_the_contract(dialect: str) -> None:
    """Each call ends by its result or an error that its interface names; nothing of it is left, and the plane works."""
    codes: Counter[str] = Counter()
    before, threads = 0, threading.active_count()
    for number in range(-(-COUNT // A_PLANE)):
        calls = RandomCalls(SEED + number, dialect)
        asyncio.run(calls.run(min(A_PLANE, COUNT - number * A_PLANE)))
        calls.close()
        codes.update(calls.codes)
        if number == FIRST_PLANES:
            gc.collect()
            before = psutil.Process().memory_info().rss
    gc.collect()
    assert not before or psutil.Process().memory_info().rss - before < FLAT_BYTES
    assert threading.active_count() <= threads
    assert {"OK", "message", "INVALID_ARGUMENT", "control OK", "object OK", "UNAUTHENTICATED"} <= codes.keys(), codes
