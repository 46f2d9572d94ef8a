"""Planes that are driven by steps as data, so that the same steps can be taken by another plane.

A step is a name with arguments; its outcome is a value to compare. Nothing here asserts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.common import identifier_pb2, list_pb2
from flyteidl2.core import tasks_pb2

from flyteapps_control.api import ControlError
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, DELETE, GET, LEASE, LIST, TAIL_LOGS, UPDATE, UPDATE_STATUS
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.simulation.scenarios import LABEL

Step = tuple[Any, ...]

PROJECTS, NAMES, CLUSTERS = ("p", "q"), ("a", "b", "c", "d"), ("east", "west")
SORT_KEYS = ("created_at", "name", "updated_at", "status_phase", "revision")
STATUSES = {
    "PENDING": model.Status.DEPLOYMENT_STATUS_PENDING,
    "DEPLOYING": model.Status.DEPLOYMENT_STATUS_DEPLOYING,
    "ACTIVE": model.Status.DEPLOYMENT_STATUS_ACTIVE,
    "FAILED": model.Status.DEPLOYMENT_STATUS_FAILED,
    "STOPPED": model.Status.DEPLOYMENT_STATUS_STOPPED,
}
STOP, RUN = model.Spec.DESIRED_STATE_STOPPED, model.Spec.DESIRED_STATE_ACTIVE
SETTLED = 4_000.0
"""Seconds after which every timer of these apps has fired, but for endless loops."""

_PENDING = {"state": "PENDING", "after": "1s"}
_ACTIVE = {"state": "ACTIVE", "substate": "RUNNING", "after": "1s", "jitter": "1s"}
_CRASH = {"state": "FAILED", "substate": "CRASH_LOOP", "after": "1s"}
_ROUND = [{**_CRASH, "message": "{round}, {wait}"}, _ACTIVE]
_LOTS = [{"weight": 1, "steps": [_CRASH]}, {"weight": 1, "steps": [_ACTIVE]}]
_LATE = [{"weight": 1, "steps": []}, {"weight": 99, "steps": [{**_ACTIVE, "after": "9s", "message": "late"}]}]
SCENARIOS: Mapping[str, Any] = {
    "scenarios": {
        "looping": {
            "steps": [
                _PENDING,
                {"loop": {"steps": _ROUND, "times": 3, "after": "2s", "longest": "9s"}},
            ]
        },
        "choosing": {"steps": [_PENDING, {"choose": _LOTS}, {"choose": _LATE}]},
        "logging": {"steps": [_PENDING, {**_ACTIVE, "logs": ["hello", "world"]}, {**_CRASH, "logs": ["goodbye"]}]},
        "first": {"steps": [_PENDING, _CRASH], "then": "second"},
        "second": {"steps": [_PENDING, _ACTIVE]},
    }
}
KINDS = ("", "looping", "choosing", "logging", "first", "idle", "stopped", "east", "pool")
"""The kinds of apps: by their scenario, by that they scale to zero or are stopped, or by the cluster that they want."""
HOSTS = ("", "one", "two", "three")
"""The subdomain of an app, and its CNAME, which is called after it; drawn for none."""


def new_plane(seed: int = 0, **options: Any) -> FakeControlPlane:
    """Return a plane that steps can drive."""
    settings: dict[str, Any] = {"clock": "manual", "scenarios": SCENARIOS, "base_domain": "apps.test", **options}
    return FakeControlPlane(seed=seed, **settings)


def bare(document: PlaneState) -> PlaneState:
    """Return a document without what is of its writing alone, and with its pieces in order."""
    document.time.wall = 0
    document.written_by = ""
    document.standard_apps.sort(key=lambda each: (each.project, each.domain, each.name))
    document.deleted_ids.sort(key=lambda each: each.digest)
    return document


def app_id(project: str, name: str) -> model.Identifier:
    """Return an id; without an org, which the plane fills in."""
    return model.Identifier(project=project, domain="dev", name=name)


def app_of(project: str, name: str, kind: str, host: str, image: str) -> model.App:
    """Return an app of a kind."""
    app = model.App(metadata=model.Meta(id=app_id(project, name)))
    app.spec.container.CopyFrom(tasks_pb2.Container(image=image))
    app.spec.desired_state = STOP if kind == "stopped" else RUN
    if kind in SCENARIOS["scenarios"]:
        app.metadata.labels[LABEL] = kind
    if kind == "idle":
        app.spec.autoscaling.replicas.min = 0
        app.spec.autoscaling.replicas.max = 3
        app.spec.autoscaling.scaledown_period.seconds = 30
    if kind == "east":
        app.spec.cluster = "east"
    if kind == "pool":
        app.spec.cluster_pool = "west"
    if host:
        app.spec.ingress.subdomain = host
        app.spec.ingress.cname = f"{host}.example"
    return app


class Driven:
    """A plane that takes steps."""

    def __init__(self, plane: FakeControlPlane) -> None:
        self.plane = plane
        self.streams: dict[str, OpenStream] = {}

    def take(self, step: Step) -> Any:
        """Take a step; return its outcome, with all that open Lease streams bring by then."""
        name, *arguments = step
        try:
            outcome = getattr(self, name)(*arguments)
        except RpcError as error:
            outcome = f"{error.code.name}: {error}"
        except ControlError as error:
            outcome = f"{error.code}: {error}"
        return outcome, self.leased()

    # ---- calls

    def create(self, project: str, name: str, kind: str = "", host: str = "") -> bytes:
        """Create an app."""
        return self.plane.call(Call(CREATE, rpc.CreateRequest(app=app_of(project, name, kind, host, "img:1"))))

    def update(self, project: str, name: str, kind: str, host: str, image: str) -> bytes:
        """Update an app."""
        return self.plane.call(Call(UPDATE, rpc.UpdateRequest(app=app_of(project, name, kind, host, image))))

    def switch(self, project: str, name: str) -> bytes:
        """Stop an app that should run, and start one that shouldn't."""
        app = self._app(project, name)
        app.spec.desired_state = RUN if app.spec.desired_state == STOP else STOP
        return self.plane.call(Call(UPDATE, rpc.UpdateRequest(app=app)))

    def delete(self, project: str, name: str) -> bytes:
        """Delete an app."""
        return self.plane.call(Call(DELETE, rpc.DeleteRequest(app_id=app_id(project, name))))

    def remove(self, project: str, name: str) -> None:
        """Remove an app in any state."""
        self.plane.remove_apps(AppSelector(project=project, name=name))

    def report(self, project: str, name: str, cluster: str, status: str, replicas: int = 1, vpc: str = "") -> bytes:
        """Report on an app as a cluster does."""
        app = self._app(project, name)
        del app.status.conditions[:]
        app.metadata.revision = 0
        app.status.Clear()
        app.status.assigned_cluster = cluster
        app.status.current_replicas = replicas
        app.status.ingress.vpc_url = vpc
        app.status.conditions.add(deployment_status=STATUSES[status], message=f"{status} in {cluster}")
        return self.plane.call(Call(UPDATE_STATUS, rpc.UpdateStatusRequest(app=app)))

    def get(self, project: str, name: str) -> bytes:
        """Return an app."""
        return self.plane.call(Call(GET, rpc.GetRequest(app_id=app_id(project, name))))

    def list(self, key: str, ascending: bool = True, scope: str = "org", status: str = "") -> bytes:
        """Return apps in an order, of all or of a scope, and of a status alone."""
        direction = list_pb2.Sort.ASCENDING if ascending else list_pb2.Sort.DESCENDING
        query = list_pb2.ListRequest(sort_by=list_pb2.Sort(key=key, direction=direction), limit=50)
        if status:
            query.filters.add(field="status_phase", function=list_pb2.Filter.EQUAL, values=[status])
        request = rpc.ListRequest(request=query, org=self.plane.org, include_total_count=True)
        if scope in PROJECTS:
            request.project.CopyFrom(
                identifier_pb2.ProjectIdentifier(name=scope, domain="dev", organization=self.plane.org)
            )
        elif scope != "org":
            request.cluster_id.CopyFrom(identifier_pb2.ClusterIdentifier(name=scope, organization=self.plane.org))
        return self.plane.call(Call(LIST, request))

    def lease(self, cluster: str) -> None:
        """Open the Lease stream of a cluster, unless it is open."""
        if cluster not in self.streams:
            request = rpc.LeaseRequest(id=identifier_pb2.ClusterIdentifier(name=cluster, organization=self.plane.org))
            self.streams[cluster] = self.plane.open(Call(LEASE, request))

    def leave(self, cluster: str) -> None:
        """Close the Lease stream of a cluster."""
        if cluster in self.streams:
            self.streams.pop(cluster).close()

    def ask(self, project: str, name: str) -> bytes | None:
        """Send a request to an app's URL."""
        return self.plane.ask(self._host(self._app(project, name)))

    def declare(self, name: str, load: str) -> None:
        """Declare the load of apps of a name."""
        self.plane.loads.set(load, app=name)

    def use(self, name: str, scenario: str, times: int) -> None:
        """Let the next starts of apps of a name get a scenario."""
        self.plane.scenarios.use(scenario, app=name, times=times)

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.plane.advance(seconds)

    def reset_project(self, project: str) -> int:
        """Reset a project; every Lease stream ends."""
        return self._ended(self.plane.reset_state(project))

    def restored(self) -> None:
        """Do to streams what a return to another state does, without one."""
        self._ended()

    # ---- what is there

    def leased(self) -> list[bytes]:
        """Return all that open Lease streams bring."""
        return [each for stream in self.streams.values() for each in _messages(stream)]

    def log(self, project: str, name: str) -> list[bytes]:
        """Return the log of an app, with the names of its replicas."""
        stream = self.plane.open(Call(TAIL_LOGS, TailLogsRequest(app_id=app_id(project, name))))
        try:
            return list(_messages(stream))
        finally:
            stream.close()

    def document(self) -> PlaneState:
        """Return the plane's document, without what is of its writing alone."""
        return bare(self.plane.document())

    def hosts(self) -> dict[str, bytes | None]:
        """Return the app of each host that apps may share."""
        hosts = (f"{label}.{base}" for label in HOSTS[1:] for base in ("apps.test", "example"))
        return {f"host {each}": self.plane.find_by_host(each) for each in hosts}

    def seen(self) -> dict[str, Any]:
        """Return all that clients see of the plane, by what it is."""
        found: dict[str, Any] = {
            "now": self.plane.now_ns(),
            "timers": self.plane.pending_timers(),
            "org": self.plane.org,
        }
        for scope in ("org", *PROJECTS, *CLUSTERS, "simulated"):
            for key in SORT_KEYS:
                for ascending in (True, False):
                    found[f"list {scope} {key} {ascending}"] = self._try(self.list, key, ascending, scope)
        for status in STATUSES:
            found[f"list {status}"] = self._try(self.list, "name", True, "org", status)
        found |= self.hosts()
        for project in PROJECTS:
            for name in NAMES:
                app = found[f"app {project}/{name}"] = self._try(self.get, project, name)
                found[f"log {project}/{name}"] = self._try(self.log, project, name)
                if isinstance(app, bytes):
                    found[f"host of {project}/{name}"] = self.plane.find_by_host(self._host(self._app(project, name)))
        found["projects"], found["count"] = self.plane.projects(), self.plane.count()
        return found

    def _try(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except RpcError as error:
            return f"{error.code.name}: {error}"

    def _app(self, project: str, name: str) -> model.App:
        return rpc.GetResponse.FromString(self.get(project, name)).app

    def _host(self, app: model.App) -> str:
        return app.status.ingress.public_url.partition("//")[2].partition("/")[0].partition(":")[0]

    def _ended(self, outcome: Any = None) -> Any:
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.close()
        return outcome


def _messages(stream: OpenStream) -> Iterator[bytes]:
    with contextlib.suppress(EOFError):
        while (message := stream.take()) is not None:
            yield message
