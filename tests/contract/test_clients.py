"""The client guarantees on clients: the reference client and this project's own keep them, the SDK breaks some."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.catalogue.clients import CLIENT_GUARANTEES
from flyteapps_contract.clients.adapter import ClientFactory
from flyteapps_contract.clients.judging import client_outcomes_of, judge_client
from flyteapps_contract.clients.registry import all_client_checks, client_gaps
from flyteapps_contract.outcomes import NotOffered, Verdict, verdict_of
from flyteapps_contract.plugin import client_tests
from mutants.clients import MUTANTS

from . import client_adapters
from .judge_sdk import SDK_BREAKS, sdk_outcomes
from .reference_client import Handle, ReferenceClient

HANGS = (1.0, 5.0, 60.0)
"""Seconds for each check of a wrong client: some of them hang. On a busy machine a second may end before the client has
had the chance to be wrong; it then gets more."""
GOOD = 60.0
"""Seconds for each check of a client that keeps it, which takes none of it but on a busy machine."""
BUSY = 100.0
"""Seconds for each check of a client that doesn't hang."""

test_reference = client_tests(ReferenceClient, seconds=GOOD)
test_flyteapps = client_tests(client_adapters.Own, seconds=GOOD)
test_flyteapps_blocking = client_tests(client_adapters.OwnBlocking, seconds=GOOD)


def test_every_client_guarantee_has_a_check_and_every_check_a_guarantee() -> None:
    """The client guarantees and the checks fit."""
    assert client_gaps() == []


@pytest.mark.slow
def test_the_sdk_breaks_what_is_known() -> None:
    """The unmodified SDK breaks exactly these guarantees, and nothing of it goes unjudged."""
    outcomes = sdk_outcomes()
    verdicts = {
        guarantee.id: verdict_of([each for each in outcomes if guarantee.id in each.guarantees])
        for guarantee in CLIENT_GUARANTEES
    }
    expected = {
        guarantee.id: Verdict.BROKEN if guarantee.id in SDK_BREAKS else Verdict.HOLDS for guarantee in CLIENT_GUARANTEES
    } | dict.fromkeys(("CL-24", "CL-25", "CL-26", "CL-28"), Verdict.NOT_OFFERED)  # credentials need TLS; no deadlines
    assert verdicts == expected, [f"{each.check}: {each.reason}" for each in outcomes]


@pytest.mark.parametrize(
    ("guarantee", "wrong"), MUTANTS, ids=[f"{guarantee}-{kind.__name__}" for guarantee, kind in MUTANTS]
)
def test_a_wrong_client_is_found(guarantee: str, wrong: ClientFactory) -> None:
    """A check of the guarantee that it breaks says broken."""
    outcomes = client_outcomes_of(wrong, guarantee, HANGS[0])
    for seconds in HANGS[1:]:
        if verdict_of(outcomes) is not Verdict.BROKEN:
            outcomes = client_outcomes_of(wrong, guarantee, seconds)
    assert verdict_of(outcomes) is Verdict.BROKEN, [f"{each.check}: {each.verdict} {each.reason}" for each in outcomes]


def test_there_are_wrong_clients_for_every_guarantee() -> None:
    """No guarantee without a client that was caught breaking it."""
    assert {guarantee for guarantee, _ in MUTANTS} == {guarantee.id for guarantee in CLIENT_GUARANTEES}


def test_what_a_client_can_not_do_is_not_offered() -> None:
    """An adapter reports what its client can not do: those checks are not offered, the others are judged."""

    class CreatesNothing(ReferenceClient):
        async def create(self, app: model.App) -> Handle:
            raise NotOffered("it creates nothing")

    found = {each.check: each.verdict for each in judge_client(CreatesNothing, all_client_checks(), BUSY)}
    missing_capabilities = {check for check, verdict in found.items() if verdict is Verdict.NOT_OFFERED}
    assert {"create_where_no_ingress_is_stored", "a_lost_create_is_a_success"} <= missing_capabilities
    assert set(found.values()) == {Verdict.HOLDS, Verdict.NOT_OFFERED}
