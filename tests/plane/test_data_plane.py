"""The data plane's side beyond what the contract's checks see: streams that vanish, who is served first, settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as rpc_logs
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.identifier_pb2 import ClusterIdentifier
from flyteidl2.logs.dataplane import payload_pb2 as logs

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import LEASE, TAIL_LOGS
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.streams import OpenStream

from .api import Api, app_id, statuses
from .conftest import Refusal

ACTIVE = model.Status.DEPLOYMENT_STATUS_ACTIVE


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane without a cluster of its own; two that come over the wire serve its default pool."""
    with FakeControlPlane(
        clock="manual", org="acme", data_plane="none", pools={"default": ["east", "west"]}, lease_seconds=60
    ) as fresh:
        yield fresh


def lease(plane: FakeControlPlane, cluster: str) -> OpenStream:
    """Return a Lease stream of that cluster."""
    return plane.open(Call(LEASE, rpc.LeaseRequest(id=ClusterIdentifier(name=cluster))))


def taken(stream: OpenStream) -> list[model.App]:
    """Return the apps that the stream is sent now."""
    apps: list[model.App] = []
    while (message := stream.take()) is not None:
        apps += rpc.LeaseResponse.FromString(message).apps
    return apps


def leased(api: Api, plane: FakeControlPlane) -> model.App:
    """Return a new app `a`, leased by a stream of east that is closed by now."""
    stream = lease(plane, "east")
    api.create(name="a")
    [app] = taken(stream)
    stream.close()
    return app


def read(stream: OpenStream) -> int:
    """Return the number of messages that the stream has now."""
    count = 0
    while stream.take() is not None:
        count += 1
    return count


def say(api: Api, app: model.App, status: int, cluster: str = "east", **said: object) -> model.App:
    """Send the cluster's report; return the app as it is then."""
    report = model.App(metadata=app.metadata, spec=app.spec, status=model.Status(assigned_cluster=cluster, **said))  # pyright: ignore[reportArgumentType]
    report.status.conditions.add(deployment_status=status)  # pyright: ignore[reportArgumentType]
    return api.stub.update_status(rpc.UpdateStatusRequest(app=report)).app


def run(api: Api, app: model.App, cluster: str = "east") -> model.App:
    """Let the cluster take the app and run it; return the app as it is then."""
    say(api, app, model.Status.DEPLOYMENT_STATUS_PENDING, cluster)
    return say(api, app, ACTIVE, cluster, current_replicas=1)


def test_what_a_stream_was_never_sent_goes_back_when_it_is_closed(api: Api, plane: FakeControlPlane) -> None:
    """A cluster that vanishes before it has read its leases never held them: the next one gets them at once."""
    first = lease(plane, "east")
    for name in ("a", "b"):
        api.create(name=name)
    first.close()
    assert statuses(api.get("a")) == ["UNASSIGNED", "ASSIGNED", "UNASSIGNED"]
    second = lease(plane, "west")
    assert [app.metadata.id.name for app in taken(second)] == ["a", "b"]
    second.close()


def test_what_a_stream_was_sent_stays_leased_when_it_is_closed(api: Api, plane: FakeControlPlane) -> None:
    """A cluster whose stream breaks may still acknowledge what it has read."""
    app = leased(api, plane)
    assert statuses(say(api, app, model.Status.DEPLOYMENT_STATUS_PENDING)) == ["UNASSIGNED", "ASSIGNED", "PENDING"]


def test_a_cluster_that_lets_leases_run_out_comes_last(api: Api, plane: FakeControlPlane) -> None:
    """An app that one cluster doesn't acknowledge goes to the other one, time after time."""
    dead, alive = lease(plane, "east"), lease(plane, "west")
    api.create(name="a")
    assert [app.metadata.id.name for app in taken(dead)] == ["a"]
    plane.advance(60)
    [app] = taken(alive)
    run(api, app, "west")
    api.create(name="b")
    assert (taken(dead), [app.metadata.id.name for app in taken(alive)]) == ([], ["b"])
    dead.close()
    alive.close()


def test_a_report_that_is_too_large_changes_nothing(api: Api, plane: FakeControlPlane) -> None:
    """A hundred conditions have to fit into an event, twice."""
    app = leased(api, plane)
    report = model.App(metadata=app.metadata, spec=app.spec, status=model.Status(assigned_cluster="east"))
    report.status.conditions.add(deployment_status=ACTIVE, message="é" * 2_049)
    before = api.get("a")
    with Refusal(Code.RESOURCE_EXHAUSTED) as refused:
        api.stub.update_status(rpc.UpdateStatusRequest(app=report))
    assert "4,096" in refused.message
    assert api.get("a") == before


def test_a_stopped_apps_logs_end(api: Api, plane: FakeControlPlane) -> None:
    """A live stream ends as it should once no replica is left, and what was logged is still there."""
    app = leased(api, plane)
    with pytest.raises(RpcError, match="never started"):
        plane.open(Call(TAIL_LOGS, _logs_of("a", logs.LIVE_OR_PERSISTED)))
    run(api, app)
    live = plane.open(Call(TAIL_LOGS, _logs_of("a", logs.LIVE_ONLY)))
    assert read(live) > 1, "the replicas, then lines"
    api.stop("a")
    say(api, api.get("a"), model.Status.DEPLOYMENT_STATUS_STOPPED)
    with pytest.raises(EOFError):
        read(live)
    live.close()
    with pytest.raises(RpcError, match="no live logs"):
        plane.open(Call(TAIL_LOGS, _logs_of("a", logs.LIVE_ONLY)))
    kept = plane.open(Call(TAIL_LOGS, _logs_of("a", logs.PERSISTED_ONLY)))
    assert kept.take() is not None
    kept.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data_plane": "real"}, "data_plane must be one of simulated, processes, none"),
        ({"lease_seconds": 0}, "lease_seconds must be over 0"),
        ({"pools": {"default": "east"}}, "must be a list of cluster names"),
        ({"pools": {"default": []}}, "at least one cluster"),
        ({"pools": {"": ["east"]}}, "a pool has a name"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, object], said: str) -> None:
    """A setting that can't be is an error which says what would do."""
    with pytest.raises(ValueError, match=said):
        Settings(**options)  # pyright: ignore[reportArgumentType]


def _logs_of(name: str, source: int) -> rpc_logs.TailLogsRequest:
    return rpc_logs.TailLogsRequest(app_id=app_id(name), source=source)  # pyright: ignore[reportArgumentType]
