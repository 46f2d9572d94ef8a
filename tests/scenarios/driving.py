"""Apps that are driven through their scenarios on a manual clock, and seen from outside."""

from __future__ import annotations

from typing import Any

from control.calls import create, get
from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.app.app_payload_pb2 import UpdateRequest

from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.lifecycle import short_name, substate_name

PENDING = {"state": "PENDING"}
ACTIVE = {"state": "ACTIVE", "substate": "RUNNING", "after": "1s"}
FAILED = {"state": "FAILED", "substate": "CRASH_LOOP", "after": "1s"}


def scenarios(**by_name: Any) -> dict[str, Any]:
    """Return scenarios as in a file, each from its fields, or from its steps alone."""
    return {
        "scenarios": {
            name.replace("_", "-"): {"steps": each} if isinstance(each, list) else each
            for name, each in by_name.items()
        }
    }


def ending(message: str, **others: Any) -> dict[str, Any]:
    """Return a scenario of an app that fails at once with that message."""
    return {"steps": [PENDING, {"state": "FAILED", "substate": "CRASH_LOOP", "message": message}], **others}


def conditions(plane: FakeControlPlane, name: str = "hello") -> list[str]:
    """Return the conditions that the app's cluster has reported since its last start, such as "FAILED/OOM_KILLED x"."""
    found: list[str] = []
    for each in plane.stub().get(get(name)).app.status.conditions:
        state = short_name(each.deployment_status)
        if state == "PENDING":
            found.clear()
        if each.substate:
            state += f"/{substate_name(each.substate)}"
        found.append(f"{state} {each.message}".strip())
    return found


def start(plane: FakeControlPlane, name: str = "hello", **labels: str) -> str:
    """Create an app, or a new revision of it, let two seconds pass, and return its last condition's message."""
    stub = plane.stub()
    if any(each.name == name for each, _ in plane.statuses(AppSelector())):
        app = stub.get(get(name)).app
        app.spec.container.image = f"example.org/hello:{app.metadata.revision + 1}"
        app.metadata.labels.update(labels)
        stub.update(UpdateRequest(app=app))
    else:
        request = create(name)
        request.app.metadata.labels.update(labels)
        stub.create(request)
    plane.clock.advance("2s")
    return last_message(plane, name)


def restart(plane: FakeControlPlane, name: str = "hello") -> str:
    """Deactivate the app and activate it again; return its last condition's message two seconds later."""
    stub = plane.stub()
    for state in (Spec.DESIRED_STATE_STOPPED, Spec.DESIRED_STATE_STARTED):
        app = stub.get(get(name)).app
        app.spec.desired_state = state
        stub.update(UpdateRequest(app=app))
        plane.clock.advance("2s")
    return last_message(plane, name)


def remove(plane: FakeControlPlane, name: str = "hello") -> None:
    """Remove the app in any state."""
    plane.remove_apps(AppSelector(name=name))


def last_message(plane: FakeControlPlane, name: str = "hello") -> str:
    """Return the message of the app's last condition."""
    return plane.stub().get(get(name)).app.status.conditions[-1].message
