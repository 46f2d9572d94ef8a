"""Guarantees and checks put together: which checks speak of a guarantee, and what they came to on a target."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from flyteapps_contract.catalogue.dialects import BY_ID, dialect_of
from flyteapps_contract.checks.support.registry import Check, all_checks
from flyteapps_contract.deviations.deviations import of_dialect
from flyteapps_contract.outcomes import Outcome
from flyteapps_contract.runner import judge
from flyteapps_contract.session import Run
from flyteapps_contract.targets.target import Target

PREFIX_BYTES = 4


def fresh_prefix() -> str:
    """Return a prefix for the names of one run."""
    return "fc" + secrets.token_hex(PREFIX_BYTES)


def fresh_run(target: Target) -> Run:
    """Return a run on the target with a prefix of its own."""
    return Run(prefix=fresh_prefix(), org=target.capabilities.org)


def checks_of(guarantee: str) -> list[Check]:
    """Return the checks that speak of the guarantee."""
    return [check for check in all_checks() if guarantee in check.guarantees]


def outcomes_of(target: Target, guarantee: str, run: Run | None = None) -> list[Outcome]:
    """Return what the checks of one guarantee came to, those that its dialect is known not to keep left out."""
    run, known = run or fresh_run(target), of_dialect(target.dialect)
    return [judge(target, check, run) for check in checks_of(guarantee) if known.asks(check)]


def asked_of(dialect: str) -> list[str]:
    """Return the ids of the guarantees that a plane of the dialect is asked for, by one check at least."""
    known = of_dialect(dialect)
    ids = [each.id for each in dialect_of(dialect).guarantees]
    return [each for each in ids if any(map(known.asks, checks_of(each)))] if known.deviations else ids


def gaps() -> Sequence[str]:
    """Return what doesn't fit: a guarantee without a check, a check without a guarantee."""
    spoken_of: set[str] = set()
    found: list[str] = []
    for check in all_checks():
        found += [
            f"check {check.name} speaks of {each}, which is no guarantee"
            for each in set(check.guarantees) - BY_ID.keys()
        ]
        if not check.guarantees:
            found.append(f"check {check.name} speaks of no guarantee")
        spoken_of.update(check.guarantees)
    return [*found, *(f"guarantee {each.id} has no check" for each in BY_ID.values() if each.id not in spoken_of)]
