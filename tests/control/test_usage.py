"""The use of apps over time: replicas, declared loads, and requests to their URLs, in both dialects."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_control.loads import text_of
from flyteapps_control.v1.control_pb2 import AppUsage, Load
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.time.usage import MAX_LOADS, MAX_REPLICA_COUNTS, MAX_REQUEST_COUNTS
from flyteapps_fake.core.time.usage import AppUsage as Usage

APP_ID = {"project": "demo", "domain": "development", "name": "hello"}


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on a manual clock."""
    with FakeControlPlane(clock="manual", dialect=request.param) as fresh:
        yield fresh


def create(plane: FakeControlPlane, name: str = "hello") -> str:
    """Create an app that has one replica for each 10 requests a second, five at most; return the host of its URL."""
    app = model.App(metadata={"id": {**APP_ID, "name": name}})
    app.spec.container.image = "img:1"
    app.spec.desired_state = model.Spec.DESIRED_STATE_ACTIVE
    app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = 1, 5
    app.spec.autoscaling.scaledown_period.seconds = 60
    app.spec.autoscaling.scaling_metric.request_rate.target_value = 10
    created = plane.stub().create(rpc.CreateRequest(app=app)).app
    return created.status.ingress.public_url.partition("//")[2]


def usage(plane: FakeControlPlane, name: str = "hello") -> AppUsage:
    """Return what an app used."""
    (found,) = plane.usage(app=name, project="demo", domain="development")
    return found


def replicas(plane: FakeControlPlane) -> list[int]:
    """Return the numbers of replicas that the app has had."""
    return [each.replicas for each in usage(plane).replicas]


def loads(plane: FakeControlPlane, name: str = "hello") -> list[str]:
    """Return the loads that the app has had, "" for none."""
    return [text_of(each.load) if each.HasField("load") else "" for each in usage(plane, name).loads]


def test_replicas_over_time(plane: FakeControlPlane) -> None:
    """Each number of replicas is there with its time, those of a load and of a stop included."""
    create(plane)
    assert replicas(plane) == [0]
    plane.clock.advance("10s")
    assert replicas(plane) == [0, 1]
    plane.loads.set("50rps", app="hello")
    plane.clock.advance("10s")
    found = usage(plane)
    assert [each.replicas for each in found.replicas][::2] == [0, 5]
    times = [each.time.ToDatetime(UTC) for each in found.replicas]
    assert times[0] == found.since.ToDatetime(UTC)
    began = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert began < times[-1] < began + timedelta(seconds=3)
    app = plane.stub().get(rpc.GetRequest(app_id=APP_ID)).app
    app.spec.desired_state = model.Spec.DESIRED_STATE_STOPPED
    plane.stub().update(rpc.UpdateRequest(app=app))
    plane.clock.advance("1m")
    assert replicas(plane) == [0, 1, 5, 0]


def test_loads_over_time(plane: FakeControlPlane) -> None:
    """Each load is there with its time, also where it is cleared, and one that was declared before the app was."""
    create(plane)
    assert loads(plane) == []
    plane.clock.advance("10s")
    plane.loads.set("50rps", app="h*")
    plane.clock.advance("10s")
    plane.loads.set("3concurrent", project="demo")
    plane.clock.advance("10s")
    plane.loads.clear(app="unknown")
    plane.loads.clear(project="demo")
    plane.clock.advance("10s")
    plane.loads.clear()
    assert loads(plane) == ["", "50rps", "3concurrent", "50rps", ""]
    began = usage(plane).since.ToNanoseconds()
    assert [round((each.time.ToNanoseconds() - began) / SECOND) for each in usage(plane).loads] == [0, 10, 20, 30, 40]
    plane.loads.set("7rps", app="later")
    plane.clock.advance("10s")
    create(plane, "later")
    assert loads(plane, "later") == ["7rps"]
    assert usage(plane, "later").loads[0].time == usage(plane, "later").since


def test_requests_over_time(plane: FakeControlPlane) -> None:
    """Requests to the URL are counted by the second; times without any are left out."""
    host = create(plane)
    plane.clock.advance("10s")
    assert list(usage(plane).requests) == []
    for seconds, requests in ((0, 3), (1, 2), (90, 4)):
        plane.clock.advance(f"{seconds}s")
        for _ in range(requests):
            assert plane.ask(host) is not None
    assert plane.ask(f"other-{host}") is None
    found = usage(plane).requests
    assert [(each.requests, each.span.seconds) for each in found] == [(3, 1), (2, 1), (4, 1)]
    began = datetime(2026, 1, 1, tzinfo=UTC)
    assert [(each.time.ToDatetime(UTC) - began).seconds for each in found] == [10, 11, 101]


def test_it_begins_anew(plane: FakeControlPlane) -> None:
    """A deleted app leaves nothing to one of its name; another state of the plane has nothing of the one before."""
    host = create(plane)
    plane.snapshot("new")
    plane.clock.advance("1h")
    plane.loads.set("20rps", app="hello")
    plane.clock.advance("10s")
    plane.ask(host)
    assert len(replicas(plane)) == 3
    plane.restore("new")
    assert (replicas(plane), loads(plane), list(usage(plane).requests)) == ([0], [], [])
    plane.ask(host)
    plane.clock.advance("10s")
    plane.control.reset(app="hello")
    assert plane.usage() == []
    create(plane)
    assert (replicas(plane), list(usage(plane).requests)) == ([0], [])


def test_what_is_selected(plane: FakeControlPlane) -> None:
    """Apps are selected by globs, or by the name of one, and come in order; an unknown one is none."""
    for name in ("b", "a", "c"):
        create(plane, name)
    assert [each.app for each in plane.usage()] == [f"demo/development/{name}" for name in "abc"]
    assert [each.app[-1] for each in plane.usage(app="[ab]")] == ["a", "b"]
    assert [each.app[-1] for each in plane.usage(app="c", project="demo", domain="development")] == ["c"]
    assert plane.usage(app="unknown", project="demo", domain="development") == []


def test_it_is_bounded() -> None:
    """Of many changes the last are kept; no request is lost, and the newest ones are known by the second."""
    used, draws = Usage(0), random.Random(7)
    now = total = 0
    for count in range(3_000):
        now += draws.randrange(1, 3 * SECOND)
        requests = draws.randrange(1, 9)
        total += requests
        used.requests.add(now, requests)
        used.scaled(now, count, count + 1)
        used.loaded(now, None, Load(requests_per_second=count))
    assert [count for _, count in used.replicas][-1] == 3_000
    assert len(used.replicas) == MAX_REPLICA_COUNTS
    assert len(used.loads) == MAX_LOADS
    counts = list(used.requests)
    assert len(counts) <= MAX_REQUEST_COUNTS
    assert sum(each.requests for each in counts) == total
    assert {each.span for each in counts[-60:]} == {SECOND}
    for one, other in pairwise(counts):
        assert one.time + one.span <= other.time, "spans don't overlap"
    assert all(each.time % each.span == 0 for each in counts)
