"""Pods in the dialect of the open-source backend: the order of their maps, and the types of their specs."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App, Spec
from google.protobuf.struct_pb2 import Struct

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.flyte_oss.building import quantities
from flyteapps_fake.flyte_oss.building.go_numbers import number_text
from flyteapps_fake.flyte_oss.building.map_order import drawn_order, map_sizes
from flyteapps_fake.flyte_oss.building.pod_spec import PodSpecError, check_pod_spec

from .api import Api, app_of, kind, new_app, statuses

_TYPED = (
    "json: cannot unmarshal {} into Go struct field ObjectMeta.volumes.VolumeSource.ephemeral.volumeClaimTemplate."
    "metadata.creationTimestamp of type {}"
)
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


def error_of(spec: Struct) -> str:
    """Return the error that a pod_spec has, "" for none."""
    try:
        check_pod_spec(spec)
    except PodSpecError as error:
        return str(error)
    return ""


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


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (80, "80"),
        (80.5, "80.5"),
        (-0.1, "-0.1"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e-10, "1e-10"),
        (123456789012345680.0, "123456789012345680"),
        (5e20, "500000000000000000000"),
        (1e21, "1e+21"),
        (-2.5e300, "-2.5e+300"),
    ],
)
def test_numbers_are_written_as_in_go(number: float, text: str) -> None:
    """Plain from 1e-6 up to 1e21, else with an exponent of no leading zeros."""
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", quantities.FORMAT),
        ("lots", quantities.FORMAT),
        ("1 Gi", quantities.FORMAT),
        ("1.5.5", quantities.FORMAT),
        ("\u0665", quantities.FORMAT),
        ("5Kk", quantities.SUFFIX),
        ("5e", quantities.SUFFIX),
        ("5Mi3", quantities.SUFFIX),
        ("1e99999999999999999999", quantities.SUFFIX),
        ("1e" + "9" * 5_000, quantities.SUFFIX),
        ("Pi", quantities.NUMERIC),
        ("e-10", quantities.NUMERIC),
        *(
            (text, "")
            for text in (".", "+", "-", "e3", "Ki", "Ti", "e-9", "-000", "1.e3", "5.Gi", "1" * 60, "1e2147483648")
        ),
    ],
)
def test_a_quantity_is_parsed_as_by_kubernetes(text: str, error: str) -> None:
    """Its three errors, and what else it takes; one on which it hangs for seconds is taken at once."""
    assert quantities.quantity_error(text) == error


def test_a_pod_runs_with_a_quantity_without_digits() -> None:
    """It is zero, which a cluster has; one below zero is not."""
    for text, last in ((".", "ACTIVE"), ("-1", "FAILED")):
        with FakeControlPlane(dialect="flyte-oss", clock="manual", kubernetes="none") as plane:
            api = Api(plane)
            sent = new_app()
            sent.spec.pod.pod_spec.update({"containers": [{"image": "i", "resources": {"limits": {"cpu": text}}}]})
            api.stub.create(rpc.CreateRequest(app=sent))
            plane.advance(60)
            stream = api.watch(app_id=sent.metadata.id)
            assert statuses(app_of(stream.drain()[0]))[-1] == last
            stream.close()
            api.close()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("2024-01-02T03:04:05.5+01:00", ""),
        ("2024-02-30T03:04:05Z", 'parsing time "2024-02-30T03:04:05Z": day out of range'),
        ("2024-13-01T00:00:00Z", 'parsing time "2024-13-01T00:00:00Z": month out of range'),
        ("x", 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'),
        (5, _TYPED.format("number", "string")),
    ],
)
def test_a_time_in_a_pod_is_parsed(text: object, error: str) -> None:
    """The only times are those of the claim templates of volumes."""
    spec = Struct()
    metadata = {"creationTimestamp": text, "managedFields": [{"fieldsV1": text}]}
    spec.update({"volumes": [{"ephemeral": {"volumeClaimTemplate": {"metadata": metadata}}}]})
    assert error_of(spec) == error


def test_a_port_of_a_probe_is_a_number_or_a_text() -> None:
    """Anything else ends the decoding, so that it is reported instead of an earlier error."""
    spec = Struct()
    for port in (80, "http", None):
        spec.update({"containers": [{"livenessProbe": {"httpGet": {"port": port}}}]})
        assert error_of(spec) == ""
    spec.update({"containers": [{"image": 5, "livenessProbe": {"httpGet": {"port": [80]}}}]})
    field = "HTTPGetAction.containers.livenessProbe.ProbeHandler.httpGet.port"
    assert error_of(spec) == f"json: cannot unmarshal array into Go struct field {field} of type int32"


def test_names_are_compared_as_in_go() -> None:
    """By characters, each folded by itself: a long s is an s, two s are no sharp s."""
    for name, known in (("\u017ftdin", True), ("STDIN", True), ("wor\u212aingDir", True), ("cla\u00dfName", False)):
        spec = Struct()
        spec.update({"containers": [{name: {}}]})
        assert (error_of(spec) != "") is known
