"""Declared load: apps scale to it within their bounds, on the plane's clock, in both dialects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_control.api import ControlError
from flyteapps_control.loads import load_of, text_of
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane

SUBSTATES = model.Status.Substate


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on a manual clock."""
    with FakeControlPlane(clock="manual", dialect=request.param) as fresh:
        yield fresh


def given(plane: FakeControlPlane, name: str = "hello", *, low: int = 1, high: int = 5, **metric: Any) -> None:
    """Create an app with these bounds and a scaledown period of a minute, and wait until it is at rest."""
    app = model.App(metadata={"id": {"project": "demo", "domain": "development", "name": name}})
    app.spec.container.image = "img:1"
    app.spec.desired_state = model.Spec.DESIRED_STATE_ACTIVE
    app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = low, high
    app.spec.autoscaling.scaledown_period.seconds = 60
    if metric:
        app.spec.autoscaling.scaling_metric.CopyFrom(model.ScalingMetric(**metric))
    plane.stub().create(rpc.CreateRequest(app=app))
    plane.clock.advance("10s")


def status(plane: FakeControlPlane, name: str = "hello") -> model.Status:
    """Return the status of an app; by List, since an answer to Get can be 30 s old in the second dialect."""
    listed = plane.stub().list(rpc.ListRequest()).apps
    return next(app.status for app in listed if app.metadata.id.name == name)


def replicas(plane: FakeControlPlane, name: str = "hello") -> int:
    """Return the current replicas of an app."""
    return status(plane, name).current_replicas


RATE: dict[str, Any] = {"request_rate": {"target_value": 10}}
CONCURRENCY: dict[str, Any] = {"concurrency": {"target_value": 4}}


@pytest.mark.parametrize(
    ("load", "metric", "count"),
    [
        ("0", RATE, 1),
        ("10rps", RATE, 1),
        ("10.5rps", RATE, 2),
        ("50 rps", RATE, 5),
        ("1000rps", RATE, 5),
        ("20 concurrent", RATE, 2),
        ("4concurrent", CONCURRENCY, 1),
        ("9concurrent", CONCURRENCY, 3),
        ("9rps", CONCURRENCY, 3),
        ("1000rps", {}, 1),
    ],
)
def test_an_app_scales_to_its_load(plane: FakeControlPlane, load: str, metric: dict[str, Any], count: int) -> None:
    """By the target of its metric, rounded up, within its bounds; without a metric one replica serves any load."""
    given(plane, **metric)
    assert plane.loads.set(load, app="hello") == 1
    assert replicas(plane) == 1, "no time has passed"
    plane.clock.advance("5s")
    assert replicas(plane) == count
    plane.clock.advance("1h")
    assert replicas(plane) == count, "a load lasts"
    assert not [timer.reason for timer in plane.clock.pending() if "lease" not in timer.reason], "it is at rest"


def test_it_scales_down_after_its_time(plane: FakeControlPlane) -> None:
    """Not before scaledown_period after the load has fallen; to what is left of the load, then to the least."""
    given(plane, **RATE)
    plane.loads.set("50rps", app="hello")
    plane.clock.advance("10m")
    for load, count in (("25rps", 3), ("0", 1)):
        before = replicas(plane)
        plane.loads.set(load, app="hello")
        plane.clock.advance("59s")
        assert replicas(plane) == before
        plane.clock.advance("2s")
        assert replicas(plane) == count


def test_a_load_that_comes_back_in_time_changes_nothing(plane: FakeControlPlane) -> None:
    """A fall within the scaledown_period is none."""
    given(plane, **RATE)
    plane.loads.set("50rps", app="hello")
    plane.clock.advance("10s")
    plane.loads.set("5rps", app="hello")
    plane.clock.advance("59s")
    plane.loads.set("45rps", app="hello")
    plane.clock.advance("1h")
    assert replicas(plane) == 5


def test_to_zero_and_from_zero(plane: FakeControlPlane) -> None:
    """Where min is 0, a load keeps the app up, none lets it go to zero, and the next wakes it to its size."""
    given(plane, low=0, **RATE)
    plane.loads.set("1rps", app="hello")
    plane.clock.advance("1d")
    assert replicas(plane) == 1
    plane.loads.set("0", app="hello")
    plane.clock.advance("62s")
    assert replicas(plane) == 0
    plane.clock.advance("1d")
    plane.loads.set("30rps", app="hello")
    plane.clock.advance("5s")
    assert replicas(plane) == 3


def test_without_its_load_an_app_is_idle(plane: FakeControlPlane) -> None:
    """A load that is cleared, or reset, is none: the app scales down as without requests."""
    given(plane, low=0, **RATE)
    given(plane, "other", low=2, **RATE)
    plane.loads.set("50rps", app="*")
    plane.clock.advance("10s")
    assert [text_of(load) for load in plane.loads.clear()] == ["50rps"]
    plane.clock.advance("62s")
    assert (replicas(plane), replicas(plane, "other")) == (0, 2)
    plane.loads.set("50rps", app="*")
    plane.reset(app="hello")
    assert len(plane.loads.list()) == 1
    plane.reset()
    assert plane.loads.list() == []


def test_an_app_without_a_load_is_left_alone(plane: FakeControlPlane) -> None:
    """Others' loads are not its own."""
    given(plane, low=2, **RATE)
    plane.loads.set("50rps", app="other")
    plane.clock.advance("1d")
    assert replicas(plane) == 2


