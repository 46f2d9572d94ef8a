"""Prints the log of calls of a fixed run with faults and scenarios on, without what depends on the wall clock.

Run as a program by test_determinism, in processes with different hash seeds.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, GetRequest, UpdateRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.scenarios import LABEL, SCENARIOS

APPS = 12


def log(seed: int) -> list[bytes]:
    """Return the recorded calls, encoded."""
    with FakeControlPlane(clock="auto", org="acme", seed=seed) as plane:
        faults, stub = plane.faults, plane.stub()
        faults.fail("Create", code="UNAVAILABLE", probability=0.2)
        faults.fail("Update", code="ABORTED", probability=0.3, applied=True)
        faults.delay("Get", seconds=("1s", "9s"), probability=0.5)
        faults.delay("Update", median="2s", app="app-1*", headers={"x-b": "*", "x-a": "*"})
        faults.withhold("Watch", message=2, probability=0.5)
        faults.cut("Watch", after=2, code="DATA_LOSS")
        for number in range(APPS):
            drive(stub, number)
        calls = plane.calls.list()
        faults.clear()
    for call in calls:
        call.ClearField("real_time")
    return [call.SerializeToString(deterministic=True) for call in calls]


def drive(stub: AppServiceClientSync, number: int) -> None:
    """Create, watch, update, read and delete one app; what is refused is in the log."""
    app_id = app(number, "").metadata.id
    with suppress(ConnectError):
        stub.create(CreateRequest(app=app(number, "image")))
        list(stub.watch(WatchRequest(app_id=app_id)))
    with suppress(ConnectError):
        stub.update(UpdateRequest(app=app(number, "image-2")), headers={"x-a": "1", "x-b": "2"})
    for _ in range(3):
        with suppress(ConnectError):
            stub.get(GetRequest(app_id=app_id))
    if number % 4 == 0:
        with suppress(ConnectError):
            stub.delete(DeleteRequest(app_id=app_id))


def app(number: int, image: str) -> App:
    """Return an app of one of the scenarios, in turn."""
    found = App()
    found.metadata.id.CopyFrom(Identifier(org="acme", project="p", domain="d", name=f"app-{number}"))
    scenarios = sorted(SCENARIOS)
    found.metadata.labels[LABEL] = scenarios[number % len(scenarios)]
    found.spec.container.image = image
    return found


if __name__ == "__main__":
    for record in log(int(sys.argv[1])):
        print(record.hex())
