"""The scripts that the suite prints run by themselves; `make mutants-scripts` runs ten of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutants import scripts
from mutants.planting import Mutant


@pytest.mark.parametrize(("guarantee", "mutant"), [scripts.TEN[1], scripts.TEN[8]])
def test_a_script_tells_the_planes_apart(guarantee: str, mutant: Mutant, tmp_path: Path) -> None:
    """It ends with 1 on the plane with the bug, and with 0 on the one without."""
    wrong, right, calls, said = scripts.statuses(guarantee, mutant, tmp_path)
    assert (wrong, right) == (1, 0), said
    assert calls <= 6
