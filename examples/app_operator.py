"""An operator: leases apps, "deploys" them to a dict, reports. Run: app_operator.py http://localhost:8090 east"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Spec, Status
from flyteidl2.app.app_payload_pb2 import LeaseRequest, UpdateStatusRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.common.identifier_pb2 import ClusterIdentifier

ASSIGNED, PENDING = Status.DEPLOYMENT_STATUS_ASSIGNED, Status.DEPLOYMENT_STATUS_PENDING
DEPLOYING, ACTIVE = Status.DEPLOYMENT_STATUS_DEPLOYING, Status.DEPLOYMENT_STATUS_ACTIVE


class Operator:
    def __init__(self, url: str, cluster: str) -> None:
        self.plane, self.cluster = AppServiceClient(url), ClusterIdentifier(name=cluster)
        self.deployed: dict[str, App] = {}
        self.begun: dict[str, int] = {}  # the revision that was begun last: each is worked on once

    async def run(self) -> None:
        await asyncio.gather(self.for_ever(self.take_leases), self.for_ever(self.follow_changes))

    async def for_ever(self, listen: Callable[[], Awaitable[None]]) -> None:
        while True:  # a stream ends when the plane restarts; the next one begins with what is there then
            try:
                await listen()
            except ConnectError as error:
                print(f"{error.code.name}: {error.message}; trying again", file=sys.stderr)
            await asyncio.sleep(0.2)

    async def take_leases(self) -> None:
        async for message in self.plane.lease(LeaseRequest(id=self.cluster)):
            for app in message.apps:
                await self.work_on(app)

    async def follow_changes(self) -> None:
        async for event in self.plane.watch(WatchRequest(cluster_id=self.cluster)):
            gone = event.HasField("delete_event")
            shown = event.delete_event if gone else event.create_event
            app = event.update_event.updated_app if event.HasField("update_event") else shown.app
            if app.status.HasField("lease_expiration"):
                continue  # a lease that comes by itself, or has run out: the app may have been leased again since
            if gone:  # or no longer this cluster's
                self.begun.pop(self.remove(app), None)
            else:
                await self.work_on(app)

    async def work_on(self, app: App) -> None:
        name, revision, last = str(app.metadata.id), app.metadata.revision, app.status.conditions[-1]
        if self.begun.get(name) == revision:
            return None
        self.begun[name] = revision
        try:
            if app.spec.desired_state == Spec.DESIRED_STATE_STOPPED:
                self.remove(app)
                return await self.report(app, Status.DEPLOYMENT_STATUS_STOPPED)
            if last.deployment_status in (ASSIGNED, PENDING):
                await self.report(app, PENDING)  # takes the lease
                await self.report(app, DEPLOYING)
            self.deploy(app)
            await self.report(app, ACTIVE, replicas=1)
        except ConnectError as error:  # it has moved on, or somebody else has it by now
            self.begun.pop(name, None)
            print(f"{app.metadata.id.name}: {error.message}", file=sys.stderr)

    async def report(self, app: App, status: Status.DeploymentStatus, replicas: int = 0) -> None:
        said = Status(assigned_cluster=self.cluster.name, current_replicas=replicas)
        said.conditions.add(deployment_status=status)
        await self.plane.update_status(UpdateStatusRequest(app=App(metadata=app.metadata, spec=app.spec, status=said)))

    def deploy(self, app: App) -> None:
        self.deployed[str(app.metadata.id)] = app

    def remove(self, app: App) -> str:
        self.deployed.pop(str(app.metadata.id), None)
        return str(app.metadata.id)


if __name__ == "__main__":
    asyncio.run(Operator(*sys.argv[1:]).run())
