"""The log of calls: what it holds, queries of it, and its bounds."""

from __future__ import annotations

import datetime
import gc
import re
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetResponse, ListRequest, WatchResponse

from flyteapps_control.api import ControlError
from flyteapps_control.calls import CallsDiffer
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, LIST

from .calls import create, get, update, watch


def at(seconds: float) -> datetime.datetime:
    """Return a time of the planes' manual clock."""
    return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on the manual clock, with calls: a Create, a Get of it, and a Get of another app."""
    with FakeControlPlane(call_log=1_000, dialect=request.param, clock="manual") as made:
        make_calls(made)
        yield made


def make_calls(plane: FakeControlPlane) -> None:
    """Make the three calls of the tests."""
    stub = plane.stub()
    stub.create(create())
    plane.clock.advance(5)
    stub.get(get(), headers={"x-team": "blue"})
    with pytest.raises(ConnectError):
        stub.get(get("absent"))


def test_a_call_is_recorded_whole(plane: FakeControlPlane) -> None:
    """Number, RPC, protocol, times, request, response, code and app are there; the request is as it was sent."""
    first, second, third = plane.calls.list()
    assert [each.number for each in (first, second, third)] == [1, 2, 3]
    assert (first.rpc, first.protocol, first.code, first.app) == (
        "flyteidl2.app.AppService/Create",
        "direct",
        "OK",
        "proj/dev/demo",
    )
    sent = CreateRequest()
    assert first.request.Unpack(sent) and sent == create()
    answered = GetResponse()
    assert second.responses[0].Unpack(answered) and answered.app.metadata.id.name == "demo"
    assert (second.time.ToNanoseconds() - first.time.ToNanoseconds()) // 10**9 == 5
    assert (third.code, len(third.responses)) == ("NOT_FOUND", 0) and "absent" in third.message


def test_a_stream_is_recorded_with_its_messages(plane: FakeControlPlane) -> None:
    """A stream's messages are counted and kept; its code is empty as long as it is open."""
    stream = plane.stub().watch(watch())
    next(iter(stream))
    recorded = plane.calls.list("Watch")[0]
    event = WatchResponse()
    assert (recorded.code, recorded.messages) == ("", 1) and recorded.responses[0].Unpack(event)
    assert event.create_event.app.metadata.id.name == "demo"
    del stream
    assert plane.calls.list("Watch")[0].code == "CANCELED"


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [1, 2, 3]),
        ({"rpc": "Get"}, [2, 3]),
        ({"rpc": "flyteidl2.app.AppService/Get"}, [2, 3]),
        ({"rpc": "Get", "app": "demo"}, [2]),
        ({"app": "a*"}, [3]),
        ({"code": "NOT_FOUND"}, [3]),
        ({"code": "OK", "limit": 1}, [2]),
        ({"where": {"spec.container.image": "img"}}, [1]),
        ({"where": {"app.spec.container.image": "img"}}, [1]),
        ({"where": {"spec.container.image": "other"}}, []),
        ({"where": {"app_id.name": "absent"}}, [3]),
        ({"project": "other"}, []),
        ({"since": at(5)}, [2, 3]),
        ({"until": at(4)}, [1]),
        ({"until": at(0)}, [1]),
        ({"since": at(1), "until": at(4)}, []),
    ],
)
def test_queries(plane: FakeControlPlane, query: dict[str, Any], numbers: list[int]) -> None:
    """By RPC, app, code and fields of the request; a path begins at the request or at its app."""
    assert [each.number for each in plane.calls.list(**query)] == numbers


def test_values_of_fields_are_compared_as_people_write_them(plane: FakeControlPlane) -> None:
    """Enum values with or without their prefix, numbers, texts and flags."""
    request = update(desired_state=Spec.DESIRED_STATE_STOPPED)
    request.app.spec.autoscaling.replicas.max = 3
    request.app.metadata.labels["team"] = "blue"
    request.app.metadata.revision = 0
    plane.stub().update(request)
    for where in (
        {"spec.desired_state": "STOPPED"},
        {"spec.desired_state": "DESIRED_STATE_STOPPED"},
        {"spec.autoscaling.replicas.max": 3, "metadata.labels.team": "blue"},
        {"metadata.revision": 0},
    ):
        plane.calls.verify("Update", where=where, times=1)
    request.app.metadata.labels["example.org/team.name"] = "green"
    request.app.spec.container.image = "example.org/my_app"
    plane.stub().update(request)
    for where in (
        {"metadata.labels.example.org/team.name": "green"},
        {"spec.container.image": "example.org/my_app", "spec.desired_state": Spec.DESIRED_STATE_STOPPED},
        {"spec.container.image": "example.org/my_app", "spec.desired_state": "stopped"},
    ):
        plane.calls.verify("Update", where=where, times=1)
    plane.calls.verify("Update", where={"spec.container.image": "app"}, times=0)  # no end of a text
    with pytest.raises(CallsDiffer, match=r"spec\.autoscaling\.replicas\.max is 3"):
        plane.calls.verify("Update", where={"spec.autoscaling.replicas.max": 4})


