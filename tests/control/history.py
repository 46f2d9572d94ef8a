"""Prints the log of calls of a fixed run with faults and scenarios on, without what depends on the wall clock.

Run as a program by test_determinism, in processes with different hash seeds.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, GetRequest, UpdateRequest, WatchRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, DELETE, GET, UPDATE, WATCH
from flyteapps_fake.simulation.files.builtin import builtin_scenarios
from flyteapps_fake.simulation.scenarios import LABEL

APPS = 12
STEP_SECONDS = 0.25


def log(seed: int) -> list[bytes]:
    """Return the recorded calls, encoded."""
    with FakeControlPlane(call_log=1_000, clock="manual", org="acme", seed=seed) as plane:
        faults = plane.faults
        faults.fail("Create", code="UNAVAILABLE", probability=0.2)
        faults.fail("Update", code="ABORTED", probability=0.3, applied=True)
        faults.delay("Get", seconds=("1s", "9s"), probability=0.5)
        faults.delay("Update", median="2s", app="app-1*", headers={"x-b": "*", "x-a": "*"})
        faults.withhold("Watch", message=2, probability=0.5)
        faults.cut("Watch", after=3, code="DATA_LOSS")
        for number in range(APPS):
            drive(plane, number)
        calls = plane.calls.list()
    for call in calls:
        call.ClearField("real_time")
    return [call.SerializeToString(deterministic=True) for call in calls]


def drive(plane: FakeControlPlane, number: int) -> None:
    """Create, watch, update, read and delete one app; what is refused is in the log."""
    app_id = app(number, "").metadata.id
    answer(plane, Call(CREATE, CreateRequest(app=app(number, "image"))))
    stream = plane.open(Call(WATCH, WatchRequest(app_id=app_id)))
    for _ in range(40):
        plane.advance(STEP_SECONDS)
        try:
            while stream.take() is not None:
                pass
        except RpcError:
            break
    answer(plane, Call(UPDATE, UpdateRequest(app=app(number, "image-2")), {"x-a": "1", "x-b": "2"}))
    for _ in range(3):
        answer(plane, Call(GET, GetRequest(app_id=app_id)))
    answer(plane, Call(DELETE, DeleteRequest(app_id=app_id)))
    stream.close()


def answer(plane: FakeControlPlane, call: Call[Any]) -> None:
    """Make a call, and move the clock until it is answered."""
    try:
        plane.call(call)
    except Postponed as postponed:
        while postponed.left() != 0:
            plane.advance(STEP_SECONDS)
        with contextlib.suppress(RpcError):
            postponed.resume()
    except RpcError:
        pass


def app(number: int, image: str) -> App:
    """Return an app of one of the scenarios, in turn."""
    found = App()
    found.metadata.id.CopyFrom(Identifier(org="acme", project="p", domain="d", name=f"app-{number}"))
    scenarios = sorted(builtin_scenarios())
    found.metadata.labels[LABEL] = scenarios[number % len(scenarios)]
    found.spec.container.image = image
    return found


if __name__ == "__main__":
    for record in log(int(sys.argv[1])):
        print(record.hex())
