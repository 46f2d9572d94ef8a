"""HI-2: same seed, same requests, same virtual times: byte-identical event logs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(seed: int, hash_seed: str) -> str:
    """Return the event log of one process."""
    program = Path(__file__).parent / "history.py"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, str(program), str(seed)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_two_processes_with_different_hash_seeds_give_the_same_bytes() -> None:
    """The event log depends on the seed and the calls alone."""
    first, second = run(7, "1"), run(7, "4242")
    assert first.count("\n") > 200
    assert first == second


def test_another_seed_gives_another_history() -> None:
    """The seed is what draws the jitter and the host names."""
    assert run(7, "1") != run(8, "1")
