"""The simulated data plane: it receives every event, and answers with leases and reports, some of them later.

Pure: its time is that of the timers, its chance the seed's. It uses the same functions
as a cluster that comes over the wire would.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from flyteapps_control.loads import LoadTable
from flyteapps_fake.core import draws
from flyteapps_fake.core.lifecycle import traits_of
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.choice import ScenarioChoice, StartImage
from flyteapps_fake.simulation.files.builtin import IDLE, WAKE, situation
from flyteapps_fake.simulation.load import steps_down, steps_up
from flyteapps_fake.simulation.scenarios import Step
from flyteapps_fake.simulation.step_logs import StepLog
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import STANDARD_APPS, State
from flyteapps_fake.standard.operators.own_cluster import OwnCluster
from flyteapps_fake.standard.operators.reports import Report, report
from flyteapps_fake.standard.simulation.runs import Run, run_of
from flyteapps_fake.standard.watch import Event, app_scope

STEP, IDLE_CHECK = "step", "idle-check"
"""The kinds of timers of the simulated cluster."""


class SimulatedApp(NamedTuple):
    """The part of one app that the simulated cluster has; nothing, by default."""

    run: Run | None = None
    start: StartImage | None = None
    step_logs: tuple[StepLog, ...] = ()
    played_cluster: str = ""
    """The name under which it has the app, where that is another than its own."""


class Reactor:
    """One simulated cluster over one plane."""

    def __init__(
        self, state: State, secrets: Secrets, scenarios: ScenarioBook, loads: LoadTable, floor: int = 0
    ) -> None:
        self._state = state
        self._loads = loads
        self._secrets = secrets
        self._floor = floor
        """Nanoseconds of virtual time at least between a write and the state that it leads to."""
        self._report_delay = state.settings.report_delay
        """Nanoseconds before the first report on a change; None for those of its scenario."""
        self._choice = ScenarioChoice(scenarios, state.settings.app_scenarios, state.seed)
        self._leases = OwnCluster(state)
        self._runs: dict[Hashable, Run] = {}
        state.timeline.handle(STEP, self._step_due, "the simulated cluster reports its next state", AppKey.named)
        state.timeline.handle(IDLE_CHECK, self._scale_down, "it scales down, unless it was asked for", AppKey.named)

    def on_event(self, event: Event) -> None:
        """React to a committed change."""
        new, old = event.new, event.old
        if new is None:
            if old is not None:
                self._drop(old.key)
                self._leases.forget(old.key)
                self._choice.forget(old.key)
                self._state.step_logs.drop(old.key)
            return
        if self._state.store.get(new.key) is not new:
            return
        run = self._runs.get(new.key)
        if name := self._leases.name_for(new):
            self._drop(new.key)
            self._leases.take(new, name)
        elif not self._leases.holds(new):
            self._drop(new.key)
            self._leases.forget(new.key)
        elif run is None or not run.is_of(new) or old is None or old.cluster != new.cluster:
            self._start(new)
        elif run.counter != new.counter:
            # another client reports for this cluster: the scheduled steps are void
            self._state.timers.cancel(new.key)
            run.counter = new.counter
            run.follow(())

    def asked(self, key: AppKey) -> None:
        """Record a request to the app, which keeps it from going idle, and wakes it."""
        run = self._runs.get(key)
        record = self._state.store.get(key)
        if run is None or record is None or not traits_of(record.status).serves:
            return
        self._touch(key)
        run.requested_at = self._state.clock.now()
        if not record.replicas and key not in self._state.timers:
            self._wake(record, run)

    def load_changed(self, key: AppKey) -> None:
        """React to another load of the app, as soon as it serves and is at rest."""
        run, record = self._runs.get(key), self._state.store.get(key)
        if run is None or record is None or not traits_of(record.status).serves:
            return
        timer = self._state.timers.get(key)
        if timer is not None and timer.kind != IDLE_CHECK:
            return
        self._touch(key)
        self._state.timers.cancel(key)
        if record.replicas:
            run.requested_at = self._state.clock.now()
        self._rest(record, run)

    def image(self, key: AppKey) -> SimulatedApp:
        """Return an immutable picture of what the cluster has of an app."""
        run = self._runs.get(key)
        return SimulatedApp(
            run.copied() if run is not None else None,
            self._choice.image(key),
            tuple(self._state.step_logs.of(key)),
            self._leases.played(key),
        )

    def put(self, key: AppKey, image: SimulatedApp) -> None:
        """Replace what the cluster has of an app."""
        self._runs.pop(key, None)
        if image.run is not None:
            self._runs[key] = image.run.copied()
        self._choice.put(key, image.start)
        self._state.step_logs.put(key, image.step_logs)
        self._leases.play(key, image.played_cluster)

    def put_new(self, key: AppKey, image: SimulatedApp) -> None:
        """Put what the cluster has of an app, of which it has nothing; the run is the cluster's own from now on."""
        if image.run is not None:
            self._runs[key] = image.run
        if image.start is not None:
            self._choice.put(key, image.start)
        if image.step_logs:
            self._state.step_logs.put(key, image.step_logs)
        if image.played_cluster:
            self._leases.play(key, image.played_cluster)

    def is_lost(self, record: AppRecord) -> bool:
        """Return whether the cluster has the app by its name, and nothing that moves it: another one has run it."""
        return self._leases.holds(record) and record.key not in self._runs

    def _touch(self, key: AppKey) -> None:
        """Record that what the cluster has of an app is about to change without a commit."""
        if self._state.changes.on:
            self._state.changes.touch(STANDARD_APPS, key)

    def _drop(self, key: AppKey) -> None:
        if self._runs.pop(key, None) is not None:
            self._state.timers.cancel(key)

    def _start(self, record: AppRecord) -> None:
        run = self._runs[record.key] = run_of(
            record, self._state.clock.now(), self._choice, self._secrets, self._state.seed
        )
        self._go_on(record, run)

    def _go_on(self, record: AppRecord, run: Run) -> None:
        """Schedule the next step."""
        step = run.next_step()
        if step is not None and run.fresh and self._report_delay is not None:
            self._plan(record, run, step, self._report_delay)
        elif step is not None:
            self._plan(record, run, step, step.delay, step.jitter)
        elif traits_of(record.status).serves:
            self._rest(record, run)

    def _rest(self, record: AppRecord, run: Run) -> None:
        """Scale an app without further steps up to its load, or schedule that it scales down."""
        demand = self._demand(run)
        if demand > record.replicas and run.loaded:
            run.follow(steps_up(record.replicas, demand))
            self._go_on(record, run)
        elif not record.replicas:
            if run.requested_at > record.changed_at:
                self._wake(record, run)
        elif demand < record.replicas and (run.loaded or run.bounds.minimum == 0):
            run.requested_at = max(run.requested_at, record.changed_at)
            self._scale_down_at(run.requested_at + run.bounds.scaledown, record.key)

    def _demand(self, run: Run) -> int:
        """Return the number of replicas for the app's load."""
        load = self._loads.of(run.key.named()) if len(self._loads) else None
        run.loaded = run.loaded or load is not None
        return run.bounds.demand(load)

    def _plan(self, record: AppRecord, run: Run, step: Step, delay: int, jitter: int = 0) -> None:
        run.drawn += 1
        words = (*record.key, record.incarnation, record.revision, run.drawn)
        due = self._state.clock.now() + delay + draws.jitter(jitter, self._state.seed, *words)
        last = traits_of(step.status).terminal and not run.reached
        if last:
            due = max(due, run.written + self._floor)
        self._state.timers.schedule(
            due, record.key, STEP, run.incarnation, run.revision, step, progress=not step.background, last=last
        )

    def _wake(self, record: AppRecord, run: Run) -> None:
        run.follow(situation(WAKE))
        self._go_on(record, run)

    def _scale_down_at(self, due: int, key: AppKey) -> None:
        self._state.timers.schedule(due, key, IDLE_CHECK, progress=False)

    def _scale_down(self, timer: Timer) -> None:
        run = self._runs[timer.owner]
        due = run.requested_at + run.bounds.scaledown
        if due > self._state.clock.now():
            self._scale_down_at(due, run.key)
        else:
            demand, record = self._demand(run), self._state.store.get(run.key)
            run.follow(steps_down(record.replicas, demand) if demand and record is not None else situation(IDLE))
            first = run.next_step()
            if first is not None:
                self._take_step(run, first, timer)

    def _step_due(self, timer: Timer) -> None:
        incarnation, revision, step = timer.arguments
        run = self._run_of(timer.owner, incarnation, revision)
        if run is not None:
            self._take_step(run, step, timer)

    def _run_of(self, key: Hashable, incarnation: int, revision: int) -> Run | None:
        """Return the run of that revision, None if another one has replaced it."""
        run = self._runs.get(key)
        return run if run is not None and (run.incarnation, run.revision) == (incarnation, revision) else None

    def _take_step(self, run: Run, step: Step, timer: Timer) -> None:
        key = run.key
        record = self._state.store.get(key)
        if record is None or not run.is_of(record):
            return
        reported = Report(
            cluster=record.cluster,
            status=step.status,
            substate=step.substate,
            message=step.message.replace("{reason}", run.reason) if run.reason else step.message,
            replicas=run.bounds.replicas(step.size),
            namespace=f"{key.project}-{key.domain}" if run.fresh else None,
            materialized=run.materialized,
            at=timer.due,
        )
        log = self._log(run, step) if step.logs and self._replicas(run) else None
        record = report(self._state, record, reported)
        run.counter = record.counter
        run.fresh, run.materialized = False, None
        run.reached = run.reached or traits_of(step.status).terminal
        if step.logs:
            log = log or self._log(run, step)
            log.condition = record.counter
            for stream in tuple(self._state.events.of(app_scope(key))):
                stream.stir()
        if self._leases.holds(record):
            self._go_on(record, run)

    def _replicas(self, run: Run) -> frozenset[int]:
        """Return the numbers of the revision's replicas that run now."""
        living = self._state.replicas.living(run.key)
        return frozenset(life.number for life in living if life.revision == run.revision)

    def _log(self, run: Run, step: Step) -> StepLog:
        """Let the replicas that run now log the lines of a step."""
        log = StepLog(self._state.clock.tick(), self._replicas(run), step.logs)
        self._state.step_logs.add(run.key, log)
        return log
