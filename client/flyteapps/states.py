"""The enums of an app, equal to the raw values of the .proto files (flyteidl2/app/app_definition.proto).

A value that this version doesn't know is kept as a number: `DeploymentStatus(99)` is a member named `UNKNOWN_99`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class OpenIntEnum(IntEnum):
    """An IntEnum that takes numbers from a newer plane, too."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class DeploymentStatus(OpenIntEnum):
    """Status.DeploymentStatus: where an app is."""

    UNSPECIFIED = 0
    UNASSIGNED = 1
    ASSIGNED = 2
    PENDING = 3
    STOPPED = 4
    STARTED = 5
    FAILED = 6
    ACTIVE = 7
    SCALING_UP = 8
    SCALING_DOWN = 9
    DEPLOYING = 10


