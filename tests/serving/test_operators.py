"""Operators of clusters in processes of their own: leased once, worked on once, whichever is killed meanwhile."""

from __future__ import annotations

import asyncio
import runpy
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec, Status
from flyteidl2.app.app_payload_pb2 import (
    CreateEvent,
    CreateRequest,
    DeleteEvent,
    DeleteRequest,
    GetRequest,
    LeaseResponse,
    ListRequest,
    UpdateEvent,
    UpdateRequest,
    UpdateStatusRequest,
    WatchRequest,
    WatchResponse,
)
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.common.list_pb2 import ListRequest as Query
from flyteidl2.core.tasks_pb2 import Container

from .server_process import ServerProcess, eventually

LOGGING_OPERATOR = Path(__file__).parent / "logging_operator.py"
EXAMPLE = Path(__file__).parents[2] / "examples" / "app_operator.py"
APPS = 40
ACTIVE, STOPPED = Status.DEPLOYMENT_STATUS_ACTIVE, Status.DEPLOYMENT_STATUS_STOPPED

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts scripts, which are gone after the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(script: Path, *arguments: str) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([sys.executable, str(script), *arguments]))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def plane() -> Iterator[ServerProcess]:
    """A plane whose clusters come over the wire, and have two seconds for a lease."""
    server = ServerProcess(
        *("--data-plane", "none", "--pool", "default=east,west", "--lease-seconds", "2", "--clock", "realtime")
    )
    yield server
    server.stop()


def app_of(name: str, image: str = "example.org/image:1", *, stopped: bool = False) -> App:
    spec = Spec(container=Container(image=image))
    if stopped:
        spec.desired_state = Spec.DESIRED_STATE_STOPPED
    return App(metadata=Meta(id=Identifier(project="p", domain="d", name=name)), spec=spec)


def apps_on(client: AppServiceClientSync) -> list[App]:
    return list(client.list(ListRequest(org="flyte", request=Query(limit=2 * APPS))).apps)


def last(app: App) -> int:
    return app.status.conditions[-1].deployment_status


