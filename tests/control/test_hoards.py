"""Memory of what clients and the control API let a plane keep: bounded in bytes, and freed with what it was for."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_payload_pb2 import DeleteRequest, ListRequest, WatchRequest
from google.protobuf.message import Message

from flyteapps_control.api import ControlError
from flyteapps_control.selection import MAX_BYTES, MAX_GLOB_CHARACTERS
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control import call_log, delays
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.service import ControlService
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import LIST, WATCH
from flyteapps_fake.core.protobuf import varint
from flyteapps_fake.core.validation import MAX_STREAM_REQUEST
from flyteapps_fake.simulation import book

from .calls import create

Raw = Callable[[str, Any, Any], Any]
HALF = MAX_BYTES // 8
"""Bytes of a message, eight of which are one too many."""


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect, with the log of calls on."""
    with FakeControlPlane(clock="manual", org="flyte", dialect=request.param, call_log=1_000) as made:
        yield made


@pytest.fixture
def raw(plane: FakeControlPlane) -> Raw:
    """Return a function that sends a message which the Python objects would not make."""
    return plane.companion(ControlService).call


def padded(message: Message, size: int) -> Any:
    """Return the message with an unknown field of that many bytes."""
    return type(message).FromString(message.SerializeToString() + b"\xfa\xd5\x07" + varint(size) + bytes(size))


