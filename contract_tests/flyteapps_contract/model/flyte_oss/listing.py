"""The pages of a List: exactly the present apps of its scope, by resource name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flyteapps_contract.model.flyte_oss.services import Service

Scope = tuple[str, str] | None
"""A project and a domain, None for all of them."""


def in_scope(services: Mapping[str, Service | None], scope: Scope) -> dict[str, Service]:
    """Return the services of the scope by resource name, in that order."""
    return {
        name: each
        for name, each in sorted(services.items())
        if each is not None and (scope is None or each.place == scope)
    }


@dataclass(slots=True)
class Chain:
    """The pages of one token chain: `left` is what the snapshot of its first page has yet, `last` the last name shown.

    A plane may show the snapshot, or what is there now beyond that name.
    """

    scope: Scope
    limit: int
    left: dict[str, Service] = field(default_factory=dict[str, Service])
    last: str = ""

    def candidates(self, services: Mapping[str, Service | None]) -> list[dict[str, Service]]:
        """Return what the next pages may show."""
        now = {name: each for name, each in in_scope(services, self.scope).items() if name > self.last}
        return [self.left, now]

    def shown(self, names: Sequence[str]) -> None:
        """Record a page."""
        self.left = {name: each for name, each in self.left.items() if name not in names}
        self.last = max([self.last, *names])


def page_of(apps: Mapping[str, Service], limit: int) -> dict[str, Service]:
    """Return the first page of them; 0 is no limit."""
    return dict(list(apps.items())[: limit or None])


def may_have_token(apps: Mapping[str, Service], limit: int, others: int) -> set[bool]:
    """Return whether that page has a token; `others`: the services outside the scope, which may follow on it."""
    if not limit or len(apps) < limit:
        return {False}
    return {True} if len(apps) > limit else ({False, True} if others else {False})
