"""The checks of what a cluster refuses hold on each level of it, whatever the plane answers; and find what is mixed."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.targets.planes import InProcess, PlanesTarget
from flyteapps_contract.verification import checks_of, outcomes_of
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import KUBERNETES, Kubernetes

from .standins import OSS_CAPABILITIES

GUARANTEES = tuple(f"OSS-{number}" for number in range(55, 65))
UNSEEN = {
    "knative": set[str](),
    "api": {"a_refused_spec_changes_nothing"},
    "none": {"a_refused_spec_changes_nothing", "what_a_cluster_refuses_changes_nothing"},
}
"""By level, the checks of what changes nothing that can't be judged since nothing is refused."""


def target(level: Kubernetes, *, lenient: bool = False) -> PlanesTarget:
    """Return planes whose cluster is of that level, of which the suite knows whether it refuses nothing."""

    def move(plane: InProcess, seconds: float) -> None:
        cast("FakeControlPlane", plane).advance(seconds)

    return PlanesTarget(
        lambda: FakeControlPlane(dialect="flyte-oss", clock="manual", kubernetes=level),
        name=level,
        capabilities=replace(OSS_CAPABILITIES, lenient=lenient),
        move=move,
    )


@pytest.mark.parametrize("level", KUBERNETES)
def test_the_checks_hold_on_each_level(level: Kubernetes) -> None:
    """None is broken on any; what changes nothing can be judged where something is refused."""
    outcomes = [each for guarantee in GUARANTEES for each in outcomes_of(target(level), guarantee)]
    offered = {each.check for each in outcomes if each.verdict is not Verdict.NOT_OFFERED}
    assert [each for each in outcomes if each.verdict not in (Verdict.HOLDS, Verdict.NOT_OFFERED)] == []
    every = {check.name for guarantee in GUARANTEES for check in checks_of(guarantee)}
    assert every - offered == UNSEEN[level]


def test_a_lenient_cluster_refuses_nothing() -> None:
    """Where the suite knows that nothing is refused, a refusal is broken."""
    broken = {
        guarantee
        for guarantee in ("OSS-55", "OSS-57", "OSS-58")
        for each in outcomes_of(target("api", lenient=True), guarantee)
        if each.verdict is Verdict.BROKEN
    }
    assert broken == {"OSS-55", "OSS-57", "OSS-58"}
    held = [each for each in outcomes_of(target("none", lenient=True), "OSS-55") if each.verdict is Verdict.HOLDS]
    assert len(held) == 2
