"""The tests of the state can fail: each planted bug is found by the test that it is named for."""

from __future__ import annotations

from functools import cache

import pytest
from planted import Case, Planted

from .planting import PLANTED


@cache
def passes(case: Case) -> bool:
    """Run a test without a bug, once."""
    case()
    return True


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    """Without the bug the test passes; with it, it fails."""
    assert passes(planted.case)
    with planted.plant(), pytest.raises((Exception, pytest.fail.Exception)):
        planted.case()
