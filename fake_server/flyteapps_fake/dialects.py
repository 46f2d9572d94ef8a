"""The table of dialects by name; each is loaded when a plane of it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

Maker = Callable[[Any, Any], Any]
"""A constructor of a Dialect from a plane's Settings and its Timeline."""


class Row(NamedTuple):
    """A dialect: its module, whether its planes can do without a domain for public URLs, whether clusters lease apps.

    `write_conflicts`: whether writes may collide with those of its cluster. `kubernetes`: whether a cluster of
    Kubernetes checks them. `versions`: those of what it behaves as, the newest last, none where it has none.
    """

    module: str
    made: str
    base_domain_optional: bool = False
    leases: bool = True
    write_conflicts: bool = False
    kubernetes: bool = False
    versions: tuple[str, ...] = ()


DIALECTS: Mapping[str, Row] = {
    "standard": Row("flyteapps_fake.standard.dialect", "Standard"),
    "flyte-oss": Row(
        "flyteapps_fake.flyte_oss.dialect",
        "FlyteOss",
        base_domain_optional=True,
        leases=False,
        write_conflicts=True,
        kubernetes=True,
        versions=("2.0.43",),
    ),
}


VERSIONS: Mapping[str, tuple[str, ...]] = {name: row.versions for name, row in DIALECTS.items()}
"""The versions of each dialect."""


def maker_of(name: str) -> Maker:
    """Return the constructor of the dialect of that name, which is one of DIALECTS."""
    row = DIALECTS[name]
    made: Maker = getattr(import_module(row.module), row.made)
    return made
