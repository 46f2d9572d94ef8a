"""All planted bugs of the plane: importing their rooms registers them."""

from __future__ import annotations

from . import apps, data_plane, flyte_oss, histories, lists, races, watches
from .planting import MUTANTS, Mutant

ROOMS = (apps, lists, watches, histories, races, data_plane, flyte_oss)

__all__ = ["MUTANTS", "ROOMS", "Mutant"]
