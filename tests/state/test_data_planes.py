"""A plane that goes on from the state of another one: its apps are run by the data plane that is there now."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flyteidl2.app.app_definition_pb2 import Status
from processes.running import SERVE, Apps, body, script, until

from flyteapps import Client, DeploymentStatus, new_app
from flyteapps.client import App
from flyteapps.errors import Error
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.directory.errors import DiskFull
from flyteapps_fake.directory.state_directory import StateDirectory
from flyteapps_fake.processes import running_app
from flyteapps_fake.saving import saver

HTTP_PORT = 8080
WEB = f"web-{os.getpid()}"
"""An app whose port is drawn from its name: no other process of tests has the same."""


def client_of(plane: FakeControlPlane) -> Client:
    return Client(transport=plane.transport(), project="p", domain="d")


def reached(client: Client, name: str = WEB) -> list[str]:
    """Return the statuses that an app has had, the oldest first."""
    conditions = client.apps.get(name).pb2.status.conditions
    return [
        Status.DeploymentStatus.Name(each.deployment_status).removeprefix("DEPLOYMENT_STATUS_") for each in conditions
    ]


@pytest.fixture
def simulated() -> Iterator[FakeControlPlane]:
    with FakeControlPlane(ingress_port=HTTP_PORT) as plane:
        yield plane


def test_apps_of_the_simulated_cluster_really_run(simulated: FakeControlPlane) -> None:
    """Apps of the simulated cluster run on this machine, each under a port of its own, from PENDING on."""
    client = client_of(simulated)
    client.apps.create(new_app(WEB, image="i", port=8080, command=script(SERVE))).watch()
    client.apps.create(new_app("idle", image="i", port=8080, command=script(SERVE))).watch().deactivate(wait=True)
    with Apps() as apps:
        apps.plane.load_document(simulated.document())
        web = apps.client.apps.get(WEB).watch()
        assert body(web) == b"ok"
        assert apps.condition("idle").status == "STOPPED"
        apps.client.apps.get("idle").activate(wait=True)
        apps.delete("idle")


def test_apps_that_ran_are_simulated() -> None:
    """An app that ran on this machine is simulated from PENDING on, and its URL is that of a simulated app."""
    with Apps() as apps:
        apps.started(WEB)
        document = apps.plane.document()
    with FakeControlPlane(ingress_port=HTTP_PORT) as plane:
        plane.load_document(document)
        client = client_of(plane)
        assert reached(client)[-2:] == ["ACTIVE", "PENDING"]
        assert client.apps.get(WEB).watch().endpoint.startswith(f"http://localhost:{HTTP_PORT}/apps/{WEB}-")
        client.apps.get(WEB).deactivate(wait=True)
        client.apps.delete(WEB)


def test_without_a_cluster_apps_wait_for_one(simulated: FakeControlPlane) -> None:
    """A plane without a cluster of its own leases them to the first that comes."""
    client_of(simulated).apps.create(new_app(WEB, image="i")).watch()
    with FakeControlPlane(data_plane="none") as plane:
        plane.load_document(simulated.document())
        found = client_of(plane).apps.get(WEB).pb2.status
        assert found.assigned_cluster == ""
        assert reached(client_of(plane))[-1] == "PENDING"


def test_processes_are_started_anew() -> None:
    """A plane that goes on from the state of one that ran apps starts them under the ports that they had."""
    with Apps() as apps:
        endpoint = apps.started(WEB).endpoint
        apps.started("stopped")
        apps.stop("stopped")
        document = apps.plane.document()
    with Apps() as apps:
        apps.plane.load_document(document)
        statuses = reached(apps.client)
        assert statuses[statuses.index("ACTIVE") + 1] == "PENDING"
        web = apps.client.apps.get(WEB).watch()
        assert web.endpoint == endpoint and body(web) == b"ok"
        assert apps.condition("stopped").status == "STOPPED"
        assert apps.replicas("stopped") == []


def test_an_app_that_was_being_stopped_is_stopped(simulated: FakeControlPlane) -> None:
    """An app that should stop is STOPPED, on whatever runs the others."""
    with FakeControlPlane(clock="manual") as plane:
        client = client_of(plane)
        app = client.apps.create(new_app(WEB, image="i"))
        plane.advance(60)
        app.deactivate()
        document = plane.document()
        assert reached(client)[-1] == "PENDING"
    with Apps() as apps:
        apps.plane.load_document(document)
        apps.reaches("STOPPED", WEB)
        apps.client.apps.delete(WEB)


@pytest.fixture
def apps() -> Iterator[Apps]:
    with Apps() as apps:
        yield apps


def test_a_restored_app_is_started_anew(apps: Apps) -> None:
    """A snapshot of an app that runs now in another revision: the one of the snapshot runs, and answers alone."""
    apps.started(WEB, text=SERVE.replace("serve()", "serve(b'one')"))
    apps.plane.take_snapshot("one")
    apps.started(WEB, text=SERVE.replace("serve()", "serve(b'two')"))
    apps.plane.restore_snapshot("one")
    assert body(apps.client.apps.get(WEB).watch()) == b"one"
    apps.plane.restore_snapshot("one")
    assert body(apps.client.apps.get(WEB).watch()) == b"one"


def test_a_kept_state(tmp_path: Path) -> None:
    """A plane in process goes on from its directory: its apps run anew, in a directory below."""
    with running(tmp_path) as apps:
        endpoint = apps.started(WEB).endpoint
    with running(tmp_path) as apps:
        web = apps.client.apps.get(WEB).watch()
        assert web.endpoint == endpoint and body(web) == b"ok"
        assert apps.data_plane.directories.root == tmp_path / "state" / "apps"


def test_reports_wait_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that ends while no change can be saved is started again, and what it does is reported afterwards."""
    monkeypatch.setattr(running_app, "LONG_SECONDS", 0.05)
    monkeypatch.setattr(saver, "RETRY_SECONDS", 0.05)
    write = StateDirectory.write
    with running(tmp_path) as apps:
        apps.started(WEB)
        pid = apps.pid(WEB)

        def fails(self: StateDirectory, *_: Any) -> None:
            raise DiskFull(self.path, "planted")

        monkeypatch.setattr(StateDirectory, "write", fails)
        os.kill(pid, signal.SIGKILL)
        until(lambda: apps.replica(WEB).program is not None and apps.replica(WEB).is_ready and apps.pid(WEB) != pid)
        monkeypatch.setattr(StateDirectory, "write", write)
        apps.reaches("ACTIVE", WEB, substate="RUNNING")
        stopped = until(lambda: stops(apps))
        assert stopped.deployment_status == DeploymentStatus.STOPPED


def running(tmp_path: Path) -> Apps:
    """Return a plane that runs apps, and keeps its state."""
    return Apps(state=tmp_path / "state")


def stops(apps: Apps) -> App | None:
    """Return the app, stopped, once the plane takes changes again."""
    try:
        return apps.client.apps.get(WEB).deactivate(wait=True)
    except Error:
        return None
