"""Concurrent histories on the stand-in: clean over threads and tasks, and races are found."""

from __future__ import annotations

import pytest

from flyteapps_contract.explorations.histories import Plan, drawn
from flyteapps_contract.explorations.history_search import plan_of, search
from flyteapps_contract.explorations.running_histories import RunningPlan, drawn_running
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.verification import fresh_run
from mutants import detection, races, running_races
from mutants.planting import Mutant

from . import standins


def test_the_same_seed_draws_the_same() -> None:
    """Plans follow from seed and number alone; the first ones are small, later ones have many clients."""
    assert drawn(1, 5) == drawn(1, 5)
    assert drawn(1, 5) != drawn(2, 5)
    assert len(drawn(1, 0).clients) <= 3
    assert len(drawn(1, 40).clients) == 8


def test_the_same_seed_draws_the_same_races_of_running_apps() -> None:
    """So do plans of apps that run; where time runs by itself, no lease is left unacknowledged."""
    assert drawn_running(1, 5, clock=True) == drawn_running(1, 5, clock=True)
    assert drawn_running(1, 5, clock=True) != drawn_running(2, 5, clock=True)
    assert max(len(drawn_running(1, number, clock=True).clients) for number in range(100)) == 4
    served = [drawn_running(1, number, clock=False) for number in range(100)]
    assert not any(plan.at_hand or "leased" in plan.beginnings for plan in served)


def test_every_other_history_is_of_running_apps() -> None:
    """Both kinds take turns, where a cluster of the session's own can run apps."""
    capabilities = standins.CAPABILITIES
    assert [type(plan_of(1, number, capabilities)) for number in range(4)] == [Plan, RunningPlan] * 2
    assert {type(plan_of(1, number, capabilities, running=False)) for number in range(4)} == {Plan}


def test_the_stand_in_is_clean() -> None:
    """No history breaks a guarantee, with clients that overlap as much as they can."""
    target = standins.direct()
    with detection.eager_threads():
        found = search(target, fresh_run(target), SearchOptions(count=40, seed=1))
    assert found.violation is None, found.violation
    assert found.tried == 40


@pytest.mark.parametrize(
    ("guarantee", "mutant"),
    [
        ("HI-1", races.racing_updates_overwrite_each_other),
        ("WA-5", races.what_happens_after_the_snapshot_is_missed),
        ("UP-2", running_races.an_update_undoes_a_report_that_races_it),
        ("HI-1", running_races.a_report_undoes_an_update_that_races_it),
    ],
)
def test_a_race_is_found_and_made_small(guarantee: str, mutant: Mutant) -> None:
    """A history of few calls shows it."""
    target = standins.direct()
    with mutant(), detection.eager_threads():
        found = search(target, fresh_run(target), SearchOptions(count=300, seed=1, judged=frozenset({guarantee})))
    assert found.violation is not None
    assert guarantee in found.violation.guarantees
    assert found.timeline
    assert found.calls <= 40
