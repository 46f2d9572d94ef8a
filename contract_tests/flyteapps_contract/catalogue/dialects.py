"""The dialects that the suite knows: what a plane of each guarantees, and what a run has to know to ask it."""

from __future__ import annotations

from dataclasses import dataclass

from flyteapps_contract.catalogue import flyte_oss as catalogue_flyte_oss
from flyteapps_contract.catalogue import standard as catalogue
from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, STANDARD, Guarantee
from flyteapps_control.arguments import parse_dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One dialect.

    `own`: the guarantees that are its own; it gives those of the standard, too, save known deviations.
    `cached_reads`: whether a plane may answer a Get from a cache, so that waiting has to watch. `conflict`: words of
    the INTERNAL of a write that met one of the cluster's, "" where there is no such thing; it changed nothing, and is
    made again. `org_lists`: whether List takes an org; a plane that doesn't gives all its apps where nothing is asked
    for. `cluster_checks`: whether the cluster behind a plane may refuse what the plane's own code takes.
    `versions`: the versions that are known, the newest last.
    """

    name: str
    title: str
    own: tuple[Guarantee, ...]
    cached_reads: bool = False
    conflict: str = ""
    org_lists: bool = True
    cluster_checks: bool = False
    versions: tuple[str, ...] = ()

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """All that may be asked of a plane: its own guarantees, and the standard's."""
        return self.own if self.name == STANDARD else (*self.own, *catalogue.GUARANTEES)


DIALECTS: dict[str, Dialect] = {
    each.name: each
    for each in (
        Dialect(
            name=STANDARD,
            title="what docs/contract.md describes",
            own=catalogue.GUARANTEES,
        ),
        Dialect(
            name=FLYTE_OSS,
            title="the open-source Flyte 2 backend, version 2.0.43",
            own=catalogue_flyte_oss.GUARANTEES,
            cached_reads=True,
            org_lists=False,
            cluster_checks=True,
            versions=("2.0.43",),
            conflict="Operation cannot be fulfilled",
        ),
    )
}


VERSIONS: dict[str, tuple[str, ...]] = {each.name: each.versions for each in DIALECTS.values()}
"""The versions of each dialect."""


def dialect_of(name: str) -> Dialect:
    """Return the dialect of that name, with a version or without. Raises ValueError, which names those there are."""
    return DIALECTS[parse_dialect(name, VERSIONS).name]


BY_ID: dict[str, Guarantee] = {guarantee.id: guarantee for each in DIALECTS.values() for guarantee in each.own}
"""The guarantees of all dialects."""