def test_verify_explains_what_differs(plane: FakeControlPlane) -> None:
    """Without `times` at least one call has to match; the error shows the nearest calls, and why they don't."""
    plane.calls.verify("Create")
    plane.calls.verify("Get", times=2)
    plane.calls.verify("Delete", times=0)
    with pytest.raises(CallsDiffer) as none:
        plane.calls.verify("Create", app="demo", where={"spec.container.image": "img:2"})
    assert str(none.value).splitlines()[:2] == [
        "expected at least one call of Create name=demo spec.container.image='img:2', found 0 of 3 recorded:",
        "  #1 Create proj/dev/demo OK: spec.container.image is 'img'",
    ]
    with pytest.raises(CallsDiffer, match="expected 1 call") as many:
        plane.calls.verify("Get", times=1)
    assert "#2 Get proj/dev/demo OK" in str(many.value) and "#3 Get proj/dev/absent NOT_FOUND" in str(many.value)
    with pytest.raises(CallsDiffer, match="expected no call"):
        plane.calls.verify("Create", times=0)
    plane.calls.clear()
    with pytest.raises(CallsDiffer, match="no call was made"):
        plane.calls.verify("Create")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"rpc": "Gett"}, "no RPC is called 'Gett': did you mean Get"),
        ({"rpc": "Get", "where": {"spec.image": "x"}}, "GetRequest has no field 'spec.image'"),
        ({"where": {"nothing": 1}}, "have no field 'nothing'"),
        ({"rpc": "Create", "where": {"spec.desired_state": "STOPED"}}, "spec.desired_state is never 'STOPED': there"),
        ({"code": "FINE"}, "'FINE' is no code of an error"),
        ({"since": datetime.datetime(2026, 1, 1)}, "has no time zone"),  # it is what is refused
        ({"since": at(2), "until": at(1)}, "is before since"),
    ],
)
def test_a_query_that_cannot_be_is_an_error(plane: FakeControlPlane, query: dict[str, Any], message: str) -> None:
    """A misspelt RPC, field or code never counts as no call."""
    for ask in (plane.calls.list, plane.calls.verify):
        with pytest.raises(ValueError, match=re.escape(message)):  # ControlError is one
            ask(**query)


def test_the_oldest_calls_are_forgotten() -> None:
    """At most so many calls are kept as the settings say; a query says how many are gone."""
    with FakeControlPlane(call_log=3) as plane:
        for name in "abcde":
            plane.stub().create(create(name))
        assert [each.app for each in plane.calls.list()] == ["proj/dev/c", "proj/dev/d", "proj/dev/e"]
        with pytest.raises(CallsDiffer, match="2 older ones are forgotten"):
            plane.calls.verify("Create", app="a")


def test_bytes_of_calls_are_bounded() -> None:
    """Large requests are forgotten before the log holds more than its bytes."""
    from flyteapps_fake.control.call_log import MAX_BYTES

    with FakeControlPlane(call_log=1_000, clock="manual", data_plane="none") as plane:
        request = create()
        request.app.spec.container.args.append("x" * 1_000_000)
        for number in range(80):
            request.app.metadata.id.name = f"a{number}"
            plane.stub().create(request)
        kept = plane.calls.list()
        assert 0 < sum(each.ByteSize() for each in kept) <= MAX_BYTES * 1.01
        assert kept[-1].app == "proj/dev/a79"
        assert (plane.count_calls(), plane.forgotten_calls()) == (len(kept), 80 - len(kept))


def test_the_log_can_be_off() -> None:
    """By default nothing is recorded, and a query says how to turn the log on, instead of finding no call."""
    with FakeControlPlane() as plane:
        plane.stub().create(create())
        for query in (plane.calls.list, plane.calls.verify):
            with pytest.raises(ControlError, match="the log of calls is off: use the pytest fixture flyte_plane"):
                query()


def test_a_stream_outlives_its_place_in_the_log() -> None:
    """A Watch goes on after so many quick Gets that its record is forgotten."""
    with FakeControlPlane(call_log=5, clock="manual") as plane:
        stub = plane.stub()
        stub.create(create())
        events = iter(stub.watch(watch()))
        next(events)
        for _ in range(10):
            stub.get(get())
        plane.clock.advance(1)
        assert next(events).WhichOneof("event") == "update_event"
        assert {each.rpc.rpartition("/")[2] for each in plane.calls.list()} == {"Get"}
        del events


def test_texts_of_errors_count_among_the_bytes_of_calls() -> None:
    """Of two calls that are refused alike, the one with the longer message takes more of the log's bytes."""
    with FakeControlPlane(call_log=10) as plane:
        for message in ("short", "x" * 500):
            plane.faults.fail("List", code="UNAVAILABLE", message=message, times=1)
            with pytest.raises(ConnectError):
                plane.stub().list(ListRequest())
        short, long = plane.recorded_calls()
        assert long.size - short.size == 495


def test_a_record_keeps_no_headers() -> None:
    """Neither a large header nor a secret one stays in memory as long as the call is recorded."""

    class Text(str):
        """A header's value that can be referred to weakly."""

        __slots__ = ("__weakref__",)

    with FakeControlPlane(call_log=10) as plane:
        token = Text("secret")
        left = weakref.ref(token)
        plane.call(Call(CREATE, create(), {"authorization": token}))
        plane.call(Call(LIST, ListRequest(), {"authorization": token}))
        del token
        gc.collect()
        assert left() is None and plane.count_calls() == 2
