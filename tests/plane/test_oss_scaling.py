"""Replicas in the dialect flyte-oss: bounds as Knative takes them, where a max of 0 is none."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake import FakeControlPlane

from .api import Api, new_app, shown, statuses

SECONDS = 10.0
"""Until an app serves, and has scaled."""
MANY = 12


def scaled(minimum: int, maximum: int = 0, scenario: str = "") -> App:
    """Return an app with these bounds, and a load of one request for each of its replicas."""
    app = new_app()
    app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = minimum, maximum
    app.spec.autoscaling.scaling_metric.concurrency.target_value = 1
    if scenario:
        app.metadata.labels["flyteapps.dev/scenario"] = scenario
    return app


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        ({"kubernetes": "none"}, (2, 0)),
        ({"kubernetes": "api"}, (2, 0)),
        ({"kubernetes": "knative"}, (2, 0)),
        ({"kubernetes": "none"}, (2, 1)),
        ({"kubernetes": "api"}, (2, 1)),
    ],
)
def test_an_app_runs_with_the_least_number_of_replicas(options: dict[str, Any], bounds: tuple[int, int]) -> None:
    """A min alone is enough; of a max under the min, where nothing refuses it, the min counts."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual", **options) as plane:
        api, app = Api(plane), scaled(*bounds)
        api.stub.create(rpc.CreateRequest(app=app))
        plane.advance(SECONDS)
        found = shown(api, app)
        assert (statuses(found)[-1], found.status.current_replicas) == ("ACTIVE", 2)


@pytest.mark.parametrize("minimum", [0, 2])
def test_without_a_max_an_app_gets_what_its_load_needs(minimum: int) -> None:
    """A max of 0 is no bound, beside a min and without any; in the scenario `busy` it gets one more than at first."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as plane:
        api, app = Api(plane), scaled(minimum)
        api.stub.create(rpc.CreateRequest(app=app))
        plane.advance(SECONDS)
        plane.loads.set(f"{MANY} concurrent", app="demo")
        plane.advance(SECONDS)
        assert shown(api, app).status.current_replicas == MANY
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as plane:
        api, app = Api(plane), scaled(minimum, scenario="busy")
        api.stub.create(rpc.CreateRequest(app=app))
        plane.advance(SECONDS)
        assert shown(api, app).status.current_replicas == max(1, minimum) + 1
