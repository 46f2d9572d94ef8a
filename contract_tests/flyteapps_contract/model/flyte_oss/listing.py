"""The pages of a List: exactly the apps of its scope, by resource name, as they were at the first page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flyteapps_contract.model.flyte_oss.services import Service

Scope = tuple[str, str] | None
"""A project and a domain, None for all of them."""


@dataclass(slots=True)
class Chain:
    """The pages of one token chain.

    `there`: all services at the first page, those of other scopes, too; `last`: the resource name of the last app that
    was shown. A `limit` of 0 is none.
    """

    there: Mapping[str, Service]
    scope: Scope
    limit: int
    last: str = ""

    def left(self) -> dict[str, Service]:
        """Return the services of the scope that were not shown yet, by resource name."""
        return {
            name: each
            for name, each in sorted(self.there.items())
            if name > self.last and (self.scope is None or each.place == self.scope)
        }

    def page(self) -> dict[str, Service]:
        """Return the services of the next page."""
        return dict(list(self.left().items())[: self.limit or None])

    def has_next(self, page: Mapping[str, Service]) -> bool:
        """Return whether a token follows that page: it is full, and any service comes after it, of the scope or not."""
        return bool(self.limit) and len(page) == self.limit and any(name > max(page) for name in self.there)
