"""The simulated operator: runs the pods of services and reports their status, step by step.

Pure and deterministic: time is that of the timers, and every random draw depends on the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_control.loads import LoadTable
from flyteapps_control.selection import NO_APP, AppName
from flyteapps_fake.core import draws
from flyteapps_fake.core.streams import StreamScope
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.flyte_oss.building.quantities import is_runnable
from flyteapps_fake.flyte_oss.cluster import Cluster, Since
from flyteapps_fake.flyte_oss.conditions import CONFIGURED, SERVING, ConditionState, ReportedStatus, updated
from flyteapps_fake.flyte_oss.conditions import UNKNOWN as NOTHING_KNOWN
from flyteapps_fake.flyte_oss.services import Service
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.simulation.pods import MAX_PODS, Pod, runs
from flyteapps_fake.flyte_oss.simulation.scaling import replicas_of, service_bounds
from flyteapps_fake.flyte_oss.simulation.scenarios import Phase, Report, Reporting
from flyteapps_fake.simulation.admission import Bounds, bad_quantity_of
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.choice import ScenarioChoice, StartImage
from flyteapps_fake.simulation.files.builtin import REJECTED, UNKNOWN, situation
from flyteapps_fake.simulation.load import START_NS, UP_NS
from flyteapps_fake.simulation.progress import Progress
from flyteapps_fake.simulation.step_logs import StepLog, StepLogs

WRITE_NS = 2 * MILLISECOND
"""The time before a report in which a write collides with it that is over at once."""
_STOP_REPORT_NS = 50 * MILLISECOND
"""The time from the request to stop an app to the operator's first write of its status."""
_OUTCOMES = (Phase.SERVING, Phase.FAILED)


REPORT, STOP_REPORT, IDLE_CHECK, SCALE = "report", "stop-report", "idle-check", "scale"
"""The kinds of timers of the operator, whose owner is the name of a resource."""


@dataclass(slots=True)
class Rollout:
    """The operator's state of one generation of a service."""

    resource: str
    generation: int
    written: int
    bounds: Bounds
    reporting: Reporting
    runs: str
    conflicts: int
    reason: str = ""
    first: bool = True
    reached: bool = False
    delays_drawn: int = 0
    requested_at: int = 0
    loaded: bool = False
    """Whether it has had a declared load, which decides its size from then on."""
    pods_started: int = 0
    """Pods started so far."""

    def copied(self) -> Rollout:
        """Return a rollout that goes on from here by itself."""
        return replace(self, reporting=self.reporting.copied())


class OperatedService(NamedTuple):
    """The part of one service that the operator has; nothing, by default."""

    rollout: Rollout | None = None
    pods: tuple[Pod, ...] = ()
    start: StartImage | None = None
    step_logs: tuple[StepLog, ...] = ()


def log_scope(resource: str) -> StreamScope:
    """Return the scope of the logs of a service's pods."""
    return ("logs", resource)


