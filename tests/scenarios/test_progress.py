"""The steps of a scenario as they happen: loops and their waits, choices, replicas, both dialects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from control.calls import create, get, watch

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.progress import Frame, Progress, drawn_index
from flyteapps_fake.simulation.scenarios import LABEL, Branch, Choice, Loop, Step

from .driving import ACTIVE, FAILED, PENDING, conditions, scenarios


def times(steps: list[Any], *, replicas: tuple[int, int] = (0, 1)) -> list[tuple[float, str, int]]:
    """Return the seconds at which the app's conditions begin, with these and its replicas, 1,000 timers at most."""
    found: list[tuple[float, str, int]] = []
    with FakeControlPlane(scenarios=scenarios(own=steps), app_scenarios={"*": "own"}, clock="manual") as plane:
        request = create("hello")
        request.app.spec.autoscaling.replicas.min, request.app.spec.autoscaling.replicas.max = replicas
        plane.stub().create(request)
        began = plane.now_ns()
        for _ in range(1_000):
            due = plane.next_timer_due()
            if due is None or due - began > 800e9:
                return found
            plane.clock.advance_to_next()
            app = plane.stub().get(get("hello")).app
            found.append((round((plane.now_ns() - began) / 1e9, 3), conditions(plane)[-1], app.status.current_replicas))
    return found


def test_the_wait_of_a_loop_doubles_up_to_the_longest() -> None:
    """Three rounds, then the scenario goes on; the placeholders have the round and the wait."""
    loop = {"times": 4, "after": "10s", "longest": "30s", "steps": [{**FAILED, "message": "{round}: {wait}"}, ACTIVE]}
    found = times([PENDING, {"loop": loop}, {**FAILED, "after": "5s", "message": "the end"}])
    assert [(at, what) for at, what, _ in found[1:9]] == [
        (11, "FAILED/CRASH_LOOP 1: 10 s"),
        (12, "ACTIVE/RUNNING"),
        (33, "FAILED/CRASH_LOOP 2: 20 s"),
        (34, "ACTIVE/RUNNING"),
        (65, "FAILED/CRASH_LOOP 3: 30 s"),
        (66, "ACTIVE/RUNNING"),
        (97, "FAILED/CRASH_LOOP 4: 30 s"),
        (98, "ACTIVE/RUNNING"),
    ]
    assert found[9][:2] == (103, "FAILED/CRASH_LOOP the end")
    assert len(found) == 10


def test_without_a_longest_wait_each_is_the_same() -> None:
    """A loop without an end goes on in the background."""
    found = times([PENDING, ACTIVE, {"loop": {"after": "10s", "steps": [{**ACTIVE, "message": "{round}"}]}}])
    assert [at for at, _, _ in found[:5]] == [0, 1, 12, 23, 34]
    assert len(found) > 50


def test_a_client_does_not_wait_for_a_loop_without_an_end() -> None:
    """The auto clock moves to the steps that a client waits for, and not to those of the background."""
    steps = [PENDING, ACTIVE, {"loop": {"after": "1h", "steps": [{**FAILED, "after": 0}, ACTIVE]}}]
    with FakeControlPlane(scenarios=scenarios(own=steps), app_scenarios={"*": "own"}, clock="auto") as plane:
        began = plane.now_ns()
        plane.stub().create(create("hello"))
        with pytest.raises(ConnectError, match=r"(?i)deadline"):
            for _ in plane.stub().watch(watch("hello"), timeout_ms=200):
                pass
        assert conditions(plane)[-1] == "ACTIVE/RUNNING"
        assert plane.now_ns() - began < 60e9


def test_replicas_are_clipped_to_the_apps_bounds() -> None:
    """A number is at most the app's max, and at least its min; none is none, and usual sizes need no number."""
    sized = [{**ACTIVE, "message": str(each), "replicas": each} for each in (1, 9, "start", "max", "none")]
    found = times([PENDING, {"state": "DEPLOYING", "substate": "INITIALIZING"}, ACTIVE, *sized], replicas=(2, 5))
    assert [replicas for _, _, replicas in found] == [0, 2, 2, 2, 5, 2, 5, 0]


