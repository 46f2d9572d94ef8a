"""Filters and sort orders that the client applies where a plane ignores them.

Pure: apps in, apps out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps import conditions
from flyteapps.apps.planes import traits_of
from flyteapps.errors import InvalidArgument


def _at(stamp: Any) -> tuple[int, int]:
    return stamp.seconds, stamp.nanos


KEYS: dict[str, Callable[[definition.App], Any]] = {
    "created_at": lambda app: _at(app.status.created_at),
    "updated_at": lambda app: _at(app.status.last_updated_at),
    "name": lambda app: app.metadata.id.name,
    "status_phase": lambda app: conditions.status(app).name,
    "revision": lambda app: app.metadata.revision,
}
"""The sort keys."""


class ClientFilter:
    """A client-side filter. `org`: of the apps, None for any. `statuses`: names without prefix, empty for any."""

    def __init__(self, statuses: Iterable[str], subject: str | None) -> None:
        self.org: str | None = None
        self._statuses = frozenset(statuses)
        self._subject = subject

    def is_of_org(self, app: definition.App) -> bool:
        """Return whether the app is of that org."""
        return self.org is None or app.metadata.id.org == self.org

    def matches(self, app: definition.App) -> bool:
        """Return whether the app matches, as does each app of a plane that filters itself."""
        if traits_of(app).filters_lists:
            return True
        if self._statuses and conditions.status(app).name not in self._statuses:
            return False
        return not self._subject or _creator(app) == self._subject


def ordered(apps: Iterable[definition.App], key: str, direction: str) -> list[definition.App]:
    """Return the apps in that order, ties by id. Raises InvalidArgument for an unknown key."""
    if key not in KEYS:
        raise InvalidArgument(f"sort_by: unknown key {key!r}. Known keys: {', '.join(KEYS)}")
    found = sorted(apps, key=lambda app: _place(app.metadata.id))
    return sorted(found, key=KEYS[key], reverse=direction == "desc")


def _place(identifier: definition.Identifier) -> tuple[str, str, str, str]:
    return identifier.org, identifier.project, identifier.domain, identifier.name


def _creator(app: definition.App) -> str:
    creator: Any = app.spec.creator
    which = creator.WhichOneof("principal")
    return getattr(creator, which).id.subject if which else ""
