"""Profiles: what is drawn has to fit into the time that the directed checks leave."""

from __future__ import annotations

import pytest

from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.profiles import MIN_SHARE, PROFILES, Budget


@pytest.mark.parametrize("name", ["quick", "standard", "thorough"])
def test_each_exploration_has_a_budget(name: str) -> None:
    """In the order in which they run; their seconds fit into the profile's."""
    profile = PROFILES[name]
    assert list(profile.budgets) == list(EXPLORATIONS)
    assert sum(each.seconds for each in profile.budgets.values()) < profile.seconds


def test_what_is_left_is_shared() -> None:
    """With enough time each has its own; with less, its share of what is left; with none, a try."""
    standard = PROFILES["standard"]
    assert standard.within("sequences", 1_000.0) == standard.budgets["sequences"]
    assert standard.within("sequences", 20.0) == Budget(3_000, 20.0)
    assert standard.within("messages", 45.0) == Budget(1_000, 7.5)
    assert standard.within("histories", -10.0) == Budget(300, 15.0 * MIN_SHARE)
