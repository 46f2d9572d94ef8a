"""Concurrent histories on the stand-in: clean over threads and tasks, and races are found."""

from __future__ import annotations

import pytest

from flyteapps_contract.explorations.histories import drawn, search
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.verification import fresh_run
from mutants import detection, races
from mutants.planting import Mutant

from . import standins


def test_the_same_seed_draws_the_same() -> None:
    """Plans follow from seed and number alone; the first ones are small, later ones have many clients."""
    assert drawn(1, 5) == drawn(1, 5)
    assert drawn(1, 5) != drawn(2, 5)
    assert len(drawn(1, 0).clients) <= 3
    assert len(drawn(1, 40).clients) == 8


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
