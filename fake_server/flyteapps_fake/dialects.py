"""The table of dialects by name; each is loaded when a plane of it is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any, NamedTuple

Maker = Callable[[Any, Any], Any]
"""A constructor of a Dialect from a plane's Settings and its Timeline."""


class Row(NamedTuple):
    """A dialect: its module, whether its planes can do without a domain for public URLs, whether clusters lease apps.

    `scenarios`: the module that has its table of scenarios.
    """

    module: str
    made: str
    scenarios: str
    base_domain_optional: bool = False
    leases: bool = True


DIALECTS: Mapping[str, Row] = {
    "standard": Row("flyteapps_fake.standard.dialect", "Standard", "flyteapps_fake.simulation.scenarios"),
    "flyte-oss": Row(
        "flyteapps_fake.flyte_oss.dialect",
        "FlyteOss",
        "flyteapps_fake.flyte_oss.simulation.scenarios",
        base_domain_optional=True,
        leases=False,
    ),
}


def maker_of(name: str) -> Maker:
    """Return the constructor of the dialect of that name, which is one of DIALECTS."""
    row = DIALECTS[name]
    made: Maker = getattr(import_module(row.module), row.made)
    return made


def scenarios_of(name: str) -> Collection[str]:
    """Return the names of the scenarios that the dialect of that name has."""
    known: Collection[str] = import_module(DIALECTS[name].scenarios).SCENARIOS
    return known
