"""The contract on the stand-in, one case a guarantee and target."""

from __future__ import annotations

from flyteapps_contract.plugin import contract_tests
from flyteapps_contract.verification import gaps

from . import standins

test_in_process = contract_tests(standins.in_process)
test_over_connect = contract_tests(standins.over_connect)
test_over_grpc = contract_tests(standins.over_grpc)
test_in_grpcio_testing = contract_tests(standins.in_grpcio_testing)


def test_every_guarantee_has_a_check_and_every_check_a_guarantee() -> None:
    """The catalogue and the checks fit."""
    assert gaps() == []
