"""Pods in the dialect of the open-source backend: the order of their maps, which decides what is unchanged."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App, Spec

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.flyte_oss.building.map_order import drawn_order, map_sizes

from .api import Api, kind, new_app

DRAWS = 4_000
WRITES = 12


def pod_app(*names: str) -> App:
    """Return an app with a pod whose one container has these variables."""
    app = new_app()
    env = [{"name": each} for each in names]
    app.spec.pod.pod_spec.update({"containers": [{"image": "img:1", "env": env}]})
    return app


@pytest.mark.parametrize("size", range(1, 9))
def test_two_orders_of_a_small_map_are_equal_as_often_as_in_go(size: int) -> None:
    """Of n <= 8 entries, with a chance of ((9 - n)^2 + n - 1) / 64."""
    spec = Spec()
    spec.pod.metadata.labels.update({f"label-{number}": "" for number in range(size)})
    orders = [drawn_order(spec, 7, "demo", number) for number in range(DRAWS)]
    equal = sum(one == other for one, other in zip(orders[::2], orders[1::2], strict=True)) / (DRAWS / 2)
    assert abs(equal - ((9 - size) ** 2 + size - 1) / 64) < 0.04  # 4 standard deviations; nothing here is random


def test_two_orders_of_a_larger_map_are_never_equal() -> None:
    """Of 9 entries each is drawn once."""
    spec = Spec()
    spec.pod.metadata.labels.update({f"label-{number}": "" for number in range(9)})
    assert len({drawn_order(spec, 7, "demo", number) for number in range(DRAWS)}) == DRAWS


def test_all_maps_of_a_spec_count() -> None:
    """Labels, annotations, and each object of a pod_spec; a container has none."""
    app = pod_app("A", "B")
    app.spec.pod.metadata.labels.update(a="1", b="2", c="3")
    app.spec.pod.metadata.annotations["d"] = "4"
    app.spec.pod.pod_spec["securityContext"] = {"a": 1, "b": 2, "c": {"d": {}}}
    assert sorted(map_sizes(app.spec)) == [1, 1, 1, 1, 2, 2, 3, 3]
    assert list(map_sizes(new_app().spec)) == []


def events_of(plane: FakeControlPlane, *, fresh_from: int = WRITES) -> list[int]:
    """Return the numbers of the unchanged Creates, of WRITES, that were events."""
    api = Api(plane)
    sent = pod_app(*"ABCDEFGH")
    sent.spec.pod.metadata.labels.update(a="1", b="2", c="3")
    api.stub.create(rpc.CreateRequest(app=sent))
    plane.advance(5)
    found: list[int] = []
    for number in range(WRITES):
        if number == fresh_from:
            plane.load_document(plane.document())
        stream = api.watch(app_id=sent.metadata.id)
        stream.drain()
        api.stub.create(rpc.CreateRequest(app=sent))
        found += [number for each in stream.drain() if kind(each) == "update"]
        stream.close()
        plane.advance(1)
    api.close()
    return found


def test_unchanged_writes_are_drawn_from_the_seed() -> None:
    """Two planes of one seed write the same of them, also after a return to the state; others write others."""
    with (
        FakeControlPlane(dialect="flyte-oss", clock="manual", seed=3) as first,
        FakeControlPlane(dialect="flyte-oss", clock="manual", seed=3) as second,
        FakeControlPlane(dialect="flyte-oss", clock="manual", seed=4) as third,
    ):
        written = events_of(first)
        assert 0 < len(written) < WRITES
        assert events_of(second, fresh_from=WRITES // 2) == written
        assert events_of(third) != written


def test_an_unchanged_write_moves_nothing_but_the_app() -> None:
    """Neither the generation nor the replicas change, and the operator has nothing to do."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as plane:
        api = Api(plane)
        sent = pod_app()
        sent.spec.pod.metadata.labels.update({f"label-{number}": "" for number in range(9)})
        api.stub.create(rpc.CreateRequest(app=sent))
        plane.advance(5)
        before = plane.document().flyte_oss_services[0]
        api.stub.create(rpc.CreateRequest(app=sent))
        after = plane.document().flyte_oss_services[0]
        assert after.map_order != before.map_order
        for name in ("map_order", "specs_hashed", "written_at", "new"):
            for each in (before, after):
                each.ClearField(name)  # type: ignore[arg-type]  # a name of a field, as it is typed
        assert after == before
        api.close()
