"""All planted bugs of the plane: importing their modules registers them."""

from __future__ import annotations

from . import (
    apps,
    callers,
    data_plane,
    flyte_oss,
    flyte_oss_cluster,
    flyte_oss_drawn,
    flyte_oss_knative,
    flyte_oss_messages,
    flyte_oss_paging,
    flyte_oss_races,
    flyte_oss_specs,
    flyte_oss_wire,
    flyte_oss_writers,
    grants,
    histories,
    hosts,
    indexes,
    lists,
    logs,
    races,
    recreations,
    running_races,
    specs,
    watches,
)
from .planting import MUTANTS, Mutant

MODULES = (
    apps,
    callers,
    lists,
    watches,
    histories,
    races,
    running_races,
    hosts,
    data_plane,
    specs,
    logs,
    grants,
    recreations,
    indexes,
    flyte_oss,
    flyte_oss_cluster,
    flyte_oss_drawn,
    flyte_oss_knative,
    flyte_oss_paging,
    flyte_oss_specs,
    flyte_oss_messages,
    flyte_oss_races,
    flyte_oss_wire,
    flyte_oss_writers,
)

__all__ = ["MODULES", "MUTANTS", "Mutant"]
