"""Leases that are stolen: the cluster that has an app finds another one in its place."""

from __future__ import annotations

from typing import cast

import pytest
from flyteidl2.app.app_definition_pb2 import App, Status
from flyteidl2.app.app_payload_pb2 import LeaseRequest, LeaseResponse, UpdateStatusRequest, WatchRequest, WatchResponse
from flyteidl2.common.identifier_pb2 import ClusterIdentifier

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.inprocess.transport import DirectStream

from .calls import app_id, create, get, update
from .test_faults import code_of

PENDING = Status.DEPLOYMENT_STATUS_PENDING
ACTIVE = Status.DEPLOYMENT_STATUS_ACTIVE
STOPPED = 1
"""The desired state."""


def bare_plane() -> FakeControlPlane:
    """Return a plane of two clusters that come over the wire."""
    return FakeControlPlane(call_log=1_000, clock="manual", data_plane="none", pools={"default": ["east", "west"]})


def lease(plane: FakeControlPlane, cluster: str = "east") -> DirectStream[LeaseResponse]:
    """Open a Lease stream."""
    request = LeaseRequest(id=ClusterIdentifier(name=cluster, organization=plane.org))
    return cast("DirectStream[LeaseResponse]", plane.stub().lease(request))


def report(plane: FakeControlPlane, status: Status.DeploymentStatus, cluster: str = "east") -> str:
    """Report a status of the app, and return the code."""
    app = App()
    app.metadata.id.CopyFrom(app_id())
    app.spec.container.image = "x"
    app.status.assigned_cluster = cluster
    app.status.conditions.add(deployment_status=status)
    return code_of(lambda: plane.stub().update_status(UpdateStatusRequest(app=app)))


def shown(plane: FakeControlPlane) -> tuple[str, str]:
    """Return the app's status and its cluster."""
    status = plane.stub().get(get()).app.status
    return short_name(status.conditions[-1].deployment_status), status.assigned_cluster


@pytest.mark.parametrize("reports", [[], [PENDING], [PENDING, ACTIVE]])
def test_a_report_on_a_stolen_app_is_refused(reports: list[Status.DeploymentStatus]) -> None:
    """Before the lease is acknowledged and after, the app is another cluster's, and the report is refused."""
    with bare_plane() as plane, lease(plane) as stream:
        plane.stub().create(create())
        assert stream.receive(1).apps[0].status.assigned_cluster == "east"
        for each in reports:
            assert report(plane, each) == "OK"
        plane.faults.steal_lease(app="demo", cluster="west")
        assert report(plane, PENDING) == "FAILED_PRECONDITION"
        assert plane.calls.list("UpdateStatus")[-1].message == (
            "cluster 'east' does not hold app flyte/proj/dev/demo: cluster west does; lease it first"
        )
        assert shown(plane) == ("PENDING" if reports else "ASSIGNED", "west")


def test_a_cluster_that_lost_its_app_is_refused_until_it_leases_again() -> None:
    """Its Watch loses the app; a thief that never acknowledges loses it as well, and then the cluster may lease it."""
    with bare_plane() as plane, lease(plane) as stream:
        plane.stub().create(create())
        stream.receive(1)
        for each in (PENDING, ACTIVE):
            report(plane, each)
        target = WatchRequest(cluster_id=ClusterIdentifier(name="east", organization=plane.org))
        with cast("DirectStream[WatchResponse]", plane.stub().watch(target)) as watch:
            assert watch.receive(1).HasField("create_event")
            plane.faults.steal_lease(cluster="west", nth=2)
            assert report(plane, ACTIVE) == "OK"
            assert report(plane, ACTIVE) == "FAILED_PRECONDITION"
            assert watch.receive(1).HasField("delete_event")
        assert shown(plane) == ("PENDING", "west")
        assert report(plane, ACTIVE) == "FAILED_PRECONDITION"
        plane.clock.advance("61s")
        assert stream.receive(1).apps[0].metadata.id.name == "demo"
        assert (report(plane, ACTIVE), shown(plane)) == ("OK", ("ACTIVE", "east"))


def test_the_thief_itself_may_report() -> None:
    """Where the cluster of the rule reports, nothing is stolen from it, and its lease is acknowledged."""
    with bare_plane() as plane, lease(plane, "west") as stream:
        plane.stub().create(create())
        stream.receive(1)
        plane.faults.steal_lease(cluster="west")
        counter = plane.stub().get(get()).app.status.conditions[-1].revision
        assert report(plane, PENDING, "west") == "OK"
        assert plane.stub().get(get()).app.status.conditions[-1].revision == counter + 1
        assert shown(plane) == ("PENDING", "west")


def test_a_stolen_app_that_should_stop_stops_with_the_lease() -> None:
    """A stop survives a stolen lease: the app is STOPPED once the thief's lease is over."""
    with bare_plane() as plane, lease(plane) as stream:
        plane.stub().create(create())
        stream.receive(1)
        report(plane, ACTIVE)
        plane.stub().update(update(desired_state=STOPPED))
        assert report(plane, ACTIVE) == "OK"
        plane.faults.steal_lease(cluster="west", first=1)
        assert report(plane, Status.DEPLOYMENT_STATUS_STOPPED) == "FAILED_PRECONDITION"
        plane.clock.advance("61s")
        assert shown(plane) == ("STOPPED", "")


def test_an_app_is_stolen_from_the_simulated_cluster() -> None:
    """The simulated cluster starts the app anew, once the thief's lease has run out."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        plane.stub().create(create())
        plane.clock.advance_until(app="demo", status="ACTIVE")
        plane.faults.steal_lease(cluster="west", first=1)
        assert report(plane, ACTIVE) == "FAILED_PRECONDITION"
        plane.clock.advance("30s")
        assert shown(plane) == ("PENDING", "west")
        plane.clock.advance("31s")
        plane.clock.advance_until(app="demo", status="ACTIVE")
        assert shown(plane) == ("ACTIVE", "simulated")


def test_nothing_is_stolen_where_nothing_is_held() -> None:
    """An app without a cluster stays so, and an unknown one is NOT_FOUND as without the rule."""
    with bare_plane() as plane:
        plane.faults.steal_lease(cluster="west")
        assert report(plane, PENDING) == "NOT_FOUND"
        plane.stub().create(create())
        assert report(plane, PENDING) == "FAILED_PRECONDITION"
        assert shown(plane) == ("UNASSIGNED", "")


def test_rules_that_cannot_steal() -> None:
    """Another RPC, a cluster without a name, and a dialect without leases are refused with the reason."""
    with bare_plane() as plane:
        with pytest.raises(ValueError, match="steal_lease is for UpdateStatus alone, and not for Lease"):
            plane.faults.steal_lease("Lease", cluster="west")
        with pytest.raises(ValueError, match="needs the name of a cluster"):
            plane.faults.steal_lease(cluster="")
        assert plane.faults.list() == []
    with (
        FakeControlPlane(dialect="flyte-oss") as plane,
        pytest.raises(ValueError, match="has no leases, so that none can be stolen"),
    ):
        plane.faults.steal_lease(cluster="west")
