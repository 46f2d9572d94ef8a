"""The names of secrets: those created, and those declared missing. Values are never stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class SecretKey(NamedTuple):
    """The name and scope of a secret; an empty project or domain matches all."""

    project: str
    domain: str
    name: str


class Secrets:
    """The secrets of one plane.

    A secret that was never created exists all the same, as every image does, unless it is declared missing: files
    whose secrets exist on another plane then deploy unchanged.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self._missing = frozenset(missing)
        self.created: dict[SecretKey, bytes] = {}
        """Encoded Secret messages of the created secrets."""

    def is_missing(self, project: str, domain: str, name: str) -> bool:
        """Return whether the secret is declared missing and not created for an app of that project and domain."""
        if name not in self._missing:
            return False
        scopes = ((project, domain), (project, ""), ("", domain), ("", ""))
        return not any(SecretKey(*scope, name) in self.created for scope in scopes)
