"""The table of client checks, filled by the decorator `client_check`. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from flyteapps_contract.catalogue.clients import CLIENT_GUARANTEES
from flyteapps_contract.checks import clients as checks

if TYPE_CHECKING:
    from flyteapps_contract.clients.context import ClientContext

Body = Callable[["ClientContext"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ClientCheck:
    """One check: its guarantee, its sentence, its body."""

    name: str
    guarantee: str
    sentence: str
    body: Body


CHECKS: dict[str, ClientCheck] = {}


def client_check(guarantee_id: str) -> Callable[[Body], Body]:
    """Register a check of this guarantee under its function's name."""

    def register(body: Body) -> Body:
        name = body.__name__
        if name in CHECKS:
            raise ValueError(f"two client checks are called {name}")
        if not body.__doc__:
            raise ValueError(f"client check {name} has no sentence that says what must hold")
        CHECKS[name] = ClientCheck(name, guarantee_id, " ".join(body.__doc__.split()), body)
        return body

    return register


def all_client_checks() -> tuple[ClientCheck, ...]:
    """Return every check, in the order of the guarantees."""
    for module in sorted(each.name for each in iter_modules(checks.__path__)):
        import_module(f"{checks.__name__}.{module}")
    order = {each.id: number for number, each in enumerate(CLIENT_GUARANTEES)}
    return tuple(sorted(CHECKS.values(), key=lambda each: order.get(each.guarantee, 0)))


def client_checks_of(guarantee_id: str) -> list[ClientCheck]:
    """Return the checks of a client guarantee."""
    return [each for each in all_client_checks() if each.guarantee == guarantee_id]


def client_gaps() -> list[str]:
    """Return the gaps: a client guarantee without a check, a check without a client guarantee."""
    known = {each.id for each in CLIENT_GUARANTEES}
    found = [
        f"guarantee {each} has no check" for each in sorted(known - {check.guarantee for check in all_client_checks()})
    ]
    return found + [
        f"check {each.name} is of {each.guarantee}, which is no client guarantee"
        for each in CHECKS.values()
        if each.guarantee not in known
    ]
