"""One check's conversation with a plane: names of its own, calls, watches, waiting, and what has to be cleaned up.

Words that begin with `given` prepare: where they fail, the check is not judged. All other calls raise Refused.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2, list_pb2
from google.protobuf.message import Message

from flyteapps_contract import streams
from flyteapps_contract.catalogue.dialects import DIALECTS
from flyteapps_contract.outcomes import Broken, NotOffered, Refused
from flyteapps_contract.preparing import is_preparing
from flyteapps_contract.preparing import preparing as preparing
from flyteapps_contract.run import Limits as Limits
from flyteapps_contract.run import Run
from flyteapps_contract.streams import Leases, LogTail, OpenStream, Watcher
from flyteapps_contract.symptoms import Ability, Symptoms
from flyteapps_contract.targets.target import CALL_SECONDS, Capabilities, Plane, Throttle
from flyteapps_contract.unchanged import Comparison, text_of
from flyteapps_contract.waiting import watched

SERVICE = "flyteidl2.app.AppService"
LOGS_SERVICE = "flyteidl2.app.AppLogsService"
NOT_SERVED = "UNIMPLEMENTED"
"""The code of an RPC that a plane doesn't have."""
GONE = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
"""The codes of a plane that died."""
NO_ANSWER = (*GONE, "CANCELED", "CANCELLED")
"""Codes of calls with an unknown outcome; the last one as Connect and as gRPC spell it."""
NO_NAME = "invalid resource name"
"""Words of a cluster about the id of an app that it can't have."""
ATTEMPTS = 5
"""The number of attempts of a write that meets one of the cluster's each time."""
MOMENT = 0.01
"""Virtual seconds after which a write of the cluster's is over."""
UNANSWERED_SECONDS = 0.5
"""Real seconds in which an interrupted Create may be carried out yet."""
STEP = 1.0
"""Virtual seconds that a movable clock is advanced while a check waits."""

RUN = model.Spec.DESIRED_STATE_ACTIVE
STARTED = model.Spec.DESIRED_STATE_STARTED
UNSPECIFIED = model.Spec.DESIRED_STATE_UNSPECIFIED
STOP = model.Spec.DESIRED_STATE_STOPPED

ACTIVE = model.Status.DEPLOYMENT_STATUS_ACTIVE
FAILED = model.Status.DEPLOYMENT_STATUS_FAILED
STOPPED = model.Status.DEPLOYMENT_STATUS_STOPPED
UNASSIGNED = model.Status.DEPLOYMENT_STATUS_UNASSIGNED
ASSIGNED = model.Status.DEPLOYMENT_STATUS_ASSIGNED
PENDING = model.Status.DEPLOYMENT_STATUS_PENDING
DEPLOYING = model.Status.DEPLOYMENT_STATUS_DEPLOYING
REST = (ACTIVE, FAILED, STOPPED)

M = TypeVar("M", bound=Message)
O = TypeVar("O", bound=OpenStream)  # noqa: E741  # any kind of open stream


