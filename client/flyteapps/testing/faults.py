"""Rules for faults, one function an effect: the same for FaultyTransport and for the control API of a stand-in."""

from __future__ import annotations

from flyteapps_control.faults import (
    answer,
    cut,
    delay,
    fail,
    reorder,
    repeat,
    reset,
    stale,
    stall,
    steal_lease,
    withhold,
)
from flyteapps_control.v1.control_pb2 import Fault

__all__ = [
    "Fault",
    "answer",
    "cut",
    "delay",
    "fail",
    "reorder",
    "repeat",
    "reset",
    "stale",
    "stall",
    "steal_lease",
    "withhold",
]