@contextmanager
def at_most(size: int) -> Generator[None]:
    """Check that the block leaves at most so many bytes of Python's memory."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert left < size, f"{left:,} bytes are left"


def refusal_of(add: Callable[[], Any], turns: int) -> ControlError:
    """Return the error with which one of so many turns is refused."""
    for _ in range(turns):
        try:
            add()
        except ControlError as error:
            return error
    pytest.fail(f"{turns} turns are accepted")


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_ids_of_deleted_apps_leave_little(dialect: str) -> None:
    """620 apps with long ids that come and go leave less than one of their ids each."""
    lenient: dict[str, Any] = {"kubernetes": "none"} if dialect == "flyte-oss" else {}
    with FakeControlPlane(clock="manual", org="flyte", dialect=dialect, **lenient) as plane:
        api = plane.stub()
        api.create(create())
        with at_most(620 * 1_000):
            for number in range(620):
                request = create()
                app_id = Identifier(org="flyte", project="p" * 20_000, domain="d", name=f"a{number}")
                request.app.metadata.id.CopyFrom(app_id)
                request.app.spec.desired_state = request.app.spec.DESIRED_STATE_STOPPED
                api.create(request)
                api.delete(DeleteRequest(app_id=app_id))
            plane.advance(60)  # a cache of the dialect flyte-oss


def test_a_request_for_a_stream_has_few_bytes(plane: FakeControlPlane) -> None:
    """It is kept as long as the stream, so that a large one is RESOURCE_EXHAUSTED; an ordinary one is opened."""
    plane.stub().create(create())
    request = WatchRequest(app_id=create().app.metadata.id)
    with pytest.raises(RpcError, match="request for a stream") as refused:
        plane.open(Call(WATCH, padded(request, MAX_STREAM_REQUEST)))
    assert refused.value.code is Code.RESOURCE_EXHAUSTED
    plane.open(Call(WATCH, padded(request, MAX_STREAM_REQUEST // 2))).close()


def test_rules_have_a_total(plane: FakeControlPlane, raw: Raw) -> None:
    """Rules of many bytes are refused with advice, nothing is added by the refused request, and removing makes room."""

    def add() -> None:
        answer = pb.Fault.HttpAnswer(status=500, body=bytes(HALF))
        raw("AddFaults", pb.AddFaultsRequest(faults=[pb.Fault(rpc="Get", http=answer)]), pb.AddFaultsResponse)

    error = refusal_of(add, 9)
    assert error.code == "INVALID_ARGUMENT" and "remove some" in str(error)
    before = len(plane.faults.list())
    refusal_of(add, 1)
    assert len(plane.faults.list()) == before
    plane.faults.clear()
    add()


def test_globs_have_a_total(plane: FakeControlPlane, raw: Raw) -> None:
    """Globs, which take memory to compile, have a total in characters; plain names are compared, and don't count."""

    def add(name: str) -> None:
        app = pb.AppSelector(name=name)
        rule = pb.Fault(rpc="Get", app=app, fail=pb.Fault.Fail(code="ABORTED"))
        raw("AddFaults", pb.AddFaultsRequest(faults=[rule] * 100), pb.AddFaultsResponse)

    turns = MAX_GLOB_CHARACTERS // 100_000
    for _ in range(turns + 2):
        add("n" * 1_000)
    assert "globs" in str(refusal_of(lambda: add("*" + "n" * 999), turns + 1))
    error = refusal_of(lambda: plane.scenarios.use("crash-loop", app="?" * 1_000), MAX_GLOB_CHARACTERS // 1_000 + 1)
    assert "globs of all uses" in str(error)


def test_loads_have_a_total(plane: FakeControlPlane, raw: Raw) -> None:
    """Loads of many bytes are refused; one that is declared again counts once, and a removed one not at all."""
    number = 0

    def declare(name: str) -> None:
        load = pb.Load(app=pb.AppSelector(name=name), requests_per_second=1)
        raw("SetLoad", pb.SetLoadRequest(load=padded(load, HALF)), pb.SetLoadResponse)

    def declare_another() -> None:
        nonlocal number
        number += 1
        declare(f"a{number}")

    for _ in range(20):
        declare("same")
    error = refusal_of(declare_another, 9)
    assert error.code == "RESOURCE_EXHAUSTED" and "remove some" in str(error)
    plane.loads.clear()
    declare_another()
    log = plane._interceptor.log  # pyright: ignore[reportPrivateUsage]
    assert sum(each.size for each in log.loads) <= call_log.MAX_LOAD_BYTES


def test_added_scenarios_have_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenarios of many bytes are refused; those that are replaced or removed don't count."""
    monkeypatch.setattr(book, "MAX_ADDED_BYTES", 50_000)
    steps = [{"state": "PENDING"}, {"state": "ACTIVE"}]

    def source(name: str) -> dict[str, Any]:
        return {"scenarios": {name: {"summary": "s" * 200, "steps": steps}}}

    with FakeControlPlane() as plane:
        for _ in range(300):
            plane.scenarios.add(source("same"))
        numbers = iter(range(300))
        error = refusal_of(lambda: plane.scenarios.add(source(f"s{next(numbers)}")), 300)
        assert "added scenarios can have at most" in str(error)
        plane.scenarios.remove("same")
        plane.scenarios.add(source("another"))


def test_requests_of_delayed_calls_have_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further large request is RESOURCE_EXHAUSTED while others are delayed; calls that go on or leave make room."""
    monkeypatch.setattr(delays, "MAX_HELD_BYTES", 1_000_000)
    with FakeControlPlane(clock="manual", org="flyte", call_log=100) as plane:
        plane.faults.delay("List", seconds=60)

        def delayed() -> Postponed:
            with pytest.raises(Postponed) as postponed:
                plane.call(Call(LIST, padded(ListRequest(org="flyte"), 300_000)))
            return postponed.value.with_traceback(None)

        waiting = [delayed() for _ in range(3)]
        with pytest.raises(RpcError, match="delayed calls") as refused:
            plane.call(Call(LIST, padded(ListRequest(org="flyte"), 300_000)))
        assert refused.value.code is Code.RESOURCE_EXHAUSTED
        assert plane.calls.list()[-1].code == "RESOURCE_EXHAUSTED"
        waiting[0].abandon()
        waiting.append(delayed())
        plane.advance(60)
        for each in waiting[1:]:
            each.resume()
        assert len([delayed() for _ in range(3)]) == 3


def test_recorded_reads_are_kept_encoded() -> None:
    """A read of thousands of empty values, 30 times as large decoded, is recorded by its bytes."""
    with FakeControlPlane(clock="manual", org="flyte", call_log=1_000) as plane:
        request = ListRequest(org="flyte")
        for _ in range(9_000):
            request.request.filters.add()
        with pytest.raises(RpcError):
            plane.call(Call(LIST, request))
        [record] = plane.recorded_calls()
        assert vars(call_log)["MAX_DECODED_BYTES"] < len(record.request) < record.size
        assert getattr(record, "_message") is None  # noqa: B009 - private, for this test alone
