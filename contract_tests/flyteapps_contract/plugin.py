"""The contract as tests of your own plane or client: one test a guarantee.

The suite is imported when used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flyteapps_contract.clients.adapter import ClientFactory
    from flyteapps_contract.outcomes import Outcome
    from flyteapps_contract.profiles import Floor
    from flyteapps_contract.targets.target import Target


def contract_tests(
    target: Callable[[], Target],
    *,
    only: tuple[str, ...] = (),
    profile: str = "quick",
    seed: int = 0,
    dialect: str = "standard",
) -> Callable[[str], None]:
    """Return a test function with one case a guarantee and one an exploration, for a name that pytest collects.

    `target` makes what is judged, once a case. `only` names guarantees and explorations ("sequences", "histories",
    "messages"), all by default. A case fails where the guarantee is broken or could not be judged, and is skipped with
    the reason where the target doesn't offer what its checks need, or so few of them that it was hardly tried.
    `profile` (quick, standard, thorough) says how much the explorations try; of one `seed` they draw the same.
    `dialect` is the one of the targets' offers: it says which guarantees there are, and what is drawn.
    """
    from flyteapps_contract.catalogue.dialects import dialect_of
    from flyteapps_contract.explorations.registry import OF_DIALECT
    from flyteapps_contract.profiles import PROFILES
    from flyteapps_contract.verification import asked_of

    explorations = OF_DIALECT[dialect_of(dialect).name]
    floor = PROFILES[profile].floor.of_dialect(dialect_of(dialect).name)
    budgets = {name: budget for name, budget in PROFILES[profile].budgets.items() if name in explorations}

    @pytest.mark.parametrize("guarantee", _chosen([*asked_of(dialect), *budgets], only))
    def test_contract(guarantee: str) -> None:
        from flyteapps_contract.explorations.search import explore
        from flyteapps_contract.verification import fresh_run, outcomes_of

        judged = target()
        if guarantee in budgets:
            explored = explore(explorations[guarantee], judged, fresh_run(judged), budgets[guarantee], seed)
            _require_held(guarantee, list(explored), floor)
        else:
            _require_held(guarantee, outcomes_of(judged, guarantee))

    return test_contract


def client_tests(
    factory: ClientFactory, *, only: tuple[str, ...] = (), seconds: float | None = None
) -> Callable[[str], None]:
    """Return the same for a client of AppService, one case a client guarantee.

    `factory` makes an adapter of the client (flyteapps_contract.clients.adapter) for an endpoint, a project and a
    domain, once a check. `seconds`: real time for each check, 10 by default; a hang counts as broken.
    """
    from flyteapps_contract.catalogue.clients import CLIENT_GUARANTEES

    @pytest.mark.parametrize("guarantee", _chosen([each.id for each in CLIENT_GUARANTEES], only))
    def test_client(guarantee: str) -> None:
        from flyteapps_contract.clients.context import PATIENCE
        from flyteapps_contract.clients.judging import client_outcomes_of

        _require_held(guarantee, client_outcomes_of(factory, guarantee, PATIENCE if seconds is None else seconds))

    return test_client


def _chosen(ids: list[str], only: tuple[str, ...]) -> list[str]:
    if unknown := set(only) - set(ids):
        raise ValueError(f"no such guarantee: {', '.join(sorted(unknown))}; there are {', '.join(ids)}")
    return [each for each in ids if not only or each in only]


def _require_held(id_: str, outcomes: Sequence[Outcome], floor: Floor | None = None) -> None:
    """Fail the test, or skips it, unless all is well: too little evidence is no success."""
    from flyteapps_contract.evidence import evidence_of, weighed
    from flyteapps_contract.outcomes import Verdict
    from flyteapps_contract.profiles import Floor

    floor = floor or Floor()
    text = "\n".join(f"{each.check}: {each.verdict}: {each.reason}\n{each.script}" for each in outcomes if each.reason)
    verdict = weighed(id_, outcomes, floor)
    if verdict is Verdict.NOT_OFFERED:
        pytest.skip(f"not offered: {text}")
    if verdict is Verdict.HARDLY:
        pytest.skip(f"hardly tried: {evidence_of(id_, outcomes, floor)}\n{text}")
    assert verdict is Verdict.HOLDS, f"{id_} {verdict}\n{text}"
