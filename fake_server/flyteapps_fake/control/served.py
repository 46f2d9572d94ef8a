"""The control API as RPCs, for the servers: the HTTP front and grpcio's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.service import SERVICE, ControlService, Row
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.core.plane import Plane


class Served(NamedTuple):
    """One RPC of the control API. `long`: as in its row."""

    operation: Operation
    answer: Callable[[Call[Any]], bytes]
    long: bool


def control_operations(plane: Plane) -> Iterator[Served]:
    """Yield the RPCs: they get no faults, are not recorded, and need the role admin."""
    control = plane.companion(ControlService)
    for name, row in control.handlers.items():
        operation = Operation(
            SERVICE,
            name,
            row.request,
            row.response,
            no_side_effects=row.no_side_effects,
            access="admin",
            strict=True,  # a misspelt field would make a rule of all calls
        )
        yield Served(operation, partial(_answer, plane, control, row), row.long)


def _answer(plane: Plane, control: ControlService, row: Row, call: Call[Any]) -> bytes:
    try:
        plane.require(call)
    except Postponed as postponed:
        raise postponed.then(lambda _: _answer(plane, control, row, call)) from None
    try:
        return plane.safely(lambda: control.answer(row, call.request)).SerializeToString()
    except Postponed as postponed:
        raise postponed.then(lambda answer: answer.SerializeToString()) from None
