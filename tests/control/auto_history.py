"""Prints the log of calls of a client on the auto clock whose Watches are cut, stalled or miss an event.

Run as a program by test_determinism, in processes with different hash seeds. The client waits for one app at a time,
and no timeout of its own ends a wait: then the plane's time depends on the seed and the calls alone.
"""

from __future__ import annotations

import contextlib
import sys

from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Status
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    UpdateRequest,
    WatchRequest,
    WatchResponse,
)
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.scenarios import LABEL

APPS = 8
SCENARIOS = ("healthy", "crash-loop", "image-pull-error", "busy")
ENDS = (Status.DEPLOYMENT_STATUS_ACTIVE, Status.DEPLOYMENT_STATUS_FAILED)


def log(seed: int) -> list[bytes]:
    """Return the recorded calls, encoded."""
    with FakeControlPlane(call_log=1_000, clock="auto", org="acme", seed=seed) as plane:
        faults = plane.faults
        faults.cut("Watch", after=2, probability=0.5)
        for number in range(APPS):  # of later Watches it could be the last event, which would never come
            faults.withhold("Watch", message=2, app=f"app-{number}", nth=1)
        faults.stall("Watch", after=1, seconds=20, probability=0.3)
        faults.delay("Get", seconds=("1s", "9s"), probability=0.5)
        stub = plane.stub()
        for number in range(APPS):
            drive(stub, number)
        calls = plane.calls.list()
    for call in calls:
        call.ClearField("real_time")
    return [call.SerializeToString(deterministic=True) for call in calls]


def drive(stub: AppServiceClientSync, number: int) -> None:
    """Create, watch, read, update, watch again and delete one app."""
    identifier = app(number, "").metadata.id
    stub.create(CreateRequest(app=app(number, "image")))
    watch(stub, identifier)
    stub.get(GetRequest(app_id=identifier))
    stub.update(UpdateRequest(app=app(number, "image-2")))
    watch(stub, identifier)
    with contextlib.suppress(ConnectError):
        stub.delete(DeleteRequest(app_id=identifier))


def watch(stub: AppServiceClientSync, identifier: Identifier) -> None:
    """Watch the app until it has started or failed; watch again where the stream is cut."""
    while True:
        stream = stub.watch(WatchRequest(app_id=identifier))
        try:
            if any(is_end(event) for event in stream):
                return
        except ConnectError:
            continue
        finally:
            stream.close()  # type: ignore[attr-defined]  # of the transport in process


def is_end(event: WatchResponse) -> bool:
    """Return whether the app has started or failed."""
    found = event.update_event.updated_app if event.HasField("update_event") else event.create_event.app
    return bool(found.status.conditions) and found.status.conditions[-1].deployment_status in ENDS


def app(number: int, image: str) -> App:
    """Return an app of one of the scenarios, in turn."""
    found = App()
    found.metadata.id.CopyFrom(Identifier(org="acme", project="p", domain="d", name=f"app-{number}"))
    found.metadata.labels[LABEL] = SCENARIOS[number % len(SCENARIOS)]
    found.spec.container.image = image
    return found


if __name__ == "__main__":
    for record in log(int(sys.argv[1])):
        print(record.hex())
