"""The control API as RPCs, for the servers: the HTTP front and grpcio's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.service import SERVICE, ControlService, Row
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.core.plane import Plane


def control_operations(plane: Plane) -> Iterator[tuple[Operation, Callable[[Call[Any]], bytes]]]:
    """Yield the RPCs, each with what answers it: they get no faults, are not recorded, and need the role admin."""
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
        yield operation, partial(_answer, plane, control, row)


def _answer(plane: Plane, control: ControlService, row: Row, call: Call[Any]) -> bytes:
    try:
        plane.require(call)
    except Postponed as postponed:
        raise postponed.then(lambda _: _answer(plane, control, row, call)) from None
    try:
        return control.answer(row, call.request).SerializeToString()
    except Postponed as postponed:
        raise postponed.then(lambda answer: answer.SerializeToString()) from None
