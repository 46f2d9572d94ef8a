"""The checks can fail: each planted bug is found by a check of the guarantee that it breaks."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from flyteapps_contract import streams
from flyteapps_contract.catalogue.dialects import BY_ID, DIALECTS
from flyteapps_contract.catalogue.guarantee import FLYTE_OSS
from flyteapps_contract.explorations import search
from flyteapps_contract.profiles import PROFILES
from mutants import detection, run
from mutants.catalogue import MUTANTS, Mutant

EACH = 8
"""One planted bug of so many is searched for in `make test`; the others are in the matrix, all in `make mutants`."""
LONGER = "mutants.flyte_oss_drawn"
"""Its planted bugs are found by some hundred sequences: they are in the matrix alone."""
BUDGETS = {name: replace(each, seconds=600.0) for name, each in PROFILES["standard"].budgets.items()}
"""The numbers of the profile `standard`, with time for a busy machine."""
CASES = [
    pytest.param(
        guarantee,
        make,
        id=make.__name__,
        marks=() if number % EACH == 0 and make.__module__ != LONGER else pytest.mark.matrix,
    )
    for number, (guarantee, make) in enumerate(MUTANTS)
]


@pytest.mark.parametrize(("guarantee", "mutant"), CASES)
def test_a_planted_bug_is_found(guarantee: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of the right guarantee says broken, or what is drawn does; `make mutants` tries several seeds."""
    monkeypatch.setattr(streams, "PATIENCE", 1.0)
    monkeypatch.setattr(search, "SHRINK_SECONDS", 0.5)  # that it is found is enough
    found = detection.directed(guarantee, mutant) or detection.drawn(guarantee, mutant, BUDGETS, seed=1)
    assert found is not None


def test_what_was_found_is_on_record() -> None:
    """scripts/docs/mutants.json has every run of every mutant and of none, and each came to what it must."""
    rows = {run.key_of(row): row for row in json.loads(run.REPORT.read_text("utf-8"))}
    assert set(rows) == set(run.runs()), "make mutants; make mutants-report"
    assert [key for key, row in rows.items() if run.went_wrong(row)] == []


def test_there_are_enough() -> None:
    """Every section of the contract has planted bugs, and so has every guarantee that is flyte-oss's own."""
    sections = Counter(guarantee.partition("-")[0] for guarantee, _ in MUTANTS)
    assert set(sections) == {each.partition("-")[0] for each in BY_ID}
    assert sum(sections[each] for each in ("LE", "US", "SP", "LO")) >= 20
    assert sum(sections.values()) >= 135
    assert {guarantee for guarantee, _ in MUTANTS if guarantee.startswith("OSS-")} == {
        each.id for each in DIALECTS[FLYTE_OSS].own
    }
