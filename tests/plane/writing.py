"""Writes of the dialect flyte-oss that are under way, and what becomes of them.

No thread runs here: a write that is under way is a call that the plane has postponed.
"""

from __future__ import annotations

from typing import Any

from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, DELETE, GET, LIST, UPDATE, Operation

from .api import STOP, app_id, new_app

KNATIVE = 'services.serving.knative.dev "demo-proj-dev"'
CONFLICT = (
    f"INTERNAL: failed to update KService demo-proj-dev: Operation cannot be fulfilled on {KNATIVE}: "
    "the object has been modified; please apply your changes to the latest version and try again"
)
ABSENT = f"INTERNAL: failed to update KService demo-proj-dev: {KNATIVE} not found"
PRESENT = f"INTERNAL: failed to create KService demo-proj-dev: {KNATIVE} already exists"
GONE = f"NOT_FOUND: KService demo-proj-dev not found: {KNATIVE} not found"


def plane_of(**settings: Any) -> FakeControlPlane:
    """Return a plane on the manual clock, whose writes take 10 s, and whose operator is slow."""
    made: dict[str, Any] = {"dialect": "flyte-oss", "clock": "manual", "write_seconds": 10, "report_seconds": 1e6}
    return FakeControlPlane(**{**made, **settings})


class Writing:
    """A write that has begun."""

    def __init__(self, plane: FakeControlPlane, operation: Operation, request: Any) -> None:
        self.postponed: Postponed | None = None
        self._answer = b""
        self._operation = operation
        try:
            self._answer = plane.call(Call(operation, request))
        except Postponed as postponed:
            self.postponed = postponed

    @property
    def is_over(self) -> bool:
        """Whether the call may be answered."""
        return self.postponed is None or self.postponed.is_void() or self.postponed.left() == 0

    @property
    def answer(self) -> Any:
        """The answer. Raises RpcError."""
        if self.postponed is not None:
            assert self.is_over, "the write is under way"
            self._answer, self.postponed = self.postponed.resume(), None
        return self._operation.response.FromString(self._answer)

    @property
    def outcome(self) -> str:
        """OK, or the refusal."""
        try:
            assert self.answer is not None
        except RpcError as error:
            return str(error)
        return "OK"


def create(plane: FakeControlPlane, image: str = "img:1", name: str = "demo") -> Writing:
    return Writing(plane, CREATE, rpc.CreateRequest(app=new_app(name, image=image)))


def update(plane: FakeControlPlane, image: str) -> Writing:
    return Writing(plane, UPDATE, rpc.UpdateRequest(app=new_app(image=image)))


def stop(plane: FakeControlPlane) -> Writing:
    return Writing(plane, UPDATE, rpc.UpdateRequest(app=new_app(state=STOP)))


def delete(plane: FakeControlPlane) -> Writing:
    return Writing(plane, DELETE, rpc.DeleteRequest(app_id=app_id()))


def listed(plane: FakeControlPlane) -> list[str]:
    """Return the images of all apps."""
    answer = rpc.ListResponse.FromString(plane.call(Call(LIST, rpc.ListRequest())))
    return [each.spec.container.image for each in answer.apps]


def got(plane: FakeControlPlane) -> App:
    """Return the app as Get has it."""
    return rpc.GetResponse.FromString(plane.call(Call(GET, rpc.GetRequest(app_id=app_id())))).app


def made(plane: FakeControlPlane, image: str = "img:1") -> None:
    """Create the app, which takes 10 s."""
    writing = create(plane, image)
    plane.advance(10)
    assert writing.outcome == "OK"
