"""The scripts that the suite prints run by themselves; `make mutants-scripts` runs ten of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyteapps_contract.explorations.sequences import replay
from flyteapps_contract.session import Run
from flyteapps_contract.verification import fresh_prefix
from mutants import apps, scripts
from mutants.planting import Mutant

from . import standins
from .test_sequences import CREATE_TWICE


def test_a_script_tells_the_planes_apart(tmp_path: Path) -> None:
    """The script of a replayed sequence ends with 1 on the plane with the bug, and with 0 on the one without."""
    path = tmp_path / "script.py"
    with apps.create_upserts():
        outcome = replay(standins.direct(), Run(prefix=fresh_prefix()), CREATE_TWICE)
        path.write_text(outcome.script, encoding="utf-8")
        wrong, printed = scripts.run(path)
    right, _ = scripts.run(path)
    assert (wrong, right) == (1, 0), printed


@pytest.mark.matrix
@pytest.mark.parametrize(("guarantee", "mutant"), [scripts.TEN[1], scripts.TEN[8]])
def test_a_found_script_tells_the_planes_apart(guarantee: str, mutant: Mutant, tmp_path: Path) -> None:
    """So does the script of a sequence that was found and shrunk."""
    wrong, right, calls, said = scripts.statuses(guarantee, mutant, tmp_path)
    assert (wrong, right) == (1, 0), said
    assert calls <= 6
