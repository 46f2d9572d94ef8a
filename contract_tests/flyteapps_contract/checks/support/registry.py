"""The table of checks, filled by the decorator `check`. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.checks import flyte_oss, standard
from flyteapps_contract.symptoms import Ability

if TYPE_CHECKING:
    from flyteapps_contract.session import Session

Body = Callable[["Session"], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: the guarantees that it speaks of, its sentence, its body, what it needs of a target.

    Each of `needs` is the name of a field of Capabilities. `ability`: what it verifies of what other checks prepare
    with, None for most.
    """

    name: str
    guarantees: tuple[str, ...]
    needs: tuple[str, ...]
    sentence: str
    body: Body
    ability: Ability | None = None

    @property
    def dialect(self) -> str:
        """The dialect of its guarantees; checks of the standard may be asked of any."""
        return next((BY_ID[each].dialect for each in self.guarantees if each in BY_ID), STANDARD)


CHECKS: dict[str, Check] = {}


def check(*guarantees: str, needs: tuple[str, ...] = (), ability: Ability | None = None) -> Callable[[Body], Body]:
    """Register a check of these guarantees under its function's name."""

    def register(body: Body) -> Body:
        name = body.__name__
        if name in CHECKS:
            raise ValueError(f"two checks are called {name}")
        if not body.__doc__:
            raise ValueError(f"check {name} has no sentence that says what must hold")
        CHECKS[name] = Check(name, guarantees, needs, " ".join(body.__doc__.split()), body, ability)
        return body

    return register


def all_checks() -> tuple[Check, ...]:
    """Return every check of every dialect, in the order of their contracts."""
    _load()
    return _ordered(len(CHECKS))


def ability_checks() -> tuple[Check, ...]:
    """Return the checks of what the others prepare with, the most elementary first."""
    abilities = list(Ability)
    found = [each for each in all_checks() if each.ability is not None]
    return tuple(sorted(found, key=lambda each: abilities.index(each.ability or Ability.GET)))


@cache
def _load() -> None:
    """Import the modules of checks, which register them."""
    for package in (standard, flyte_oss):
        for module in sorted(each.name for each in walk_packages(package.__path__, f"{package.__name__}.")):
            import_module(module)


@cache
def _ordered(count: int) -> tuple[Check, ...]:
    """Return the `count` registered checks in the order of their contracts."""
    order = {guarantee: number for number, guarantee in enumerate(BY_ID)}

    def first(each: Check) -> int:
        return min((order.get(guarantee, 0) for guarantee in each.guarantees), default=0)

    return tuple(sorted(CHECKS.values(), key=first))
