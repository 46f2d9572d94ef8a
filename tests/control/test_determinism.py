"""Same seed, same faults, same calls: byte-identical logs of calls, real time left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(seed: int, hash_seed: str, name: str = "history.py") -> str:
    """Return the log of one process."""
    program = Path(__file__).parent / name
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, str(program), str(seed)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_two_processes_with_different_hash_seeds_record_the_same_bytes() -> None:
    """Draws, delays and cuts depend on the seed and the calls alone; another seed draws others."""
    first, second, other = run(7, "1"), run(7, "4242"), run(8, "1")
    assert first.count("\n") > 60
    assert first == second != other


@pytest.mark.slow
def test_the_auto_clock_is_deterministic_for_one_client_whose_watches_fail() -> None:
    """A client that waits for one app at a time records the same bytes, though its Watches are cut and stalled."""
    first, second, other = (run(*each, "auto_history.py") for each in ((7, "1"), (7, "4242"), (8, "1")))
    assert first.count("\n") > 30
    assert first == second != other
