"""The timers of a plane: data that can be listed, with app and reason."""

from __future__ import annotations

from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.identifier_pb2 import ClusterIdentifier

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import LEASE

from .api import Api


def test_the_next_step_of_an_app_is_listed(api: Api) -> None:
    """A pending timer has its app, its time and its reason, the earliest first."""
    assert api.plane.pending_timers() == []
    api.create(name="a")
    step, lease = api.plane.pending_timers()
    assert (str(step.app), step.reason) == ("proj/dev/a", "the simulated cluster reports its next state")
    assert (str(lease.app), lease.reason) == ("proj/dev/a", "its lease runs out")
    assert api.plane.now_ns() <= step.due < lease.due
    api.settle()
    assert [each.reason for each in api.plane.pending_timers()] == ["it scales down, unless it was asked for"]


def test_a_lease_is_listed() -> None:
    """A lease that isn't acknowledged is listed under its app until it runs out."""
    with FakeControlPlane(clock="manual", org="acme", data_plane="none", lease_seconds=60.0) as plane:
        api = Api(plane)
        api.create(name="a")
        stream = plane.open(Call(LEASE, rpc.LeaseRequest(id=ClusterIdentifier(name="default"))))
        assert stream.take()
        (pending,) = plane.pending_timers()
        assert (str(pending.app), pending.reason) == ("proj/dev/a", "its lease runs out")
        stream.close()


def test_a_cached_answer_is_listed() -> None:
    """An answer to Get that flyte-oss keeps is listed beside the rollout of its app."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as plane:
        api = Api(plane)
        api.create(name="a")
        api.get("a")
        reasons = {each.reason: str(each.app) for each in plane.pending_timers()}
        assert reasons["its cached answer to Get expires"] == "proj/dev/a"
        assert "the operator reports the next state of its rollout" in reasons