class Session:
    """One check's conversation with a plane."""

    def __init__(self, plane: Plane, run: Run) -> None:
        self.plane = plane
        self.capabilities = plane.capabilities
        self.run = run
        self.project = run.project or f"{run.prefix}-p{run.number()}"
        self.domain = run.domain
        self._throttle = Throttle(run.limits.calls_per_second)
        self._created: dict[str, model.Identifier] = {}
        self._streams: list[OpenStream] = []
        self._marker: model.App | None = None
        self.advanced = 0.0  # seconds by which the plane's clock was moved
        run.unfinished[id(self)] = (plane.link, self._created)
        self.faults = run.faults or {}
        self.symptoms = Symptoms(self.faults)
        self.attempts = ATTEMPTS
        """The attempts of a write that meets one of the cluster's each time; 1 where a refusal is an answer."""

    # ---- requests

    def name(self, tail: str = "") -> str:
        """Return an unused name that ends in `tail`."""
        return f"{self.run.prefix}-{self.run.number()}{tail}"

    def id(self, name: str | None = None, **where: str) -> model.Identifier:
        """Return an id in this session's project; without a name, a new one."""
        places = {"org": self.run.org, "project": self.project, "domain": self.domain, **where}
        return model.Identifier(name=name if name is not None else self.name(), **places)

    def app(
        self,
        name: str | None = None,
        *,
        image: str = "img:1",
        state: int = RUN,
        labels: dict[str, str] | None = None,
        **where: str,
    ) -> model.App:
        """Return a small valid app, not yet created; its desired state is ACTIVE by default."""
        app = model.App(metadata=model.Meta(id=self.id(name, **where), labels=labels))
        app.spec.container.image = image
        app.spec.container.args.append("serve")
        app.spec.desired_state = state  # type: ignore[assignment]  # an enum value of protobuf is a plain int
        return app

    def scope(self, project: str | None = None) -> identifier_pb2.ProjectIdentifier:
        """Return this session's project, as List and Watch take it."""
        name = self.project if project is None else project
        return identifier_pb2.ProjectIdentifier(organization=self.run.org, name=name, domain=self.domain)

    def cluster(self, name: str) -> identifier_pb2.ClusterIdentifier:
        """Return a cluster, as List, Watch and Lease take it."""
        return identifier_pb2.ClusterIdentifier(organization=self.run.org, name=name)

    # ---- calls; they raise Refused

    def call(self, method: str, request: Message, response: type[M], *, seconds: float = CALL_SECONDS) -> M:
        """Return one unary call of AppService."""
        if isinstance(request, rpc.CreateRequest):
            limit = self.run.limits.apps
            if limit and len(self._created) >= limit:
                raise NotOffered(f"needs more than the {limit} apps that this run may have at once")
            key = _whole(request.app.metadata.id)
            self._created[key] = request.app.metadata.id
            with self._unanswered_while(key):
                answer = self._answer(method, request, response, seconds)
        else:
            answer = self._answer(method, request, response, seconds)
        if not isinstance(answer, response):
            raise Broken(f"{method} answered with {type(answer).__name__}")
        if isinstance(request, rpc.DeleteRequest):
            self._created.pop(_whole(request.app_id), None)
        return answer

    def _answer(self, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return the answer; a write that met one of the cluster's is made again."""
        words = DIALECTS[self.capabilities.dialect].conflict
        for attempt in range(self.attempts):
            self._throttle.wait()
            self.run.ending.require_time()
            try:
                return self.symptoms.call(
                    method, request, lambda: self.plane.link.unary(SERVICE, method, request, response, seconds)
                )
            except Refused as error:
                self.run.ending.require_time()  # a call that was ended has no answer
                if not words or words not in error.message or attempt == self.attempts - 1:
                    raise
            if self.capabilities.clock:
                self.advance(MOMENT)
        raise AssertionError("the last attempt was answered")

    @contextlib.contextmanager
    def _unanswered_while(self, key: str) -> Generator[None]:
        """Record a Create as unanswered until it is answered, or refused."""
        self.run.unanswered.add(key)
        try:
            yield
        except Refused:
            self.run.unanswered.discard(key)
            raise
        self.run.unanswered.discard(key)

    def may_have(self, app_id: model.Identifier) -> None:
        """Register the app for the clean-up at the end, whatever created and deleted it."""
        self._created[_whole(app_id)] = app_id

    def create(self, app: model.App) -> model.App:
        """Create: the app as the plane returned it."""
        return self.call("Create", rpc.CreateRequest(app=app), rpc.CreateResponse).app

    def get(self, app_id: model.Identifier) -> model.App:
        """Get by id; a preparation that can't read it so looks for it in List."""
        before = dict(self.symptoms.found)
        try:
            return self.call("Get", rpc.GetRequest(app_id=app_id), rpc.GetResponse).app
        except Refused as error:
            faulty = error.code == "NOT_FOUND" and Ability.GET in self.faults and is_preparing()
            if not faulty or (found := self.listed().get(text_of(app_id))) is None:
                raise
            self.symptoms.found = before  # what was found by other means explains nothing
            return found

    def get_by_ingress(self, **urls: str) -> model.App:
        """Get by public_url, cname_url or vpc_url."""
        return self.call("Get", rpc.GetRequest(ingress=model.Ingress(**urls)), rpc.GetResponse).app

    def update(self, app: model.App, reason: str = "") -> model.App:
        """Update: the app as the plane returned it."""
        return self.call("Update", rpc.UpdateRequest(app=app, reason=reason), rpc.UpdateResponse).app

    def delete(self, app_id: model.Identifier) -> None:
        """Delete."""
        self.call("Delete", rpc.DeleteRequest(app_id=app_id), rpc.DeleteResponse)

    def list(self, query: list_pb2.ListRequest | None = None, **scope: Any) -> rpc.ListResponse:
        """Return one page; without a scope, of this session's project."""
        if not scope.keys() & {"org", "cluster_id", "project", "artifact"}:
            scope["project"] = self.scope()
        return self.call("List", rpc.ListRequest(request=query, **scope), rpc.ListResponse)

    def names(self, query: list_pb2.ListRequest | None = None, **scope: Any) -> list[str]:
        """Return the names on one page."""
        return [app.metadata.id.name for app in self.list(query, **scope).apps]

    def watch(self, **target: Any) -> Watcher:
        """Return an open Watch, closed at the end of the check; without a target, of this session's project."""
        request = rpc.WatchRequest(**(target or {"project": self.scope()}))
        self.symptoms.opened()
        return self._watcher(request)

    def _watcher(self, request: rpc.WatchRequest) -> Watcher:
        self._throttle.wait()
        self.run.ending.require_time()
        watcher = Watcher(self.plane.link.stream(SERVICE, "Watch", request, rpc.WatchResponse))
        watcher.of_cluster = request.HasField("cluster_id")
        watcher.doubtful = bool({Ability.SNAPSHOT, Ability.EVENTS} & self.faults.keys())
        return self._opened(watcher)

    @property
    def watchers(self) -> list[Watcher]:
        """The watches that were opened."""
        return [each for each in self._streams if isinstance(each, Watcher)]

    def lease(self, cluster: str) -> Leases:
        """Return an open Lease stream of that cluster, closed at the end of the check."""
        request = rpc.LeaseRequest(id=self.cluster(cluster))
        self._throttle.wait()
        self.run.ending.require_time()
        return self._opened(Leases(self.plane.link.stream(SERVICE, "Lease", request, rpc.LeaseResponse)))

    def update_status(self, app: model.App) -> model.App:
        """UpdateStatus: the app as the plane returned it. Raises NotOffered where the plane has no such RPC."""
        try:
            return self.call("UpdateStatus", rpc.UpdateStatusRequest(app=app), rpc.UpdateStatusResponse).app
        except Refused as error:
            if error.code == NOT_SERVED:
                raise NotOffered(f"the plane has no UpdateStatus: {error.message}") from error
            raise

    def logs(self, request: logs_rpc.TailLogsRequest) -> LogTail:
        """Return an open TailLogs stream, closed at the end of the check."""
        self._throttle.wait()
        self.run.ending.require_time()
        stream = self.plane.link.stream(LOGS_SERVICE, "TailLogs", request, logs_rpc.TailLogsResponse)
        return self._opened(LogTail(stream))

    def _opened(self, stream: O) -> O:
        self._streams.append(stream)
        stream.ending = self.run.ending
        return stream

    def advance(self, seconds: float) -> None:
        """Move the plane's clock."""
        self.advanced += seconds
        self.plane.advance(seconds)

    # ---- preparation; what fails here leaves the check unjudged

    def given(self, app: model.App | None = None) -> model.App:
        """Return an app that was just created, by default a small one that should run."""
        with preparing("Create"):
            return self.create(app if app is not None else self.app())

    def given_stopped(self, **options: Any) -> model.App:
        """Return an app that was created as stopped: nothing moves it but a client."""
        return self.given(self.app(state=STOP, **options))

    def given_active(self, **options: Any) -> model.App:
        """Return an app that is active and at rest."""
        return self.given_rest(self.given(self.app(**options)).metadata.id, ACTIVE)

    def given_rest(self, app_id: model.Identifier, status: int) -> model.App:
        """Return the app once its last condition has that status; FAILED or ACTIVE, nothing is under way."""
        with preparing(f"waiting for {status_name(status)}"):
            return self.until(app_id, lambda app: last_status(app) == status)

    def given_update(self, app: model.App, reason: str = "") -> model.App:
        """Return the app after an update that must work."""
        with preparing("Update"):
            return self._written(app, reason)

    def _written(self, app: model.App, reason: str = "") -> model.App:
        answer = self.update(app, reason)
        return self.get(app.metadata.id) if Ability.UPDATE in self.faults else answer

    def changed(self, app: model.App, word: str) -> model.App:
        """Return the app, not yet sent, with a change of no meaning: of a label, or where those fail an argument."""
        other = copy(app)
        if Ability.LABEL in self.faults:
            other.spec.container.args[:] = ["serve", word]
        else:
            other.metadata.labels["n"] = word
        return other

    def given_deleted(self, app: model.App) -> None:
        """Delete the app, which is stopped before where it runs."""
        with preparing("Delete"):
            if app.spec.desired_state != STOP:
                app = self.get(app.metadata.id)
                app.spec.desired_state = STOP
                self.update(app)
            delete_surely(self, app.metadata.id)

    # ---- pools

    def own_pools(self) -> bool:
        """Return whether a cluster of the session's own can be played: no cluster of the plane's serves its pool.

        Planes of the target's own are as it says; anywhere else one app is created to see.
        """
        if self.run.pools is None:
            self.run.pools = self.capabilities.fresh or not self.capabilities.cluster or self._waits_in_a_new_pool()
        return self.run.pools

    def require_pools(self) -> None:
        """Raise NotOffered where no cluster of the session's own can be played."""
        if not self.own_pools():
            raise NotOffered(Capabilities.REASONS["pools"])

    def _waits_in_a_new_pool(self) -> bool:
        app = self.app()
        app.spec.cluster_pool = self.name("-pool")
        try:
            made = self.create(app)
        except Refused:
            return True
        if made.status.assigned_cluster:
            return False
        with contextlib.suppress(Refused):
            self.delete(app.metadata.id)
        return True

    # ---- waiting

    def until(self, app_id: model.Identifier, reached: Callable[[model.App], bool]) -> model.App:
        """Return the app once `reached`; moves a clock that can be moved, else waits. Broken where it isn't in time."""
        if DIALECTS[self.capabilities.dialect].cached_reads:
            self._throttle.wait()
            found = watched(self.plane, SERVICE, app_id, reached)
            if found is None:
                raise Broken(f"app {app_id.name} is not as expected after {streams.PATIENCE:g} s of watching")
            return found
        deadline = time.monotonic() + streams.PATIENCE
        watcher = None if self.capabilities.clock else self.watch(app_id=app_id)
        try:
            while not reached(app := self.get(app_id)):
                if time.monotonic() > deadline:
                    last = status_name(last_status(app))
                    raise Broken(f"app {app_id.name} is still {last} after {streams.PATIENCE:g} s of waiting")
                if watcher is None:
                    self.advance(STEP)
                else:
                    watcher.poll(STEP)
            return app
        finally:
            if watcher is not None:
                watcher.close()

    # ---- nothing changed

    @contextlib.contextmanager
    def unchanged(self, *apps: model.App, absent: Iterable[model.Identifier] = ()) -> Generator[None]:
        """Broken unless the body left the plane as it was; `absent` ids must stay absent."""
        ids = [app.metadata.id for app in apps]
        with preparing("reading the state before"):
            comparison = Comparison(self, self._watcher(rpc.WatchRequest(project=self.scope())), ids)
        yield
        comparison.judge(list(absent))

    def mark(self) -> model.App:
        """Change the marker app, a stopped one that nothing else touches."""
        if self._marker is None:
            self._marker = self.create(self.app(self.name("-marker"), state=STOP))
        self._marker = self._written(self.changed(self._marker, str(self.run.number())))
        return self._marker

    def is_own(self, name: str) -> bool:
        """Return whether the app is of this run; in a fixed project others may be at work."""
        return self.capabilities.projects or name.lower().startswith(self.run.prefix)

    def listed(self) -> dict[str, model.App]:
        """Return this session's apps as List gives them, all pages, by the text of their ids."""
        apps, query = dict[str, model.App](), list_pb2.ListRequest(limit=1000)
        while True:
            page = self.list(query)
            apps.update((text_of(app.metadata.id), app) for app in page.apps if self.is_own(app.metadata.id.name))
            if not page.token:
                return apps
            query.token = page.token

    # ---- the end

    def close(self) -> None:
        """End the watches and cleans up, last in first out; what can't be removed stays in `run.left`."""
        for stream in self._streams:
            stream.close()
        try:
            if not self.capabilities.fresh:
                self._clean_up()
        finally:
            if not self.capabilities.fresh:
                self.run.left.update(self._created)
            self.run.unfinished.pop(id(self), None)
            self.plane.close()

    def _clean_up(self) -> None:
        for key, app_id in reversed(list(self._created.items())):
            try:
                if key in self.run.unanswered:
                    time.sleep(UNANSWERED_SECONDS)
                remove(self, app_id)
            except Refused as error:
                if error.code in GONE:
                    return  # each further call would wait as long
            else:
                self._created.pop(key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remove(session: Session, app_id: model.Identifier) -> None:
    """Delete an app, which is stopped where the plane wants that; one that isn't there is fine. Raises Refused."""
    try:
        try:
            delete_surely(session, app_id)
        except Refused as error:
            if error.code != "FAILED_PRECONDITION":
                raise
            app = session.get(app_id)
            app.metadata.revision = 0
            app.spec.desired_state = STOP
            session.update(app, "cleaned up")
            delete_surely(session, app_id)
    except Refused as error:
        if error.code not in ("NOT_FOUND", "INVALID_ARGUMENT") and NO_NAME not in error.message:
            raise


def delete_surely(session: Session, app_id: model.Identifier) -> None:
    """Delete an app, again where a plane whose Delete is at fault fails. Raises Refused."""
    before = dict(session.symptoms.found)
    for left in reversed(range(ATTEMPTS if Ability.DELETE in session.faults else 1)):
        try:
            session.delete(app_id)
            break
        except Refused as error:
            if error.code == "NOT_FOUND" and session.symptoms.found != before:
                break  # the attempt that failed has deleted it
            if error.code not in GONE or not left:
                raise
    session.symptoms.found = before


def last_status(app: model.App) -> int:
    """Return the status of the last condition, UNSPECIFIED where there is none."""
    return app.status.conditions[-1].deployment_status if app.status.conditions else 0


def statuses(app: model.App) -> list[str]:
    """Return the short names of the conditions' statuses, oldest first."""
    return [status_name(condition.deployment_status) for condition in app.status.conditions]


def status_name(status: int) -> str:
    """Return the enum's name without its prefix, such as "ACTIVE"."""
    try:
        name = model.Status.DeploymentStatus.Name(model.Status.DeploymentStatus.ValueType(status))
    except ValueError:
        return str(status)
    return name.removeprefix("DEPLOYMENT_STATUS_")


def copy(app: model.App) -> model.App:
    """Return an app of one's own."""
    other = model.App()
    other.CopyFrom(app)
    return other


def _whole(app_id: model.Identifier) -> str:
    """Return the text of an id as it was sent, its org included: of another org it is another app."""
    return "/".join((*((app_id.org,) if app_id.org else ()), text_of(app_id)))
