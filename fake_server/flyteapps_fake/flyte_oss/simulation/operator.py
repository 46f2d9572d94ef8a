"""The simulated operator: hears of what shall run, and reports on it by and by; it runs the pods.

Pure: its time is the agenda's, its chance the seed's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.core import draws
from flyteapps_fake.core.streams import StreamScope
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND, Timer
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.flyte_oss.cluster import Cluster
from flyteapps_fake.flyte_oss.conditions import CONFIGURED, SERVING, Said, Word, restated
from flyteapps_fake.flyte_oss.conditions import UNKNOWN as NOTHING_KNOWN
from flyteapps_fake.flyte_oss.services import Service
from flyteapps_fake.flyte_oss.simulation.environment import Surroundings
from flyteapps_fake.flyte_oss.simulation.pods import Pod, runs
from flyteapps_fake.flyte_oss.simulation.scenarios import SCENARIOS, Report, Stage, reports_of
from flyteapps_fake.simulation.admission import Bounds, bounds_of, flaw_of
from flyteapps_fake.simulation.choice import Choice
from flyteapps_fake.simulation.scenarios import REJECTED, UNKNOWN, Size

WRITE = 2 * MILLISECOND
"""How long a client's write takes from reading a service to writing it: a report that comes between refuses it."""
_HEARD_AFTER = 50 * MILLISECOND
"""How long after an app was told to stop the operator first writes its status."""
_ENDS = (Stage.SERVING, Stage.FAILED)


@dataclass(slots=True)
class Rollout:
    """What the operator knows of one generation of a service."""

    resource: str
    generation: int
    written: int
    bounds: Bounds
    reports: tuple[Report, ...]
    runs: str
    conflicts: int
    reason: str = ""
    first: bool = True
    reached: bool = False
    drawn: int = 0
    asked_at: int = 0
    begun: int = 0
    """How many pods it has had."""


def log_scope(resource: str) -> StreamScope:
    """The scope of the logs of a service's pods."""
    return ("logs", resource)


