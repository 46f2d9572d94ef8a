"""An operator of a cluster: it leases apps, "deploys" them to a dict, and reports their states.

Start the stand-in without its simulated cluster: flyteapps serve --data-plane none --pool default=east,west
Then run: python examples/app_operator.py http://localhost:8090 east (the defaults)
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable

from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Spec, Status
from flyteidl2.app.app_payload_pb2 import LeaseRequest, UpdateStatusRequest, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.common.identifier_pb2 import ClusterIdentifier

ASSIGNED, PENDING = Status.DEPLOYMENT_STATUS_ASSIGNED, Status.DEPLOYMENT_STATUS_PENDING
DEPLOYING, ACTIVE = Status.DEPLOYMENT_STATUS_DEPLOYING, Status.DEPLOYMENT_STATUS_ACTIVE


def is_cancelled() -> bool:
    """Return whether the task was cancelled, as by Ctrl-C: connectrpc makes an error of it, or the end of a stream."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Operator:
    """An operator of one cluster."""

    def __init__(self, url: str = "http://localhost:8090", cluster: str = "east") -> None:
        self.plane, self.cluster = AppServiceClient(url), ClusterIdentifier(name=cluster)
        self.deployed: dict[str, App] = {}
        self.begun: dict[str, int] = {}  # the revision that was begun last: each is worked on once

    async def run(self) -> None:
        """Lease apps and follow their changes until cancelled."""
        print(f"{self.cluster.name}: waiting for apps")
        await asyncio.gather(self.repeat(self.take_leases), self.repeat(self.follow_changes))

    async def repeat(self, listen: Callable[[], Awaitable[None]]) -> None:
        """Open a stream, and another when it ends, as by a restart of the plane; each begins with the present state."""
        while True:
            try:
                await listen()
            except ConnectError as error:
                if not is_cancelled():
                    print(f"{error.code.name}: {error.message}; trying again", file=sys.stderr)
            if is_cancelled():
                return
            await asyncio.sleep(0.2)

    async def take_leases(self) -> None:
        """Work on each leased app."""
        async for message in self.plane.lease(LeaseRequest(id=self.cluster)):
            for app in message.apps:
                print(f"{app.metadata.id.name}: leased, revision {app.metadata.revision}")
                await self.work_on(app)

    async def follow_changes(self) -> None:
        """Work on the changes of this cluster's apps."""
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
        """Bring the app where its spec says, and report each step."""
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
        except ConnectError as error:  # the app has a newer revision, or belongs to another cluster
            if is_cancelled():
                raise
            self.begun.pop(name, None)
            print(f"{app.metadata.id.name}: {error.message}", file=sys.stderr)

    async def report(self, app: App, status: Status.DeploymentStatus, replicas: int = 0) -> None:
        """Report the status of an app."""
        reported = Status(assigned_cluster=self.cluster.name, current_replicas=replicas)
        reported.conditions.add(deployment_status=status)
        message = App(metadata=app.metadata, spec=app.spec, status=reported)
        await self.plane.update_status(UpdateStatusRequest(app=message))
        state = Status.DeploymentStatus.Name(status).removeprefix("DEPLOYMENT_STATUS_")
        print(f"{app.metadata.id.name}: reported {state}")

    def deploy(self, app: App) -> None:
        """Deploy the app: yours here."""
        self.deployed[str(app.metadata.id)] = app

    def remove(self, app: App) -> str:
        """Remove the app: yours here."""
        self.deployed.pop(str(app.metadata.id), None)
        return str(app.metadata.id)


if __name__ == "__main__":
    if len(sys.argv) > 3 or sys.argv[1:] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Operator(*sys.argv[1:]).run())
