"""Writers at once of flyte-oss where writes take time: the stand-in's are refused as a cluster's are."""

from __future__ import annotations

import pytest

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS
from flyteapps_contract.checks.flyte_oss import racing
from flyteapps_contract.checks.support.registry import CHECKS, Check
from flyteapps_contract.explorations.history_search import HISTORIES
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.runner import judge
from flyteapps_contract.verification import fresh_run
from mutants import detection

from . import standins


def _racing() -> list[Check]:
    """Return the checks whose writers race."""
    standins.oss_racing()  # which has the checks registered
    return [each for each in CHECKS.values() if each.body.__module__ == racing.__name__]


@pytest.mark.parametrize("check", _racing(), ids=lambda each: each.name)
def test_a_race_holds(check: Check) -> None:
    """Each check of writers at once holds, where their threads overlap as much as they can."""
    target = standins.oss_racing()
    with detection.eager_threads():
        outcome = judge(target, check, fresh_run(target))
    assert outcome.verdict is Verdict.HOLDS, outcome.reason


def test_histories_of_writers_that_meet() -> None:
    """An order of the writes explains every answer and every Watch, those of refused writes included."""
    target = standins.oss_racing()
    with detection.eager_threads():
        found = HISTORIES[FLYTE_OSS].search(target, fresh_run(target), SearchOptions(count=10, seed=1))
    assert found.violation is None, found.violation
    assert found.tried == 10
