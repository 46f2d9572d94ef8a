"""Which secrets there are, and which the user has declared to be missing. Names alone: values are never kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class SecretKey(NamedTuple):
    """The name of a secret and its scope; an empty project or domain means every one."""

    project: str
    domain: str
    name: str


class Secrets:
    """The secrets of one plane.

    A secret that nobody has created is there all the same, as every image is, unless it is declared to be missing:
    files whose secrets were made with another plane then deploy as they are.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self._missing = frozenset(missing)
        self.created: dict[SecretKey, bytes] = {}
        """The encoded Secret messages of those that were created."""

    def is_missing(self, project: str, domain: str, name: str) -> bool:
        """Return whether an app of that project and domain lacks the secret: declared missing and not created."""
        if name not in self._missing:
            return False
        scopes = ((project, domain), (project, ""), ("", domain), ("", ""))
        return not any(SecretKey(*scope, name) in self.created for scope in scopes)