def words(log: Path, word: str) -> list[str]:
    """Return the apps that the log has that word of."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [name for said, _, name in (line.partition(" ") for line in lines) if said == word]


@pytest.mark.slow
def test_nothing_is_worked_on_by_two_when_an_operator_is_killed(
    plane: ServerProcess, start: Start, tmp_path: Path
) -> None:
    """One of two operators is killed while it holds leases: the other gets those, and every app is ACTIVE once."""
    client = AppServiceClientSync(plane.url)
    for number in range(APPS):
        client.create(CreateRequest(app=app_of(f"app-{number}")))
    east, west = tmp_path / "east", tmp_path / "west"
    doomed = start(LOGGING_OPERATOR, plane.url, "east", str(east), "5")
    eventually(lambda: bool(words(east, "stuck")), "the first operator never got stuck")
    held = [app for app in apps_on(client) if app.status.HasField("lease_expiration")]
    assert len(held) > 1, "it holds leases that it has not acknowledged"
    doomed.kill()
    start(LOGGING_OPERATOR, plane.url, "west", str(west))
    eventually(lambda: all(last(app) == ACTIVE for app in apps_on(client)), "not every app has become ACTIVE")
    assert len(apps_on(client)) == APPS
    for app in apps_on(client):
        reached = [each.deployment_status for each in app.status.conditions].count(ACTIVE)
        assert reached == 1, f"{app.metadata.id.name} has become ACTIVE {reached} times"
    by_east, by_west = words(east, "deployed"), words(west, "deployed")
    assert len(by_east) == 5
    assert sorted(by_east + by_west) == sorted(f"app-{number}" for number in range(APPS))
    assert {app.metadata.id.name for app in held} <= set(by_west), "what was leased to the dead one went to the other"
    by_cluster = {app.metadata.id.name: app.status.assigned_cluster for app in apps_on(client)}
    assert by_cluster == dict.fromkeys(by_east, "east") | dict.fromkeys(by_west, "west")


@pytest.mark.slow
def test_two_operators_share_the_apps(plane: ServerProcess, start: Start, tmp_path: Path) -> None:
    """Two operators that are there from the beginning work on each app once, and both get some."""
    client = AppServiceClientSync(plane.url)
    east, west = tmp_path / "east", tmp_path / "west"
    for log in (east, west):
        start(LOGGING_OPERATOR, plane.url, log.name, str(log))
    for log in (east, west):  # each has shown that it is there
        name = f"first-of-{log.name}"
        app = app_of(name)
        app.spec.cluster = log.name
        client.create(CreateRequest(app=app))
        eventually(lambda log=log, name=name: name in words(log, "deployed"), "an operator isn't there")
    for number in range(APPS):
        client.create(CreateRequest(app=app_of(f"app-{number}")))
    eventually(lambda: all(last(app) == ACTIVE for app in apps_on(client)), "not every app has become ACTIVE")
    done = [words(log, "deployed") for log in (east, west)]
    assert sorted([*done[0], *done[1]]) == sorted(app.metadata.id.name for app in apps_on(client))
    assert min(map(len, done)) > 1, "both had something to do"


def test_the_example_deploys_updates_and_stops(plane: ServerProcess, start: Start) -> None:
    """The example as it stands brings an app up, brings up its next revision, and stops it."""
    client = AppServiceClientSync(plane.url)
    start(EXAMPLE, plane.url, "west")
    app_id = client.create(CreateRequest(app=app_of("hello"))).app.metadata.id
    _wait(client, app_id, 1, ACTIVE)
    client.update(UpdateRequest(app=app_of("hello", "example.org/image:2")))
    _wait(client, app_id, 2, ACTIVE)
    client.update(UpdateRequest(app=app_of("hello", "example.org/image:2", stopped=True)))
    _wait(client, app_id, 3, STOPPED)
    stopped = client.get(GetRequest(app_id=app_id)).app
    assert (stopped.status.assigned_cluster, stopped.status.last_assigned_cluster) == ("", "west")
    client.update(UpdateRequest(app=app_of("hello", "example.org/image:3")))
    _wait(client, app_id, 4, ACTIVE)
    client.update(UpdateRequest(app=app_of("hello", "example.org/image:3", stopped=True)))
    client.delete(DeleteRequest(app_id=app_id))


def _wait(client: AppServiceClientSync, app_id: Identifier, revision: int, status: int) -> None:
    """Watch the app until that revision has that status."""
    for event in client.watch(WatchRequest(app_id=app_id), timeout_ms=20_000):
        app = event.create_event.app if event.HasField("create_event") else event.update_event.updated_app
        if app.metadata.revision == revision and last(app) == status:
            return
    raise AssertionError("the watch has ended")


class LateNews:
    """A plane that leased an app twice, since the first lease ran out; news of all that come when the work is done."""

    def __init__(self) -> None:
        self.reports: list[int] = []
        self._leased = app_of("late")
        self._leased.metadata.revision = 1
        self._leased.status.conditions.add(deployment_status=Status.DEPLOYMENT_STATUS_ASSIGNED)
        self._leased.status.lease_expiration.GetCurrentTime()

    async def lease(self, request: object) -> AsyncIterator[LeaseResponse]:
        yield LeaseResponse(apps=[self._leased])

    async def watch(self, request: object) -> AsyncIterator[WatchResponse]:
        taken = App()
        taken.CopyFrom(self._leased)
        taken.status.ClearField("lease_expiration")
        taken.status.conditions.add(deployment_status=Status.DEPLOYMENT_STATUS_PENDING)
        for _ in range(2):
            yield WatchResponse(create_event=CreateEvent(app=self._leased))
            yield WatchResponse(delete_event=DeleteEvent(app=self._leased))
        yield WatchResponse(create_event=CreateEvent(app=self._leased))
        yield WatchResponse(update_event=UpdateEvent(updated_app=taken, old_app=self._leased))
        yield WatchResponse(delete_event=DeleteEvent(app=taken))
        yield WatchResponse(create_event=CreateEvent(app=taken))

    async def update_status(self, request: UpdateStatusRequest) -> None:
        self.reports.append(last(request.app))


def test_news_of_a_lease_that_ran_out_come_late() -> None:
    """The example works once on an app that was leased again; on one that was deleted and created, once more."""
    operator: Any = runpy.run_path(str(EXAMPLE))["Operator"]("http://localhost:1", "west")
    plane = operator.plane = LateNews()

    async def run() -> None:
        await operator.take_leases()
        assert plane.reports.count(ACTIVE) == 1
        await operator.follow_changes()

    asyncio.run(run())
    assert plane.reports.count(ACTIVE) == 2
