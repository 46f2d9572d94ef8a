"""The tests of the saving can fail: each planted bug is found by the test it is named for."""

from __future__ import annotations

import pytest
from planted import Planted

from .planting import PLANTED


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    """Without the bug the test passes; with it, it fails."""
    planted.case()
    with planted.plant(), pytest.raises((Exception, pytest.fail.Exception)):
        planted.case()
