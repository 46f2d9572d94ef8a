"""All planted bugs of the plane: importing their modules registers them."""

from __future__ import annotations

from . import apps, data_plane, flyte_oss, histories, lists, logs, races, specs, watches
from .planting import MUTANTS, Mutant

MODULES = (apps, lists, watches, histories, races, data_plane, specs, logs, flyte_oss)

__all__ = ["MODULES", "MUTANTS", "Mutant"]
