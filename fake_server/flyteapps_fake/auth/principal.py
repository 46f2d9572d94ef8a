"""A caller with its rights."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from flyteapps_fake.auth.settings import ALL, Auth, Client, Role, User
from flyteapps_fake.core.call import Identity, Sees

MAX_REMEMBERED = 4_096
"""Projects whose visibility is remembered."""
MAX_PROJECT_CHARACTERS = 255
"""Characters of a project whose visibility is remembered: a request may name one of megabytes."""


class Rights(NamedTuple):
    """The rights of a caller: its role, and globs of the projects where it may write, and that it may see."""

    role: Role
    projects: tuple[str, ...] = ALL
    visible: tuple[str, ...] = ALL

    def may_see(self, project: str, domain: str = "") -> bool:
        """Return whether it may see the apps of a project: also of one where it may write."""
        return self.role == "admin" or _matches(self.visible, project) or self.may_write(project, domain)

    def may_write(self, project: str, domain: str = "") -> bool:
        """Return whether it may write in a project; "" is none in particular."""
        if self.role == "admin":
            return True
        return self.role == "contributor" and _matches(self.projects, project)

    @property
    def sees(self) -> Sees | None:
        """`may_see`; None for a caller that sees all."""
        return None if self.role == "admin" or "*" in self.visible else self.may_see


class Principal(NamedTuple):
    """A caller whose token was checked.

    `sees`: as `rights` has it. `token_id`, `session`: of the token. `expires`, `starts`: in seconds since 1970.
    """

    identity: Identity
    rights: Rights
    sees: Sees | None
    token_id: str
    session: str
    expires: float
    starts: float = 0.0

    @property
    def subject(self) -> str:
        """The subject of its token."""
        return self.identity.subject


def known(auth: Auth, subject: str) -> tuple[Identity, Rights] | None:
    """Return the identity and the rights of a user or client, None for any other subject."""
    for user in auth.users:
        if user.subject == subject:
            rights = rights_of(user)
            return Identity(subject, user.name, user.email, False, rights.role, rights.projects), rights
    for client in auth.clients:
        if client.client_id == subject:
            rights = rights_of(client)
            return Identity(subject, application=True, role=rights.role, projects=rights.projects), rights
    return None


def rights_of(entry: User | Client) -> Rights:
    """Return the rights in the settings of a user or client."""
    return Rights(entry.role, tuple(entry.projects), tuple(entry.visible))


def _matches(globs: tuple[str, ...], project: str) -> bool:
    matches = _remembered if len(project) <= MAX_PROJECT_CHARACTERS else _match
    return matches(globs, project)


def _match(globs: tuple[str, ...], project: str) -> bool:
    return any(fnmatchcase(project, glob) for glob in globs)


_remembered = lru_cache(MAX_REMEMBERED)(_match)
