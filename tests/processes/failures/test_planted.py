"""The tests of apps that run can fail: each planted bug is found by the test that it is named for."""

from __future__ import annotations

import pytest

from .planting import PLANTED, Planted, impatience

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    """Without the bug the test passes; with it, it fails."""
    planted.case()
    with impatience(), planted.plant(), pytest.raises((Exception, pytest.fail.Exception)):
        planted.case()
