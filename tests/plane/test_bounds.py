"""Bounds of what a plane keeps, counts and compares, for any caller; ordinary use meets none of them."""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import Any, Self

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2, list_pb2
from google.protobuf.message import Message
from innards import state_of

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.protobuf import count_values, varint
from flyteapps_fake.flyte_oss import answers, watch_hub
from flyteapps_fake.http.protocol.json_shape import count_json
from flyteapps_fake.standard import watch as events
from flyteapps_fake.standard.filters import MAX_FILTERS, MAX_VALUES
from flyteapps_fake.standard.listing import MAX_SORT_KEYS

from .api import INVALID, STOP, Api, app_id, app_of, new_app
from .conftest import Refusal


def _among(count: int) -> list_pb2.Filter:
    values = ["demo", *(f"demo-{number}" for number in range(count - 1))]
    return list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field="name", values=values)


NAMED = list_pb2.Filter(function=list_pb2.Filter.EQUAL, field="name", values=["demo"])


@pytest.mark.parametrize(
    ("most", "too_many"),
    [
        (
            list_pb2.ListRequest(filters=[NAMED] * MAX_FILTERS),
            list_pb2.ListRequest(filters=[NAMED] * (MAX_FILTERS + 1)),
        ),
        (
            list_pb2.ListRequest(filters=[_among(MAX_VALUES)]),
            list_pb2.ListRequest(filters=[_among(MAX_VALUES), NAMED]),
        ),
        (
            list_pb2.ListRequest(sort_by_fields=[list_pb2.Sort(key="name")] * MAX_SORT_KEYS),
            list_pb2.ListRequest(sort_by_fields=[list_pb2.Sort(key="name")] * (MAX_SORT_KEYS + 1)),
        ),
    ],
    ids=["filters", "values", "sort keys"],
)
def test_a_list_has_bounds(api: Api, most: list_pb2.ListRequest, too_many: list_pb2.ListRequest) -> None:
    """As many filters, values and sort keys as are documented apply; one more is INVALID_ARGUMENT."""
    api.create()
    assert len(api.list(most).apps) == 1
    with Refusal(INVALID):
        api.list(too_many)


def test_a_watcher_of_large_apps_ends_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that doesn't read falls behind by bytes before it does by events, and is told so at the end."""
    monkeypatch.setattr(events, "MAX_WAITING_BYTES", 100_000)
    with FakeControlPlane(clock="manual", org="acme") as plane:
        api = Api(plane)
        app = api.create(state=STOP)
        slow, quick = api.watch(org="acme"), api.watch(org="acme")
        for turn in range(5):
            app.metadata.labels["large"] = str(turn) * 30_000
            app = api.update(app)
            assert len(quick.drain()) == (2 if turn == 0 else 1)
        with pytest.raises(RpcError, match="bytes of apps behind"):
            slow.drain()
        api.close()


def test_one_event_always_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event larger than the bound reaches a watcher that reads."""
    monkeypatch.setattr(events, "MAX_WAITING_BYTES", 10)
    with FakeControlPlane(clock="manual", org="acme") as plane:
        api = Api(plane)
        stream = api.watch(org="acme")
        for name in ("a", "b"):
            api.create(name=name, state=STOP)
            assert [app_of(event).metadata.id.name for event in stream.drain()] == [name]
        api.close()


def test_a_watcher_of_large_apps_loses_events_on_the_open_source_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, too, bytes count; what doesn't fit is dropped as any event too many is."""
    monkeypatch.setattr(watch_hub, "MAX_WAITING_BYTES", 100_000)
    with FakeControlPlane(clock="manual", dialect="flyte-oss") as plane:
        api = Api(plane)
        stream = api.watch(app_id=app_id())
        for turn in range(20):
            app = new_app()
            app.spec.container.args[:] = [str(turn) * 30_000]
            api.create(app)
            api.settle(1)
        seen = stream.drain()
        assert 2 <= len(seen) <= 4
        api.close()


def test_answers_that_are_kept_have_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """The open-source backend's cache of Gets drops the oldest answers where they become too many bytes."""
    monkeypatch.setattr(answers, "MAX_CACHED_BYTES", 3_000)
    with FakeControlPlane(clock="manual", dialect="flyte-oss") as plane:
        api = Api(plane)
        for name in ("a", "b"):
            app = new_app(name)
            app.spec.container.args[:] = ["x" * 2_000]
            api.create(app)
        api.settle()
        for name in ("a", "b", "a", "b"):
            assert api.get(name).spec.container.args == ["x" * 2_000]
        api.delete("b")
        with Refusal(Code.NOT_FOUND):
            api.get("b")


def test_ids_of_deleted_apps_are_kept_short(api: Api) -> None:
    """The trace of a deleted app is of one size, however long its id is; it still counts."""
    long = "p" * 100_000
    urls: list[str] = []
    for _ in range(2):
        created = api.create(new_app(state=STOP, project=long))
        urls.append(created.status.ingress.public_url)
        api.delete(project=long)
    assert urls[0] != urls[1]
    gone: dict[bytes, int] = vars(state_of(api.plane))["deleted"]
    assert [len(key) for key in gone] == [24]


def test_a_token_of_no_page(api: Api) -> None:
    """The message of an unknown token is true of any plane: equal planes give equal tokens."""
    with Refusal(INVALID) as refused:
        api.list(list_pb2.ListRequest(token="never returned"))
    assert "leave it out to start over" in refused.message
    tokens: set[str] = set()
    for _ in range(2):
        with FakeControlPlane(clock="manual", org="acme") as plane:
            other = Api(plane)
            for name in ("a", "b"):
                other.create(name=name)
            tokens.add(other.list(list_pb2.ListRequest(limit=1)).token)
    assert len(tokens) == 1


