"""The dialects that a plane can speak, by name; each is loaded when a plane of it is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any, NamedTuple

Maker = Callable[[Any, Any], Any]
"""Makes the Dialect of one plane, of its Settings and the Timeline that it plans on."""


class Row(NamedTuple):
    """Where a dialect is, whether its planes can do without a domain for public URLs, whether clusters lease apps.

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
    """What makes the dialect of that name, which is one of DIALECTS."""
    row = DIALECTS[name]
    made: Maker = getattr(import_module(row.module), row.made)
    return made


def scenarios_of(name: str) -> Collection[str]:
    """The names of the scenarios that the dialect of that name knows."""
    known: Collection[str] = import_module(DIALECTS[name].scenarios).SCENARIOS
    return known
