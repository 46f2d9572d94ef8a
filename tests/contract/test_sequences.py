"""Generated sequences: the stand-in keeps the contract through them, and what is planted is found and shrunk."""

from __future__ import annotations

import pytest

from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.explorations.sequences import search
from flyteapps_contract.session import Run
from flyteapps_contract.verification import fresh_prefix
from mutants import apps, watches
from mutants.catalogue import Mutant

from . import standins

FEW = 150


def test_the_stand_in_is_clean() -> None:
    """No sequence breaks a guarantee, and the same seed gives the same run."""
    first, again = (search(standins.direct(), Run(prefix="fcseq"), SearchOptions(count=FEW, seed=1)) for _ in range(2))
    assert first.violation is None, (first.violation, first.acts)
    assert first.tried == FEW
    assert first.commands == again.commands
    assert first.commands["create"] > FEW


@pytest.mark.parametrize(
    ("guarantee", "mutant"),
    [
        ("CR-2", apps.create_upserts),
        ("UP-4", apps.labels_alone_are_no_change),
        ("WA-6", watches.old_app_is_the_new_one),
    ],
)
def test_a_planted_bug_is_found_and_shrunk(guarantee: str, mutant: Mutant) -> None:
    """A sequence of few calls breaks the guarantee that the bug breaks."""
    with mutant():
        options = SearchOptions(count=10 * FEW, seed=1, judged=frozenset({guarantee}))
        found = search(standins.direct(), Run(prefix=fresh_prefix()), options)
    assert found.violation is not None
    assert guarantee in found.violation.guarantees
    assert found.violation.proof
    assert found.calls <= 12, found.acts
