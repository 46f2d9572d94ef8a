"""The contract on the stand-in, one case a guarantee and target: in process and over Connect; `matrix` has the rest."""

from __future__ import annotations

import pytest

from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.plugin import contract_tests
from flyteapps_contract.verification import gaps

from . import standins

OF_EACH_RPC = ("ID-1", "CR-1", "GE-1", "UP-1", "LE-2", "US-3", "DE-1", "LI-1", "WA-6", "SP-1", "LO-2")
"""A guarantee or two of each RPC: enough for the way over a wire. In process they run with all others."""
FURTHER = (*(each.id for each in GUARANTEES if each.id not in OF_EACH_RPC), *EXPLORATIONS)

test_in_process = contract_tests(standins.in_process)
test_over_connect = contract_tests(standins.over_connect, only=OF_EACH_RPC)
test_over_connect_further = pytest.mark.matrix(contract_tests(standins.over_connect, only=FURTHER))
test_over_grpc = pytest.mark.matrix(contract_tests(standins.over_grpc))
OF_CALLERS = tuple(each.id for each in GUARANTEES if each.id.startswith("AU-"))
test_callers = contract_tests(standins.authenticated, only=OF_CALLERS)
test_callers_over_connect = contract_tests(standins.authenticated_over_connect, only=OF_CALLERS)
test_callers_over_grpc = pytest.mark.matrix(contract_tests(standins.authenticated_over_grpc, only=OF_CALLERS))
test_all_with_callers = pytest.mark.matrix(contract_tests(standins.authenticated))
test_in_grpcio_testing = pytest.mark.matrix(contract_tests(standins.in_grpcio_testing))


def test_every_guarantee_has_a_check_and_every_check_a_guarantee() -> None:
    """The catalogue and the checks fit."""
    assert gaps() == []
