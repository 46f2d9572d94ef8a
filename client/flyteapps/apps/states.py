"""The enums of an app, equal to the raw values of the .proto files (flyteidl2/app/app_definition.proto).

A value that this version doesn't know is kept as a number: `DeploymentStatus(99)` is a member named `UNKNOWN_99`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class OpenIntEnum(IntEnum):
    """An IntEnum that accepts the numbers of a newer plane."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class DeploymentStatus(OpenIntEnum):
    """The status of a deployment: Status.DeploymentStatus."""

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


class DesiredState(OpenIntEnum):
    """The desired state of an app: Spec.DesiredState. UNSPECIFIED, STARTED and ACTIVE all mean "run"."""

    UNSPECIFIED = 0
    STOPPED = 1
    STARTED = 2
    ACTIVE = 3


class Substate(OpenIntEnum):
    """The qualification of a deployment status: Status.Substate."""

    UNSPECIFIED = 0
    PULLING_IMAGE = 1
    INITIALIZING = 2
    WEBHOOK_ERROR = 3
    IMAGE_PULL_ERROR = 4
    SECRET_MOUNT_ERROR = 5
    CRASH_LOOP = 6
    OOM_KILLED = 7
    RUNNING = 8
    SCALED_TO_ZERO = 9
    SCALING_FROM_ZERO = 10
    SCALING_UP = 11
    SCALING_DOWN = 12


ACTIVE = frozenset({DeploymentStatus.ACTIVE, DeploymentStatus.STARTED})
"""The statuses that count as active, as in the Flyte SDK."""

DEACTIVATED = frozenset({DeploymentStatus.UNASSIGNED, DeploymentStatus.STOPPED})
"""The statuses that count as deactivated, as in the Flyte SDK."""
