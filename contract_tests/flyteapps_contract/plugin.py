"""The contract as a test of somebody's own plane: one test a guarantee. The suite is imported when used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flyteapps_contract.targets.target import Target


def contract_tests(target: Callable[[], Target], *, only: tuple[str, ...] = ()) -> Callable[[str], None]:
    """A test function with one case a guarantee, to be assigned to a name that pytest collects.

    `target` makes what is judged, once a case. `only` names guarantees, all by default. A case fails where the
    guarantee is broken or could not be judged, and is skipped with the reason where the target doesn't offer what
    its checks need.
    """
    from flyteapps_contract.catalogue import GUARANTEES

    ids = [each.id for each in GUARANTEES if not only or each.id in only]
    if unknown := set(only) - set(ids):
        raise ValueError(f"no such guarantee: {', '.join(sorted(unknown))}")

    @pytest.mark.parametrize("guarantee", ids)
    def test_contract(guarantee: str) -> None:
        from flyteapps_contract.outcomes import Verdict, verdict_of
        from flyteapps_contract.verification import outcomes_of

        outcomes = outcomes_of(target(), guarantee)
        text = "\n".join(f"{each.check}: {each.verdict}: {each.reason}" for each in outcomes if each.reason)
        verdict = verdict_of(outcomes)
        if verdict is Verdict.NOT_OFFERED:
            pytest.skip(f"not offered: {text}")
        assert verdict is Verdict.HOLDS, f"{guarantee} {verdict}\n{text}"

    return test_contract
