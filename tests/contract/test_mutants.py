"""The checks can fail: each planted bug is found by a check of the guarantee that it breaks."""

from __future__ import annotations

import pytest

from flyteapps_contract import streams
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.verification import outcomes_of

from . import standins
from .mutants import MUTANTS, Mutant


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
    assert len(MUTANTS) >= 25
    assert {guarantee.partition("-")[0] for guarantee, _ in MUTANTS} == {"ID", "CR", "GE", "UP", "DE", "LI", "WA", "HI"}
