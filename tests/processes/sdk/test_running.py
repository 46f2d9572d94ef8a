"""Running apps: several replicas, scaling to zero and back, ends, limits, and the calls of the SDK on a running app."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from .developing import Developer, get

pytestmark = pytest.mark.slow


def test_replicas(developer: Developer) -> None:
    """Two replicas share the requests; an app whose requests overlap gets more."""
    endpoints = developer.deploy("scaled", "two")
    developer.reaches("two", "ACTIVE", "2 replicas run")
    assert len({get(endpoints["two"]).text for _ in range(8)}) == 2


def test_from_zero_and_back(developer: Developer) -> None:
    """After its calm time an app has no replica; a request starts one, and waits for it."""
    endpoint = developer.deploy("scaled", "sleepy")["sleepy"]
    before = get(endpoint)
    assert before.status == 200
    developer.reaches("sleepy", "ACTIVE", "Scaled to zero: no request for 1 s")
    after = get(endpoint)
    assert after.status == 200
    assert after.text != before.text


def test_ends(developer: Developer) -> None:
    """An app that ends is started again; one that ends at each start is in a crash loop, with its last words."""
    developer.write("scaled")
    made = developer.try_to_deploy("scaled", "ending", "looping")
    assert made["looping"]["error"] == "App deployment for app looping has failed!"
    assert "CRASH_LOOP" in (shown := developer.user.flyte("get", "app", "looping"))
    assert "ValueError: the reason" in shown
    assert get(made["ending"]["endpoint"] + "/end").status == 502
    developer.reaches("ending", "FAILED", "Exited with code 7")
    developer.reaches("ending", "ACTIVE")
    assert get(made["ending"]["endpoint"]).status == 200


def test_too_much_memory(developer: Developer) -> None:
    """An app beyond its limit is OOM_KILLED, and runs again."""
    endpoint = developer.deploy("scaled", "greedy")["greedy"]
    get(endpoint + "/eat")
    developer.reaches("greedy", "FAILED", "of memory, its limit is 210 MB")
    assert "OOM_KILLED" in developer.user.flyte("get", "app", "greedy")
    developer.reaches("greedy", "ACTIVE")


def test_load(developer: Developer) -> None:
    """An app whose requests overlap gets more replicas, within its bounds."""
    endpoint = developer.deploy("scaled", "many")["many"]
    file = developer.user.folder / "go"
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(get, f"{endpoint}/wait?{file}") for _ in range(16)]
        developer.reaches("many", "ACTIVE", "3 replicas run")
        file.touch()
        assert {each.result().status for each in waiting} == {200}