def test_apps_by_glob(plane: FakeControlPlane) -> None:
    """A load is that of all apps that it selects, of later ones too; the last that was declared counts."""
    given(plane, "worker-1", **RATE)
    given(plane, "web", **RATE)
    assert plane.loads.set("20rps", app="worker-*") == 1
    assert plane.loads.set("40rps", app="w*", project="demo") == 2
    assert plane.loads.set("30rps", app="worker-*") == 1
    assert plane.loads.set("50rps", app="nothing-*") == 0
    given(plane, "worker-2", **RATE)
    plane.clock.advance("10s")
    assert {name: replicas(plane, name) for name in ("worker-1", "worker-2", "web")} == {
        "worker-1": 3,
        "worker-2": 3,
        "web": 4,
    }
    assert [(load.app.name, text_of(load)) for load in plane.loads.list()] == [
        *(("w*", "40rps"), ("worker-*", "30rps"), ("nothing-*", "50rps"))
    ]
    assert [load.app.name for load in plane.loads.clear(app="worker-*")] == ["worker-*"]
    assert plane.loads.clear(app="worker-*") == []


def test_an_app_that_does_not_run_does_not_scale(plane: FakeControlPlane) -> None:
    """A stopped app stays so, and scales when it runs again."""
    given(plane, **RATE)
    stub = plane.stub()
    [app] = stub.list(rpc.ListRequest()).apps
    app.spec.desired_state = model.Spec.DESIRED_STATE_STOPPED
    stub.update(rpc.UpdateRequest(app=app))
    plane.clock.advance("10s")
    plane.loads.set("50rps", app="hello")
    plane.clock.advance("1h")
    assert replicas(plane) == 0
    app.metadata.revision = 0
    app.spec.desired_state = model.Spec.DESIRED_STATE_ACTIVE
    stub.update(rpc.UpdateRequest(app=app))
    plane.clock.advance("10s")
    assert replicas(plane) == 5


def test_the_states_between() -> None:
    """ACTIVE throughout: SCALING_UP, RUNNING, SCALING_DOWN, SCALED_TO_ZERO, SCALING_FROM_ZERO, with the replicas."""
    with FakeControlPlane(clock="manual") as plane:
        given(plane, low=0, **RATE)
        seen: list[tuple[str, int]] = []

        def step() -> None:
            plane.clock.advance_to_next()
            found = status(plane)
            assert found.conditions[-1].deployment_status == model.Status.DEPLOYMENT_STATUS_ACTIVE
            seen.append((SUBSTATES.Name(found.conditions[-1].substate), found.current_replicas))

        for load, steps in (("50rps", 2), ("20rps", 2), ("0", 2), ("30rps", 2)):
            plane.loads.set(load, app="hello")
            for _ in range(steps):
                step()
    assert seen == [
        *(("SCALING_UP", 1), ("RUNNING", 5), ("SCALING_DOWN", 5), ("RUNNING", 2)),
        *(("SCALING_DOWN", 1), ("SCALED_TO_ZERO", 0), ("SCALING_FROM_ZERO", 0), ("RUNNING", 3)),
    ]


def test_on_an_automatic_clock() -> None:
    """A client that watches sees the app scale."""
    with FakeControlPlane() as plane:
        app = model.App(metadata={"id": {"project": "demo", "domain": "development", "name": "hello"}})
        app.spec.container.image = "img:1"
        app.spec.autoscaling.replicas.max = 4
        app.spec.autoscaling.scaling_metric.CopyFrom(model.ScalingMetric(**RATE))
        plane.loads.set("35rps", app="hello")
        created = plane.stub().create(rpc.CreateRequest(app=app)).app
        events = iter(plane.stub().watch(rpc.WatchRequest(app_id=created.metadata.id)))
        assert any(event.update_event.updated_app.status.current_replicas == 4 for event in events)
        del events


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("50", "has no unit: write it as 50rps"),
        ("-1rps", "is invalid: write it as 50rps"),
        ("fast", "is invalid"),
        ("", "is invalid"),
        ("nanrps", "is invalid"),
        ("1e3rps", "is invalid"),
        ("50rpm", "is invalid"),
        ("2000000000rps", "is over 1,000,000,000"),
        (50, "the load 50 is invalid"),
    ],
)
def test_what_is_no_load(plane: FakeControlPlane, text: Any, says: str) -> None:
    """A ValueError that says how to write it; nothing is declared."""
    with pytest.raises(ValueError, match=says):
        plane.loads.set(text, app="hello")
    assert plane.loads.list() == []


@pytest.mark.parametrize(
    "load", [pb.Load(), pb.Load(requests_per_second=-1), pb.Load(concurrent_requests=float("nan"))], ids=repr
)
def test_what_the_api_refuses(plane: FakeControlPlane, load: pb.Load) -> None:
    """INVALID_ARGUMENT, and nothing is declared."""
    with pytest.raises(ControlError) as refused:
        plane.control._api.call("SetLoad", pb.SetLoadRequest(load=load), pb.SetLoadResponse)  # pyright: ignore[reportPrivateUsage]  # as over the wire
    assert refused.value.code == "INVALID_ARGUMENT"
    assert plane.loads.list() == []


def test_without_a_simulated_cluster() -> None:
    """Clusters over the wire scale by themselves: the error says so."""
    with FakeControlPlane(data_plane="none") as plane, pytest.raises(ControlError, match="no cluster is simulated"):
        plane.loads.set("50rps", app="hello")


def test_texts() -> None:
    """A load is shown as it can be written."""
    for text in ("50rps", "0.5rps", "20concurrent", "0rps"):
        assert text_of(load_of(text)) == text