def test_a_step_that_the_bounds_exclude_is_left_out() -> None:
    """`requires`: an app with a min never scales to zero, one with a single replica not up."""
    zero = {"state": "ACTIVE", "substate": "SCALED_TO_ZERO", "after": "1s", "requires": "none"}
    up = {**ACTIVE, "message": "up", "requires": "max"}
    assert [what for _, what, _ in times([PENDING, ACTIVE, up, zero], replicas=(1, 1))] == ["PENDING", "ACTIVE/RUNNING"]
    assert len(times([PENDING, ACTIVE, up, zero], replicas=(0, 3))) >= 4


BRANCHES = {"choose": [{"weight": 3, "steps": []}, {"weight": 1, "steps": [FAILED]}]}


def drawn(seed: int) -> Counter[str]:
    """Return how often the last conditions of 200 apps came, which draw one of two branches."""
    with FakeControlPlane(
        scenarios=scenarios(own=[PENDING, ACTIVE, BRANCHES]), app_scenarios={"*": "own"}, clock="manual", seed=seed
    ) as plane:
        for number in range(200):
            plane.stub().create(create(f"app-{number}"))
        plane.clock.advance("10s")
        return Counter(conditions(plane, f"app-{number}")[-1] for number in range(200))


def test_a_branch_is_drawn_by_its_weight() -> None:
    """About three of four apps go on; another seed draws others, the same the same."""
    found = drawn(1)
    assert 30 <= found["FAILED/CRASH_LOOP"] <= 70
    assert found == drawn(1) and found.total() == 200


def test_a_fraction_falls_on_weights() -> None:
    """Each weight has its share, the edges included."""
    fractions = [number / 8 for number in range(8)]
    assert [drawn_index([1, 2, 5], each) for each in fractions] == [0, 1, 1, 2, 2, 2, 2, 2]
    assert drawn_index([0.1] * 10, 1 - 2**-53) == 9


PROGRAM = """
from scenarios.test_progress import drawn
print(sorted(drawn(7).items()), sorted(drawn(8).items()))
"""


@pytest.mark.slow
def test_two_processes_draw_the_same() -> None:
    """Draws depend on the seed and the app alone, not on the hash seed of the process."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "4242")
    }
    assert len(outputs) == 1


def test_progress_is_plain_data() -> None:
    """Written out after any step as indices and counters, and read again, it goes on as it would have."""
    one, two = Step(1, 0, "{round}", 1), Step(2, 0, "two", 1)
    steps = (one, Loop((Choice((Branch(1, (one,)), Branch(1, (two, one)))), two), 3, 4, 8), one)

    def draw(number: int) -> float:
        return number % 2 / 2

    progress, found = Progress(steps), list[Step | None]()
    while not found or found[-1] is not None:
        written = [(each.index, each.round, each.branch) for each in progress.frames], progress.draws
        copy = Progress(steps, [Frame(*each) for each in written[0]], written[1])
        found.append(progress.next_step(lambda size: True, draw))
        assert copy.next_step(lambda size: True, draw) == found[-1]
        assert copy == progress
    assert [each.message for each in found if each] == [
        "{round}",
        "two",
        "1",
        "two",
        "2",
        "two",
        "two",
        "3",
        "two",
        "{round}",
    ]
    assert [each.delay for each in found if each] == [1, 5, 1, 1, 9, 1, 9, 1, 1, 1]


def test_the_open_source_backend_shows_less() -> None:
    """A failure after a failure is no event there, in a loop with an end or without one."""
    loop = {"loop": {"times": 3, "after": "10s", "steps": [FAILED]}}
    with FakeControlPlane(
        dialect="flyte-oss",
        scenarios=scenarios(
            own=[PENDING, ACTIVE, loop, ACTIVE], again=[PENDING, FAILED, {"loop": {"after": "1s", "steps": [FAILED]}}]
        ),
        app_scenarios={"hello": "own", "other": "again"},
        clock="manual",
    ) as plane:
        seen = list[tuple[str, str]]()
        plane.notify(lambda notice: seen.append((notice.app, notice.message.partition(":")[0])))
        plane.stub().create(create("hello"))
        plane.stub().create(create("other"))
        plane.clock.advance("2m")
        assert [what for app, what in seen if app == "hello"] == ["PENDING", "ACTIVE", "FAILED", "ACTIVE"]
        assert [what for app, what in seen if app == "other"][-1] == "FAILED"
        assert plane.stub().get(get("hello")).app.metadata.labels[LABEL] == ""
        assert [each.owner for each in plane.clock.pending() if "other" in each.owner] == []
