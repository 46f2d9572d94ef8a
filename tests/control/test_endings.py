"""Calls with faults that end otherwise than by an answer: a closed plane, a stream without a reader."""

from __future__ import annotations

import pickle
import threading
import time
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_payload_pb2 import CreateRequest

from flyteapps_control.api import ControlError
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE

from .calls import create, watch


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("clock", ["manual", "realtime"])
def test_a_closed_plane_ends_its_delayed_calls(clock: Any, real: bool) -> None:
    """A thread that waits in a call gets UNAVAILABLE, and nothing is stored."""
    plane = FakeControlPlane(clock=clock, call_log=10)
    plane.faults.delay("Create", seconds=3_600, real=real)
    refusals: list[ConnectError] = []

    def call() -> None:
        with pytest.raises(ConnectError) as refused:
            plane.stub().create(create())
        refusals.append(refused.value)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while not plane.recorded_calls():
        time.sleep(0)
    plane.close()
    thread.join(20)
    assert [(each.code.name, "closed" in each.message) for each in refusals] == [("UNAVAILABLE", True)]
    assert (plane.count(), plane.recorded_calls()[0].code) == (0, "UNAVAILABLE")


@pytest.mark.parametrize("effect", ["fail", "answer", "reset"])
def test_a_stream_whose_answer_is_lost_is_closed(effect: str) -> None:
    """It has no reader: it doesn't count as open, and the plane closes without a leak."""
    arguments: dict[str, Any] = {"fail": {"code": "UNAVAILABLE"}, "answer": {"status": 503}, "reset": {}}[effect]
    with FakeControlPlane(clock="manual", call_log=10) as plane:
        plane.stub().create(create())
        getattr(plane.faults, effect)("Watch", applied=True, **arguments)
        with pytest.raises(ConnectError):
            next(iter(plane.stub().watch(watch())))
        assert plane.open_streams() == 0
        assert plane.calls.list("Watch")[0].code == "UNAVAILABLE"


@pytest.mark.parametrize("request_", [create(), CreateRequest()], ids=["carried out", "refused"])
def test_a_lost_answer_is_one_entry(request_: CreateRequest) -> None:
    """Listeners, as the file of --call-log, get a call once, whether the call itself was refused or not."""
    over: list[tuple[int, str]] = []

    def listener(record: Record) -> None:
        over.append((record.number, record.code))

    with FakeControlPlane(call_log=10) as plane:
        plane.notify_of_calls(listener)
        plane.faults.fail("Create", code="ABORTED", applied=True)
        with pytest.raises(ConnectError):
            plane.stub().create(request_)
    assert over == [(1, "ABORTED")]


def test_a_delayed_call_that_is_made_after_a_reset_is_not_recorded() -> None:
    """A reset forgets it; it is carried out when its time comes."""
    with FakeControlPlane(clock="manual", call_log=10) as plane:
        plane.faults.delay("Create", seconds=60)
        with pytest.raises(Postponed) as postponed:
            plane.call(Call(CREATE, create()))
        plane.reset()
        plane.clock.advance(60)
        assert postponed.value.left() == 0
        postponed.value.resume()
        assert (plane.count(), plane.calls.list()) == (1, [])


def test_an_error_of_the_control_api_reaches_another_process() -> None:
    """It is pickled, as pools of processes do, with its code and message."""
    copy = pickle.loads(pickle.dumps(ControlError("NOT_FOUND", "no rule has the id 'f1'")))
    assert isinstance(copy, ControlError) and (copy.code, str(copy)) == ("NOT_FOUND", "no rule has the id 'f1'")