class Operator:
    """One operator over one cluster."""

    def __init__(
        self,
        cluster: Cluster,
        environment: ClusterEnvironment,
        scenarios: ScenarioBook,
        loads: LoadTable,
        floor: int,
    ) -> None:
        self._cluster = cluster
        self._loads = loads
        self._environment = environment
        self._floor = floor
        """The least time in nanoseconds between a write and the state that it leads to."""
        self._rollouts: dict[str, Rollout] = {}
        self._pods: dict[str, tuple[Pod, ...]] = {}
        self.step_logs = StepLogs()
        """The lines of steps by resource name."""
        self._owners: dict[str, str] = {}
        """Resource names by pod name."""
        self._delay = cluster.settings.report_delay
        self._choice = ScenarioChoice(scenarios, cluster.settings.app_scenarios, cluster.timeline.seed)
        handle = cluster.timeline.handle
        handle(REPORT, self._report, "the operator reports the next state of its rollout", self._named)
        handle(STOP_REPORT, self._rewrite_status, "the operator reports that it has stopped", self._named)
        handle(IDLE_CHECK, self._scale_down, "it scales down, unless it was asked for", self._named)
        handle(SCALE, self._scale_up, "it scales up to its load", self._named)

    def _named(self, resource: str) -> AppName:
        """Return the app of a timer's owner."""
        service = self._cluster.services.get(resource)
        return AppName(service.project, service.domain, service.name) if service is not None else NO_APP

    # ---- commands

    def start(self, service: Service, app: App) -> None:
        """Start the rollout of a new generation of a service; `app` is the app as sent."""
        self._cluster.timers.cancel(service.resource)
        rollout = self._rollouts[service.resource] = self._rollout(service, app)
        self._continue(rollout)

    def stop(self, service: Service) -> None:
        """Stop all pods of a service, and schedule the report of that."""
        self._rollouts.pop(service.resource, None)
        self._end_pods(service.resource)
        due = self._cluster.clock.now() + (_STOP_REPORT_NS if self._delay is None else self._delay)
        self._cluster.timers.schedule(due, service.resource, STOP_REPORT, last=True)

    def drop(self, resource: str) -> None:
        """Forget a service that is about to be removed."""
        self._cluster.touch(resource)
        self._choice.forget(resource)
        self.step_logs.drop(resource)
        self._rollouts.pop(resource, None)
        self._end_pods(resource)
        self._cluster.timers.cancel(resource)

    def receive_request(self, resource: str) -> None:
        """Record a request to the app: postpone scaling to zero, or scale up from zero."""
        rollout, service = self._rollouts.get(resource), self._cluster.services.get(resource)
        if rollout is None or service is None or service.ready != rollout.generation:
            return
        self._cluster.touch(resource)
        rollout.requested_at = self._cluster.clock.now()
        if not service.replicas:
            self._resize(service, rollout, rollout.bounds.start)
            self._continue(rollout)

    def load_changed(self, resource: str) -> None:
        """React to another load of the app, as soon as it serves and is at rest."""
        rollout, timer = self._rollouts.get(resource), self._cluster.timers.get(resource)
        if rollout is not None and (timer is None or timer.kind in (IDLE_CHECK, SCALE)):
            self._cluster.touch(resource)
            self._cluster.timers.cancel(resource)
            rollout.requested_at = self._cluster.clock.now()
            self._rest(rollout)

    # ---- the state

    def image(self, resource: str) -> OperatedService:
        """Return an immutable picture of what the operator has of a service."""
        rollout = self._rollouts.get(resource)
        return OperatedService(
            rollout.copied() if rollout is not None else None,
            self._pods.get(resource, ()),
            self._choice.image(resource),
            tuple(self.step_logs.of(resource)),
        )

    def put(self, resource: str, image: OperatedService) -> None:
        """Replace what the operator has of a service."""
        self._rollouts.pop(resource, None)
        if image.rollout is not None:
            self._rollouts[resource] = image.rollout.copied()
        self._replace_pods(resource, image.pods)
        self._choice.put(resource, image.start)
        self.step_logs.put(resource, image.step_logs)

    # ---- queries

    def collides(self, resource: str, since: Since) -> bool:
        """Return whether a write made now collides with another one since it has read the service, which then wins.

        A write that is over at once meets the report that is due within WRITE_NS. On an `auto` clock the reports that
        are due by now wait for a client: the write is one.
        """
        rollout = self._rollouts.get(resource)
        if rollout is not None and rollout.conflicts:
            self._cluster.touch(resource)
            rollout.conflicts -= 1
            return True
        if since.moved:
            return True
        timeline = self._cluster.timeline
        if not since.at_once and timeline.mode != "auto":
            return False
        timer = self._cluster.timers.progress.get(resource)
        until = self._cluster.clock.now() + (WRITE_NS if since.at_once else 0)
        if timer is None or not since.at <= timer.due <= until:
            return False
        timeline.fire(timer)
        return True

    def pods(self, resource: str) -> tuple[Pod, ...]:
        """Return the pods with readable logs: those of the serving generation, or all while none serves."""
        service = self._cluster.services.get(resource)
        pods = self._pods.get(resource, ())
        if service is None or not service.ready:
            return pods
        return tuple(pod for pod in pods if pod.generation == service.ready)

    def pod(self, name: str) -> tuple[str, Pod] | None:
        """Return the resource name and the pod of that name, or None."""
        resource = self._owners.get(name)
        pods = self._pods.get(resource, ()) if resource is not None else ()
        return next(((resource, pod) for pod in pods if resource and pod.name == name), None)

    # ---- rollouts

    def _rollout(self, service: Service, app: App) -> Rollout:
        conflicts, reason = 0, bad_quantity_of(app.spec, is_runnable)
        if reason:
            steps = situation(REJECTED)
        elif (fixed := self._environment.steps(app)) is not None:
            steps = fixed
        else:
            chosen = self._choice.start(service.resource, service.generation, app)
            if chosen.scenario is None:
                steps, reason = situation(UNKNOWN), self._choice.unknown(chosen.name)
            else:
                steps, conflicts = chosen.scenario.steps, chosen.scenario.conflicts
        return Rollout(
            resource=service.resource,
            generation=service.generation,
            written=service.written,
            bounds=service_bounds(app.spec),
            reporting=Reporting(Progress(steps)),
            runs=runs(app.spec),
            conflicts=conflicts,
            reason=reason,
        )

    def _continue(self, rollout: Rollout) -> None:
        """Schedule the next report, or the check for idleness."""
        report = rollout.reporting.next_report(rollout.bounds.allow, partial(self._draw, rollout))
        if report is not None:
            self._schedule(rollout, report)
        else:
            rollout.requested_at = max(rollout.requested_at, self._cluster.clock.now())
            self._rest(rollout)

    def _rest(self, rollout: Rollout) -> None:
        """Schedule that an app without further reports scales up to its load, or down."""
        service = self._cluster.services.get(rollout.resource)
        if service is None or service.ready != rollout.generation:
            return
        demand = self._demand(rollout, service)
        if demand > service.replicas and rollout.loaded:
            due = self._cluster.clock.now() + UP_NS + START_NS
            self._cluster.timers.schedule(due, rollout.resource, SCALE, rollout.generation)
        elif demand < service.replicas and (rollout.loaded or not rollout.bounds.minimum):
            self._idle_at(rollout)

    def _demand(self, rollout: Rollout, service: Service) -> int:
        """Return the number of replicas for the app's load."""
        load = self._loads.of(self._named(service.resource)) if len(self._loads) else None
        rollout.loaded = rollout.loaded or load is not None
        return rollout.bounds.demand(load)

    def _draw(self, rollout: Rollout, number: int) -> float:
        """Return the draw of a choice, in [0, 1)."""
        words = (rollout.resource, rollout.generation, number)
        return draws.fraction(self._cluster.timeline.seed, "choice", *words)

    def _schedule(self, rollout: Rollout, report: Report) -> None:
        rollout.delays_drawn += 1
        delay, width = report.delay, report.jitter
        if rollout.first and self._delay is not None:
            delay, width = self._delay, 0
        key = (rollout.resource, rollout.generation, rollout.delays_drawn)
        due = self._cluster.clock.now() + delay + draws.jitter(width, self._cluster.timeline.seed, *key)
        last = report.phase in _OUTCOMES and not rollout.reached
        if last:
            due = max(due, rollout.written + self._floor)
        self._cluster.timers.schedule(
            due, rollout.resource, REPORT, rollout.generation, report, progress=not report.background, last=last
        )

    def _rollout_of(self, timer: Timer) -> tuple[Rollout, Service] | None:
        """Return the rollout of a timer and its service, None if another generation has replaced it."""
        resource, generation = str(timer.owner), timer.arguments[0]
        rollout, service = self._rollouts.get(resource), self._cluster.services.get(resource)
        if rollout is None or service is None or not rollout.generation == service.generation == generation:
            return None
        return rollout, service

    def _report(self, timer: Timer) -> None:
        found = self._rollout_of(timer)
        if found is None:
            return
        rollout, service = found
        report: Report = timer.arguments[1]
        rollout.first = False
        early = report.logs and self._pods_of(rollout)  # else those that this report starts log them
        if early or (report.logs and report.phase is Phase.UNCHANGED):
            self._log(rollout, report)
        if report.phase is Phase.UNCHANGED:
            self._continue(rollout)
            return
        rollout.reached = rollout.reached or report.phase in _OUTCOMES
        now = self._cluster.clock.tick()
        count = replicas_of(rollout.bounds, report.size)
        ready, replicas = service.ready, service.replicas
        if report.phase is Phase.SERVING:
            ready, replicas = rollout.generation, count
        elif report.phase is Phase.FAILED and ready == rollout.generation:
            replicas = 0
        self._run_pods(rollout, count, now, alone=report.phase is Phase.SERVING)
        if report.logs and not early:
            self._log(rollout, report)
        status = self._reported_status(rollout, report)
        seconds = now // SECOND * SECOND
        after = replace(
            service, conditions=updated(service.conditions, status, seconds), ready=ready, replicas=replicas
        )
        if after.conditions != service.conditions:
            self._cluster.put(after)
        elif after != service:
            self._cluster.put_without_event(after)
        self._continue(rollout)

    def _reported_status(self, rollout: Rollout, report: Report) -> ReportedStatus:
        match report.phase:
            case Phase.UNKNOWN:
                return NOTHING_KNOWN
            case Phase.STARTING if rollout.reason:
                return NOTHING_KNOWN._replace(ready=ConditionState(None, "Deploying", rollout.reason))
            case Phase.STARTING:
                return NOTHING_KNOWN
            case Phase.CONFIGURED:
                return CONFIGURED
            case Phase.SERVING:
                return SERVING
            case Phase.FAILED | Phase.UNCHANGED:
                message = report.message.replace("{reason}", rollout.reason) if rollout.reason else report.message
                return self._environment.failed(rollout.resource, rollout.generation, message)

    def _rewrite_status(self, timer: Timer) -> None:
        """Write the status of a stopped service once more: an event without a change."""
        service = self._cluster.services.get(str(timer.owner))
        if service is not None and service.stopped:
            self._cluster.clock.tick()
            self._cluster.put(service)

    # ---- pods

    def _pods_of(self, rollout: Rollout) -> tuple[Pod, ...]:
        """Return the pods of a generation that run now."""
        return tuple(pod for pod in self._pods.get(rollout.resource, ()) if pod.generation == rollout.generation)

    def _log(self, rollout: Rollout, report: Report) -> None:
        """Let the pods that run now log the lines of a report."""
        names = frozenset(pod.name for pod in self._pods_of(rollout))
        self.step_logs.add(rollout.resource, StepLog(self._cluster.clock.tick(), names, report.logs))
        for stream in tuple(self._cluster.streams.of(log_scope(rollout.resource))):
            stream.stir()

    def _run_pods(self, rollout: Rollout, count: int, now: int, *, alone: bool) -> None:
        """Run `count` pods of that generation, or as many as have a name; with `alone`, end those of others."""
        count = min(count, MAX_PODS)
        pods = self._pods.get(rollout.resource, ())
        own = [pod for pod in pods if pod.generation == rollout.generation][:count]
        while len(own) < count:
            rollout.pods_started += 1
            key = (rollout.resource, rollout.generation, rollout.pods_started)
            seed = draws.drawn(self._cluster.timeline.seed, *key)
            name = self._environment.pod_name(rollout.resource, rollout.generation, seed)
            own.append(Pod(name, rollout.generation, now, seed, rollout.runs))
        others = [] if alone else [pod for pod in pods if pod.generation != rollout.generation]
        self._set_pods(rollout.resource, (*others, *own))

    def _end_pods(self, resource: str) -> None:
        self._set_pods(resource, ())

    def _set_pods(self, resource: str, pods: tuple[Pod, ...]) -> None:
        if pods == self._pods.get(resource, ()):
            return
        self._replace_pods(resource, pods)
        for stream in tuple(self._cluster.streams.of(log_scope(resource))):
            stream.stir()

    def _replace_pods(self, resource: str, pods: tuple[Pod, ...]) -> None:
        for gone in self._pods.pop(resource, ()):
            self._owners.pop(gone.name, None)
        if pods:
            self._pods[resource] = pods
            self._owners.update((pod.name, resource) for pod in pods)

    def _resize(self, service: Service, rollout: Rollout, count: int) -> None:
        self._run_pods(rollout, count, self._cluster.clock.tick(), alone=True)
        self._cluster.put_without_event(replace(service, replicas=count))

    def _idle_at(self, rollout: Rollout) -> None:
        due = rollout.requested_at + rollout.bounds.scaledown
        self._cluster.timers.schedule(due, rollout.resource, IDLE_CHECK, rollout.generation, progress=False)

    def _scale_up(self, timer: Timer) -> None:
        if (found := self._rollout_of(timer)) is not None:
            rollout, service = found
            self._resize(service, rollout, self._demand(rollout, service))
            self._continue(rollout)

    def _scale_down(self, timer: Timer) -> None:
        found = self._rollout_of(timer)
        if found is None:
            return
        rollout, service = found
        if rollout.requested_at + rollout.bounds.scaledown > self._cluster.clock.now():
            self._idle_at(rollout)
        else:
            self._resize(service, rollout, self._demand(rollout, service))
