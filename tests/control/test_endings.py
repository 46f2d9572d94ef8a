"""Calls with faults that end otherwise than by an answer: a closed plane, a stream without a reader."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest

from flyteapps_control.api import ControlError
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, GET
from flyteapps_fake.servers.embedded import EmbeddedServer

from .calls import create, get, watch


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


def by_connect(server: EmbeddedServer) -> str:
    """Make a Get over Connect; return its code."""
    path = f"{server.url}/flyteidl2.app.AppService/Get"
    answer = httpx.post(path, content=get().SerializeToString(), headers={"content-type": "application/proto"})
    return str(answer.json()["code"]).upper()


def by_grpc(target: str) -> str:
    """Make a Get over gRPC; return its code."""
    with grpc.insecure_channel(target) as channel:
        method = channel.unary_unary(GET.path, request_serializer=GetRequest.SerializeToString)
        with pytest.raises(grpc.RpcError) as refused:
            method(get(), timeout=60)
        return str(refused.value.code().name)  # type: ignore[attr-defined]  # an error of a call has a code


SERVED: dict[str, Callable[[EmbeddedServer], str]] = {
    "connect": by_connect,
    "gRPC": lambda server: by_grpc(f"localhost:{server.port}"),
    "grpcio": lambda server: by_grpc(server.grpc_target),
}


@pytest.mark.parametrize("call", SERVED.values(), ids=SERVED)
def test_a_closed_plane_answers_its_delayed_calls_over_the_wire(call: Callable[[EmbeddedServer], str]) -> None:
    """The client gets UNAVAILABLE, and no thread of a server waits for a clock that nothing moves."""
    plane = FakeControlPlane(clock="manual", call_log=10)
    server = plane.serve()
    plane.faults.delay("Get", seconds=60)
    codes: list[str] = []
    client = threading.Thread(target=lambda: codes.append(call(server)), daemon=True)
    client.start()
    while not plane.recorded_calls():
        time.sleep(0)
    closing = threading.Thread(target=plane.close, daemon=True)
    closing.start()
    for each in (closing, client):
        each.join(30)
    assert not closing.is_alive() and codes == ["UNAVAILABLE"]


def test_a_closed_server_of_grpcio_ends_its_delayed_calls() -> None:
    """Its plane may go on: the call is over, and not carried out."""
    with FakeControlPlane(clock="manual", call_log=10) as plane:
        server = plane.serve()
        plane.faults.delay("Get", seconds=60)
        codes: list[str] = []
        target = server.grpc_target
        client = threading.Thread(target=lambda: codes.append(by_grpc(target)), daemon=True)
        client.start()
        while not plane.recorded_calls():
            time.sleep(0)
        closing = threading.Thread(target=server.close, daemon=True)
        closing.start()
        for each in (closing, client):
            each.join(30)
        assert not closing.is_alive() and codes == ["UNAVAILABLE"]
        assert plane.recorded_calls()[0].code == "CANCELED"


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


def test_a_delayed_call_ends_with_a_reset() -> None:
    """It is refused, as the plane is another one by now, and recorded nowhere."""
    with FakeControlPlane(clock="manual", call_log=10) as plane:
        plane.faults.delay("Create", seconds=60)
        with pytest.raises(Postponed) as postponed:
            plane.call(Call(CREATE, create()))
        plane.reset()
        with pytest.raises(RpcError, match="UNAVAILABLE: the plane was reset: try again"):
            postponed.value.resume()
        assert (plane.count(), plane.calls.list(), plane.clock.pending()) == (0, [], [])


def test_an_error_of_the_control_api_reaches_another_process() -> None:
    """It is pickled, as pools of processes do, with its code and message."""
    copy = pickle.loads(pickle.dumps(ControlError("NOT_FOUND", "no rule has the id 'f1'")))
    assert isinstance(copy, ControlError) and (copy.code, str(copy)) == ("NOT_FOUND", "no rule has the id 'f1'")
