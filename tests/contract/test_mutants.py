"""The checks can fail: each planted bug is found by a check of the guarantee that it breaks."""

from __future__ import annotations

from collections import Counter

import pytest

from flyteapps_contract import streams
from flyteapps_contract.catalogue import GUARANTEES
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.verification import outcomes_of
from mutants.catalogue import MUTANTS, Mutant

from . import standins


@pytest.mark.parametrize(("guarantee", "mutant"), MUTANTS, ids=[make.__name__ for _, make in MUTANTS])
def test_a_planted_bug_is_found(guarantee: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of the right guarantee says broken, and none of them did before."""
    monkeypatch.setattr(streams, "PATIENCE", 1.0)
    with mutant():
        outcomes = outcomes_of(standins.in_process(), guarantee)
    said = [f"{each.check}: {each.verdict} {each.reason}" for each in outcomes]
    assert any(each.verdict is Verdict.BROKEN for each in outcomes), said


def test_there_are_enough() -> None:
    """Every section of the contract has planted bugs."""
    sections = Counter(guarantee.partition("-")[0] for guarantee, _ in MUTANTS)
    assert set(sections) == {each.id.partition("-")[0] for each in GUARANTEES}
    assert sum(sections[each] for each in ("LE", "US", "SP", "LO")) >= 20
    assert sum(sections.values()) >= 45