# ---- counting


def _counted(message: Message) -> int:
    """Return the values of a decoded message, the slow way."""
    total = 0
    for field, value in message.ListFields():
        shape = field.message_type
        if shape is not None and shape.GetOptions().map_entry:
            inner = shape.fields_by_name["value"].message_type
            total += sum(3 + (_counted(value[key]) if inner is not None else 0) for key in value)
        elif field.is_repeated:
            total += sum(1 + (_counted(each) if shape is not None else 0) for each in value)
        else:
            total += 1 + (_counted(value) if shape is not None else 0)
    return total


def test_values_are_counted_as_they_are() -> None:
    """The count of an encoded request is that of its fields, elements and map entries; it stops at the limit."""
    request = rpc.CreateRequest(app=new_app())
    request.app.metadata.labels.update({"a": "1", "b": "2"})
    request.app.spec.inputs.items.add(name="x").string_value = "y"
    for number in range(5):
        request.app.spec.pod.pod_spec.fields[f"f{number}"].list_value.values.add().number_value = 1.5
    data = request.SerializeToString()
    assert count_values(rpc.CreateRequest, data, 1_000) == _counted(request)
    assert count_values(rpc.CreateRequest, data, 10) == 11


def test_broken_encodings_are_counted_without_end() -> None:
    """Any bytes can be counted; endless varints, groups and lengths beyond the end cost no more than the limit."""
    rng = random.Random(1)
    for _ in range(3_000):
        count_values(rpc.CreateRequest, rng.randbytes(rng.randrange(60)), 100)
    for data in (b"\x80" * 4_000_000, b"\x0a" + b"\xff" * 4_000_000, b"\x0b" * 4_000_000, b"\x0a\xff\xff\xff\x7f"):
        assert count_values(rpc.CreateRequest, data, 10_000) <= 10_001


def test_elements_before_a_broken_end_are_counted() -> None:
    """The elements that a parser would read before the broken end count."""
    request = rpc.CreateRequest(app=new_app())
    for _ in range(5_000):
        request.app.spec.inputs.items.add()
    for broken in (b"\x80", b"\x0f", b"\x0a" + varint(99)):
        assert count_values(rpc.CreateRequest, request.SerializeToString() + broken, 1_000) == 1_001


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("{}", 2),
        ('{"a":1,"b":[1,2,3]}', 6),
        ('{"a":",,,,[[[{{{"}', 2),
        ('{"a":"\\",,,,,,"}', 2),
        ('{"a":",,,,,,', 2),
        ('"' + '\\"' * 1_000_000, 1),
        ('"' * 1_000_001, 1),
    ],
)
def test_values_of_json_are_counted_outside_of_texts(text: str, count: int) -> None:
    """Commas and brackets count where they aren't in a text; broken texts of any kind take no longer."""
    assert count_json(text, 2) <= max(count, 2)
    assert count_json(text.replace("{", "{" + "0," * 5, 1), 2) >= count


def test_an_app_of_many_texts_is_no_crowd(api: Api) -> None:
    """A script with more commas than an app may have values is one value."""
    app = new_app()
    app.spec.container.args[:] = ["[1, 2, {3}]," * 20_000]
    assert api.create(app).metadata.revision == 1
    assert api.stub.get(rpc.GetRequest(app_id=app.metadata.id)).app.spec.container.args[0].count(",") > 10_000


def test_an_app_of_too_many_values(api: Api) -> None:
    """More labels than any app has are RESOURCE_EXHAUSTED, though their bytes would fit."""
    app = new_app()
    app.metadata.labels.update({str(number): "" for number in range(10_000)})
    with Refusal(Code.RESOURCE_EXHAUSTED) as refused:
        api.create(app)
    assert "values" in refused.message


class _Long:
    """Calls with names of 15,000 characters, another one each time."""

    def __init__(self) -> None:
        self._plane = FakeControlPlane(clock="manual", org="acme", call_log=0)
        self._api = Api(self._plane)
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()
        self._plane.close()

    def call(self) -> None:
        self._turn += 1
        name = f"{self._turn}" + "n" * 15_000
        app = new_app(state=STOP)
        app.spec.cluster_pool = name
        self._api.create(app)
        self._api.delete()
        app = new_app()
        app.spec.cluster = name
        leases: Any = self._api.stub.lease(rpc.LeaseRequest(id=identifier_pb2.ClusterIdentifier(name=name)))
        self._api.create(app)
        assert next(iter(leases)).apps[0].status.assigned_cluster == name
        self._plane.advance(61)  # a lapse
        leases.close()
        app.spec.desired_state = STOP
        self._api.update(app)
        self._api.delete()


def test_long_names_of_clusters_and_pools_are_kept_short() -> None:
    """Pools that apps wanted and clusters that came, or let leases run out, leave little, whatever their names."""
    with _Long() as long:
        long.call()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20):
                long.call()
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 150_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_the_replicas_of_an_app_take_no_memory(dialect: str) -> None:
    """An app of two thousand million replicas becomes active with all of them, in the memory of one with a hundred."""
    many = 2**31 - 1
    with FakeControlPlane(org="flyte", dialect=dialect, clock="manual") as plane:
        app = new_app()
        app.spec.autoscaling.replicas.min = app.spec.autoscaling.replicas.max = many
        stub = plane.stub()
        made = stub.create(rpc.CreateRequest(app=app)).app
        tracemalloc.start()
        try:
            plane.advance(600)
            assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
        finally:
            tracemalloc.stop()
        assert stub.get(rpc.GetRequest(app_id=made.metadata.id)).app.status.current_replicas == many