class Operator:
    """One operator over one cluster."""

    def __init__(self, cluster: Cluster, surroundings: Surroundings, floor: int) -> None:
        self._cluster = cluster
        self._surroundings = surroundings
        self._floor = floor
        """Nanoseconds at least between a write and the state that it leads to."""
        self._rollouts: dict[str, Rollout] = {}
        self._pods: dict[str, tuple[Pod, ...]] = {}
        self._owners: dict[str, str] = {}
        """Whose a pod is, by its name."""
        self._delay = cluster.settings.report_delay
        self._choice = Choice(cluster.settings.app_scenarios)

    # ---- what it is told

    def start(self, service: Service, app: App) -> None:
        """Another generation shall run; `app` is what was sent."""
        self._cluster.agenda.cancel(service.resource)
        rollout = self._rollouts[service.resource] = self._rollout(service, app)
        self._go_on(rollout)

    def stop(self, service: Service) -> None:
        """Nothing of it shall run."""
        self._rollouts.pop(service.resource, None)
        self._end_pods(service.resource)
        due = self._cluster.clock.now() + (_HEARD_AFTER if self._delay is None else self._delay)
        self._cluster.agenda.call_at(due, service.resource, self._say_again, last=True)

    def drop(self, resource: str) -> None:
        """It is gone."""
        self._rollouts.pop(resource, None)
        self._end_pods(resource)
        self._cluster.agenda.cancel(resource)

    def ask(self, resource: str) -> None:
        """Somebody asks for what it serves: it doesn't go idle, and is there again."""
        rollout, service = self._rollouts.get(resource), self._cluster.services.get(resource)
        if rollout is None or service is None or service.ready != rollout.generation:
            return
        rollout.asked_at = self._cluster.clock.now()
        if not service.replicas:
            self._resize(service, rollout, rollout.bounds.start)
            self._go_on(rollout)

    # ---- what it is asked

    def meets(self, resource: str) -> bool:
        """Whether a write that is made now meets one of its own, which then is the one that is made."""
        rollout = self._rollouts.get(resource)
        if rollout is not None and rollout.conflicts:
            rollout.conflicts -= 1
            return True
        timer = self._cluster.agenda.progress.get(resource)
        if timer is None or not 0 <= timer.due - self._cluster.clock.now() <= WRITE:
            return False
        self._cluster.timeline.fire(timer)
        return True

    def pods(self, resource: str) -> tuple[Pod, ...]:
        """The pods whose logs can be read: those of what serves, of all where nothing does yet."""
        service = self._cluster.services.get(resource)
        pods = self._pods.get(resource, ())
        if service is None or not service.ready:
            return pods
        return tuple(pod for pod in pods if pod.generation == service.ready)

    def pod(self, name: str) -> tuple[str, Pod] | None:
        """Whose the pod of that name is, and the pod."""
        resource = self._owners.get(name)
        pods = self._pods.get(resource, ()) if resource is not None else ()
        return next(((resource, pod) for pod in pods if resource and pod.name == name), None)

    # ---- what it does

    def _rollout(self, service: Service, app: App) -> Rollout:
        reason = ""
        scenario = self._surroundings.scenario(app, self._choice)
        if flaw := flaw_of(app.spec):
            reports, reason = reports_of(REJECTED), flaw
        elif scenario is None:
            reports = reports_of(UNKNOWN)
            reason = (
                f"unknown scenario {quoted(self._choice.scenario(app))}; known ones: {', '.join(sorted(SCENARIOS))}"
            )
        else:
            reports = reports_of(scenario.steps)
        return Rollout(
            resource=service.resource,
            generation=service.generation,
            written=service.written,
            bounds=bounds_of(app.spec),
            reports=tuple(reports),
            runs=runs(app.spec),
            conflicts=scenario.conflicts if scenario is not None else 0,
            reason=reason,
        )

    def _go_on(self, rollout: Rollout) -> None:
        """Plans what comes next."""
        while rollout.reports:
            report, *rest = rollout.reports
            rollout.reports = tuple(rest)
            if rollout.bounds.allow(report.trip):
                self._plan(rollout, report)
                return
        service = self._cluster.services.get(rollout.resource)
        serves = service is not None and service.ready == rollout.generation and service.replicas > 0
        if serves and not rollout.bounds.least:
            rollout.asked_at = max(rollout.asked_at, self._cluster.clock.now())
            self._idle_at(rollout)

    def _plan(self, rollout: Rollout, report: Report) -> None:
        rollout.drawn += 1
        delay, width = report.delay, report.jitter
        if rollout.first and self._delay is not None:
            delay, width = self._delay, 0
        words = (rollout.resource, rollout.generation, rollout.drawn)
        due = self._cluster.clock.now() + delay + draws.jitter(width, self._cluster.settings.seed, *words)
        last = report.stage in _ENDS and not rollout.reached
        if last:
            due = max(due, rollout.written + self._floor)
        self._cluster.agenda.call_at(due, rollout.resource, partial(self._report, rollout, report), last=last)

    def _report(self, rollout: Rollout, report: Report, _: Timer) -> None:
        service = self._cluster.services.get(rollout.resource)
        if service is None or service.generation != rollout.generation:
            return
        rollout.first = False
        rollout.reached = rollout.reached or report.stage in _ENDS
        now = self._cluster.clock.tick()
        count = rollout.bounds.replicas(report.size)
        ready, replicas = service.ready, service.replicas
        if report.stage is Stage.SERVING:
            ready, replicas = rollout.generation, count
        elif report.stage is Stage.FAILED and ready == rollout.generation:
            replicas = 0
        self._run_pods(rollout, count, now, alone=report.stage is Stage.SERVING)
        said = self._said(rollout, report)
        seconds = now // SECOND * SECOND
        after = replace(service, conditions=restated(service.conditions, said, seconds), ready=ready, replicas=replicas)
        if after.conditions != service.conditions:
            self._cluster.put(after)
        elif after != service:
            self._cluster.put_quietly(after)
        self._go_on(rollout)

    def _said(self, rollout: Rollout, report: Report) -> Said:
        match report.stage:
            case Stage.UNKNOWN:
                return NOTHING_KNOWN
            case Stage.STARTING if rollout.reason:
                return NOTHING_KNOWN._replace(ready=Word(None, "Deploying", rollout.reason))
            case Stage.STARTING:
                return NOTHING_KNOWN
            case Stage.CONFIGURED:
                return CONFIGURED
            case Stage.SERVING:
                return SERVING
            case Stage.FAILED:
                message = report.message.format(reason=rollout.reason) if rollout.reason else report.message
                return self._surroundings.failed(rollout.resource, rollout.generation, message)

    def _say_again(self, timer: Timer) -> None:
        """The operator writes the status of a service that was stopped: it still shows the same."""
        service = self._cluster.services.get(str(timer.owner))
        if service is not None and service.stopped:
            self._cluster.clock.tick()
            self._cluster.put(service)

    # ---- pods

    def _run_pods(self, rollout: Rollout, count: int, now: int, *, alone: bool) -> None:
        """So many pods of that generation; `alone`: none of others."""
        pods = self._pods.get(rollout.resource, ())
        own = [pod for pod in pods if pod.generation == rollout.generation][:count]
        while len(own) < count:
            rollout.begun += 1
            words = (rollout.resource, rollout.generation, rollout.begun)
            seed = draws.drawn(self._cluster.settings.seed, *words)
            name = self._surroundings.pod_name(rollout.resource, rollout.generation, seed)
            own.append(Pod(name, rollout.generation, now, seed, rollout.runs))
        others = [] if alone else [pod for pod in pods if pod.generation != rollout.generation]
        self._set_pods(rollout.resource, (*others, *own))

    def _end_pods(self, resource: str) -> None:
        self._set_pods(resource, ())

    def _set_pods(self, resource: str, pods: tuple[Pod, ...]) -> None:
        if pods == self._pods.get(resource, ()):
            return
        for gone in self._pods.pop(resource, ()):
            self._owners.pop(gone.name, None)
        if pods:
            self._pods[resource] = pods
            self._owners.update((pod.name, resource) for pod in pods)
        for stream in tuple(self._cluster.streams.of(log_scope(resource))):
            stream.stir()

    def _resize(self, service: Service, rollout: Rollout, count: int) -> None:
        self._run_pods(rollout, count, self._cluster.clock.tick(), alone=True)
        self._cluster.put_quietly(replace(service, replicas=count))

    def _idle_at(self, rollout: Rollout) -> None:
        due = rollout.asked_at + rollout.bounds.scaledown
        self._cluster.agenda.call_at(due, rollout.resource, partial(self._go_idle, rollout), progress=False)

    def _go_idle(self, rollout: Rollout, _: Timer) -> None:
        service = self._cluster.services.get(rollout.resource)
        if service is None or service.generation != rollout.generation:
            return
        if rollout.asked_at + rollout.bounds.scaledown > self._cluster.clock.now():
            self._idle_at(rollout)
        else:
            self._resize(service, rollout, rollout.bounds.replicas(Size.NONE))
