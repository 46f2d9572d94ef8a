"""Pools and pinned clusters on a plane whose clusters are all simulated, beside an operator's cluster."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.identifier_pb2 import ClusterIdentifier

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.operations import OPERATIONS
from flyteapps_fake.core.streams import OpenStream

from .api import STARTED, Api, app_id, new_app, statuses

LEASE = OPERATIONS["/flyteidl2.app.AppService/Lease"]


def lease(plane: FakeControlPlane, cluster: str) -> OpenStream:
    """Open a Lease stream of an operator's cluster."""
    return plane.open(Call(LEASE, rpc.LeaseRequest(id=ClusterIdentifier(name=cluster))))


@pytest.fixture
def notices(plane: FakeControlPlane) -> list[Notice]:
    """The plane's notices at the terminal of apps that wait for a cluster."""
    return notices_of_waits(plane)


def notices_of_waits(plane: FakeControlPlane) -> list[Notice]:
    found: list[Notice] = []
    plane.notify(lambda notice: found.append(notice) if "cluster" in notice.message else None)
    return found


@pytest.mark.parametrize(
    ("pool", "cluster", "holder"),
    [("gpu", "", "simulated"), ("default", "", "simulated"), ("gpu", "east", "east"), ("", "east", "east")],
)
def test_the_simulated_cluster_serves_every_pool_and_cluster(
    api: Api, notices: list[Notice], pool: str, cluster: str, holder: str
) -> None:
    """Without configured pools an app of any pool, pinned to any cluster or none, runs, stops and runs again."""
    app = new_app()
    app.spec.cluster_pool, app.spec.cluster = pool, cluster
    created = api.create(app)
    assert created.status.assigned_cluster == holder
    api.settle()
    assert statuses(api.get())[-1] == "ACTIVE"
    listed = api.list(cluster_id=ClusterIdentifier(name=holder)).apps
    assert [each.metadata.id.name for each in listed] == ["demo"]
    api.stop()
    api.settle()
    assert statuses(api.get())[-1] == "STOPPED"
    app = api.get()
    app.spec.desired_state = STARTED
    api.update(app)
    api.settle()
    assert statuses(api.get())[-1] == "ACTIVE"
    assert notices == []


def test_a_cluster_that_came_is_left_its_apps(api: Api, notices: list[Notice]) -> None:
    """A cluster that leases gets the apps that name it or the pool of its name, also while it is away; no others."""
    stream = lease(api.plane, "east")
    for name, pool, cluster in (("pooled", "east", ""), ("pinned", "", "east"), ("other", "west", "")):
        app = new_app(name)
        app.spec.cluster_pool, app.spec.cluster = pool, cluster
        api.create(app)
    taken = stream.take()
    assert taken is not None
    assert [app.metadata.id.name for app in rpc.LeaseResponse.FromString(taken).apps] == ["pooled", "pinned"]
    stream.close()
    api.settle(120.0)
    assert [statuses(api.get(name))[-1] for name in ("pooled", "pinned", "other")] == [
        "UNASSIGNED",
        "UNASSIGNED",
        "ACTIVE",
    ]
    late = new_app("late")
    late.spec.cluster = "east"
    assert statuses(api.create(late)) == ["UNASSIGNED"]
    assert [(each.app, "'east'" in each.message) for each in notices] == [("late", True)]


def test_an_app_moves_from_a_cluster_that_is_played_to_one_that_came(api: Api) -> None:
    """An app stopped under a name whose own cluster has come since is leased to that cluster when it starts again."""
    app = new_app()
    app.spec.cluster = "east"
    api.create(app)
    api.settle()
    api.stop()
    api.settle()
    stream = lease(api.plane, "east")
    app = api.get()
    app.spec.desired_state = STARTED
    api.update(app)
    taken = stream.take()
    assert taken is not None
    api.settle(30.0)
    assert statuses(api.get())[-1] == "PENDING", "nobody but that cluster reports"
    stream.close()


def test_where_pools_are_configured_an_app_that_waits_says_so_at_the_terminal(pooled: Api) -> None:
    """SP-2: with --pool the app of another pool waits, and the terminal shows why, at each write."""
    notices = notices_of_waits(pooled.plane)
    app = new_app()
    app.spec.cluster_pool = "gpu"
    pooled.create(app)
    pooled.create(new_app("runs"))
    assert [each.app for each in notices] == ["demo"]
    assert "'gpu'" in notices[0].message and "--pool gpu=CLUSTER" in notices[0].message
    assert pooled.stub.get(rpc.GetRequest(app_id=app_id())).app.status.assigned_cluster == ""
