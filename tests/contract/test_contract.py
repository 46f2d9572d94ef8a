"""The contract on the stand-in, one case a guarantee and target: in process and over Connect; `matrix` has the rest."""

from __future__ import annotations

import pytest

from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.plugin import contract_tests
from flyteapps_contract.verification import gaps

from . import standins

LONG = ("WA-5", "LI-4", "US-2", "LI-2", "ID-3", *EXPLORATIONS)
"""Half of the CPU time of a served plane; in process they run with all others."""
SHORT = tuple(each.id for each in GUARANTEES if each.id not in LONG)

test_in_process = contract_tests(standins.in_process)
test_over_connect = contract_tests(standins.over_connect, only=SHORT)
test_over_connect_at_length = pytest.mark.matrix(contract_tests(standins.over_connect, only=LONG))
test_over_grpc = pytest.mark.matrix(contract_tests(standins.over_grpc))
test_in_grpcio_testing = pytest.mark.matrix(contract_tests(standins.in_grpcio_testing))


def test_every_guarantee_has_a_check_and_every_check_a_guarantee() -> None:
    """The catalogue and the checks fit."""
    assert gaps() == []
