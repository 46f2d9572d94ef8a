"""Ids of calls: none twice, also in forked processes and where a program seeds `random`."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest

from flyteapps.settings import Settings
from flyteapps.support.request_ids import request_id

FORKS = """
import json, os
from flyteapps.support.request_ids import request_id
request_id()
for _ in range(3):
    read, write = os.pipe()
    if not os.fork():
        os.write(write, json.dumps([request_id() for _ in range(10)]).encode())
        os._exit(0)
    os.wait()
    print(os.read(read, 10_000).decode())
print(json.dumps([request_id() for _ in range(10)]))
"""


def test_ids_are_16_digits_and_differ() -> None:
    """Each call has another one."""
    ids = [Settings().call_headers()["x-request-id"] for _ in range(1_000)]
    assert len(set(ids)) == 1_000 and all(len(each) == 16 and int(each, 16) >= 0 for each in ids)


def test_a_program_that_seeds_random_gets_other_ids() -> None:
    """The generator is the client's own."""
    state = random.getstate()
    try:
        found: list[str] = []
        for _ in range(2):
            random.seed(1)
            found.append(request_id())
    finally:
        random.setstate(state)
    assert found[0] != found[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
def test_forked_children_have_other_ids() -> None:
    """A child doesn't go on with the parent's."""
    ended = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=200, check=True)
    ids = [each for line in ended.stdout.splitlines() for each in json.loads(line)]
    assert len(ids) == 40 and len(set(ids)) == 40
