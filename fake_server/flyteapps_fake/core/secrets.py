"""The names of secrets: those created, and those declared missing. Values are kept only where apps really run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from flyteapps_fake.core.state.registry import Registry


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

    def __init__(self, missing: Iterable[str], given: Mapping[str, str] | None = None) -> None:
        self._missing = frozenset(missing)
        self._given = given
        """The values that were configured, by KEY or GROUP/KEY; None where no value is ever kept."""
        self._values: dict[SecretKey, bytes] = {}
        self.created: Registry[SecretKey] = Registry("secrets")
        """Secret messages of the created secrets."""

    def is_missing(self, project: str, domain: str, name: str) -> bool:
        """Return whether the secret is declared missing and not created for an app of that project and domain."""
        if name not in self._missing:
            return False
        return not any(key in self.created for key in _keys(project, domain, name))

    def keep(self, key: SecretKey, value: bytes) -> None:
        """Keep the value of a created secret, where apps really run."""
        if self._given is not None:
            self._values[key] = value

    def kept_value(self, key: SecretKey) -> bytes | None:
        """Return the value of a created secret, None where none is kept."""
        return self._values.get(key)

    def forget(self, key: SecretKey) -> None:
        """Forget the value of a deleted secret."""
        self._values.pop(key, None)

    def value(self, project: str, domain: str, name: str, group: str = "") -> bytes | None:
        """Return the value of a secret for an app of that project and domain, None where it has none.

        A created one comes before one that was configured, and GROUP/KEY before KEY.
        """
        for key in _keys(project, domain, name):
            if key in self._values:
                return self._values[key]
        given = self._given or {}
        found = given.get(f"{group}/{name}") if group else None
        found = given.get(name) if found is None else found
        return found.encode() if found is not None and name not in self._missing else None


def _keys(project: str, domain: str, name: str) -> Iterator[SecretKey]:
    """Yield the keys under which a secret for an app of that project and domain may have been created."""
    for scope in ((project, domain), (project, ""), ("", domain), ("", "")):
        yield SecretKey(*scope, name)
