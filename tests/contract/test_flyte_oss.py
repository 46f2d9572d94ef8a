"""The contract of the open-source backend's dialect on the stand-in, one case a guarantee and target; and its data."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from flyteapps_contract.catalogue import flyte_oss as catalogue_flyte_oss
from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.deviations.deviations import of_dialect
from flyteapps_contract.explorations.registry import OF_DIALECT
from flyteapps_contract.plugin import contract_tests
from flyteapps_contract.verification import asked_of, checks_of

from . import standins
from .test_flyte_oss_recordings import STEPS

NAMES = [f"{step.group} / {step.name}" for step in STEPS]

CHECKED = tuple(asked_of("flyte-oss"))
"""The guarantees that have checks; what is drawn has tests of its own, in short, and is in the matrix."""

test_in_process = contract_tests(standins.oss_in_process, dialect="flyte-oss", only=CHECKED)
test_without_a_cluster = contract_tests(standins.lenient_oss_in_process, dialect="flyte-oss", only=CHECKED)
test_what_is_drawn = pytest.mark.matrix(
    contract_tests(standins.oss_direct, dialect="flyte-oss", only=tuple(OF_DIALECT["flyte-oss"]))
)
test_over_connect = pytest.mark.matrix(contract_tests(standins.oss_over_connect, dialect="flyte-oss"))
test_without_a_cluster_over_connect = pytest.mark.matrix(
    contract_tests(standins.lenient_oss_over_connect, dialect="flyte-oss")
)
test_over_grpc = pytest.mark.matrix(contract_tests(standins.oss_over_grpc, dialect="flyte-oss"))


def test_each_guarantee_has_evidence() -> None:
    """Each names steps of the recording, and only such as there are, or says what was seen otherwise, or only read."""
    for each in catalogue_flyte_oss.GUARANTEES:
        assert each.steps or each.seen or each.read, each.id
        for pattern in each.steps:
            assert any(fnmatchcase(name, pattern) for name in NAMES), f"{each.id}: no step is called {pattern}"


def test_each_step_shows_something() -> None:
    """Some guarantee speaks of each recorded step, save those that only prepare: a wait, a first Create, a stop."""
    patterns = [pattern for each in catalogue_flyte_oss.GUARANTEES for pattern in each.steps]
    unspoken = [
        step for step in STEPS if not any(fnmatchcase(f"{step.group} / {step.name}", each) for each in patterns)
    ]
    prepare = [step for step in unspoken if step.kind == "wait" or step.fields.get("call") in ("create", "update")]
    assert unspoken == prepare


def test_each_deviation_says_what_is_instead() -> None:
    """Each row has guarantees of the dialect instead, and names only steps that were recorded, or the source."""
    for row in of_dialect("flyte-oss").deviations:
        assert row.instead and all(id_.startswith("OSS-") for id_ in row.instead), row.id
        steps = re.findall(r"`(.*?)`", row.evidence)
        assert set(steps) <= set(NAMES), f"{row.id}: {sorted(set(steps) - set(NAMES))}"
        assert steps or "read in the source" in row.evidence, row.id


def test_each_guarantee_of_the_standard_is_asked_or_deviates() -> None:
    """None is passed over: its checks are asked, or a row says why some are not; what holds all the same is asked."""
    rows = of_dialect("flyte-oss").deviations
    deviating = [row.guarantee for row in rows]
    assert len(set(deviating)) == len(deviating)
    for each in GUARANTEES:
        assert each.id in deviating or each.id in asked_of("flyte-oss")
    for row in rows:
        assert set(row.asked) <= {check.name for check in checks_of(row.guarantee)}, row.id
