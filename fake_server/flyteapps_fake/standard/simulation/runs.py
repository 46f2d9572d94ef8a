"""The progress of one revision of one app through its scenario, in the simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app.app_definition_pb2 import App, MaterializedInputs

from flyteapps_fake.core.lifecycle import should_run
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.admission import Bounds, bounds_of, missing_secret_of, violation_of
from flyteapps_fake.simulation.choice import ScenarioChoice
from flyteapps_fake.simulation.scenarios import MISSING_SECRET, REJECTED, SCENARIOS, STOP, UNKNOWN, Backoff, Step
from flyteapps_fake.standard.apps import AppKey, AppRecord


@dataclass(slots=True)
class Run:
    """One revision of an app on its way. Times are nanoseconds; `written` is that of the write that led to it."""

    key: AppKey
    revision: int
    incarnation: int
    bounds: Bounds
    steps: tuple[Step, ...]
    backoff: Backoff | None
    materialized: MaterializedInputs | None
    """The inputs in its first report; None from then on."""
    written: int
    reason: str = ""
    """The text for the placeholder of a step's message."""
    counter: int = 0
    """The counter of the app's status after this cluster's last report."""
    drawn: int = 0
    """The number of delays that were drawn."""
    restarts: int = 0
    requested_at: int = 0
    """When the app last received a request, or began to serve."""
    fresh: bool = True
    """Whether nothing has been reported of it."""
    reached: bool = False
    """Whether it has reached a terminal state."""

    def is_of(self, record: AppRecord) -> bool:
        """Return whether the run is of that revision of the app."""
        return (self.incarnation, self.revision) == (record.incarnation, record.revision)

    def next_step(self) -> Step | None:
        """Remove and return the next step that the app's bounds allow, or None."""
        while self.steps:
            step, *rest = self.steps
            self.steps = tuple(rest)
            if self.bounds.allow(step.trip):
                return step
        return None


def run_of(record: AppRecord, written: int, choice: ScenarioChoice, secrets: Secrets) -> Run:
    """Return the run of a new revision."""
    app = record.parse_front()
    steps, backoff, reason = _program(app, choice, secrets)
    return Run(
        key=record.key,
        revision=record.revision,
        incarnation=record.incarnation,
        bounds=bounds_of(app.spec),
        steps=steps,
        backoff=backoff,
        materialized=_materialized(app) if should_run(record.desired_state) else None,
        written=written,
        reason=reason,
        counter=record.counter,
    )


def _program(app: App, choice: ScenarioChoice, secrets: Secrets) -> tuple[tuple[Step, ...], Backoff | None, str]:
    if not should_run(app.spec.desired_state):
        return STOP, None, ""
    if violation := violation_of(app.spec):
        return REJECTED, None, violation
    if absent := missing_secret_of(app, secrets):
        return MISSING_SECRET, None, f"{quoted(absent)}: not found; create it, then deactivate and activate the app"
    name = choice.scenario(app)
    scenario = SCENARIOS.get(name)
    if scenario is None:
        return UNKNOWN, None, f"Unknown scenario {quoted(name)}; known ones: {', '.join(sorted(SCENARIOS))}"
    return scenario.steps, scenario.backoff, ""


def _materialized(app: App) -> MaterializedInputs:
    """Return the artifacts that the inputs name by key and version; nothing is resolved."""
    given = MaterializedInputs()
    for item in app.spec.inputs.items:
        if item.WhichOneof("value") == "artifact_id" and item.artifact_id.version:
            materialized = given.items.add(name=item.name)
            materialized.artifact_id.artifact_key.CopyFrom(item.artifact_id.key)
            materialized.artifact_id.version = item.artifact_id.version
            given.revision = app.metadata.revision
    return given
