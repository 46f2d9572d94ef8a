"""Prints what a watcher of the whole org is sent while a fixed sequence of calls runs on a manual clock.

Run as a program by test_determinism, in processes with different hash seeds.
"""

from __future__ import annotations

import sys

from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, UpdateRequest, WatchRequest
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, DELETE, UPDATE, WATCH
from flyteapps_fake.simulation.files.builtin import builtin_scenarios
from flyteapps_fake.simulation.scenarios import LABEL


def history(seed: int) -> list[bytes]:
    """Return the encoded events of the run."""
    plane = FakeControlPlane(clock="manual", org="acme", seed=seed, watch_buffer=100_000)
    watcher = plane.open(Call(WATCH, WatchRequest(org="acme")))
    names = [f"app-{i}" for i in range(30)]
    scenarios = sorted(builtin_scenarios())
    for i, name in enumerate(names):
        labels = {LABEL: scenarios[i % len(scenarios)], **{f"label-{k}": str(i * k) for k in range(8)}}
        plane.call(Call(CREATE, CreateRequest(app=app(name, "image", labels))))
        plane.advance(0.037 * i)
    for name in names[::3]:
        plane.call(Call(UPDATE, UpdateRequest(app=app(name, "image-2", {}), reason="again")))
        plane.advance(0.11)
    for name in names[::2]:
        plane.call(Call(UPDATE, UpdateRequest(app=app(name, "image-3", {}, stopped=True))))
    plane.advance(60)
    for name in names[::2]:
        plane.call(Call(DELETE, DeleteRequest(app_id=identifier(name))))
    events: list[bytes] = []
    while (item := watcher.take()) is not None:
        events.append(item)
    return events


def identifier(name: str) -> Identifier:
    """Return the app's id."""
    return Identifier(org="acme", project="p", domain="d", name=name)


def app(name: str, image: str, labels: dict[str, str], *, stopped: bool = False) -> App:
    """Return an app to send."""
    spec = Spec(container=Container(image=image))
    if stopped:
        spec.desired_state = Spec.DESIRED_STATE_STOPPED
    return App(metadata=Meta(id=identifier(name), labels=labels), spec=spec)


if __name__ == "__main__":
    for event in history(int(sys.argv[1])):
        print(event.hex())
