"""The progress of one revision of one app through its scenario, in the simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app.app_definition_pb2 import App, MaterializedInputs

from flyteapps_fake.core import draws
from flyteapps_fake.core.draws import Seed
from flyteapps_fake.core.lifecycle import should_run
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.admission import Bounds, bounds_of, missing_secret_of, violation_of
from flyteapps_fake.simulation.choice import ScenarioChoice
from flyteapps_fake.simulation.files.builtin import MISSING_SECRET, REJECTED, STOP, UNKNOWN, situation
from flyteapps_fake.simulation.progress import Progress
from flyteapps_fake.simulation.scenarios import Step, Steps
from flyteapps_fake.standard.apps import AppKey, AppRecord


@dataclass(slots=True)
class Run:
    """One revision of an app on its way. Times are nanoseconds; `written` is that of the write that led to it."""

    key: AppKey
    revision: int
    incarnation: int
    bounds: Bounds
    seed: Seed
    """The seed of the choices."""
    progress: Progress
    materialized: MaterializedInputs | None
    """The inputs in its first report; None from then on."""
    written: int
    reason: str = ""
    """The text for the placeholder of a step's message."""
    counter: int = 0
    """The counter of the app's status after this cluster's last report."""
    drawn: int = 0
    """The number of delays that were drawn."""
    requested_at: int = 0
    """When the app last received a request, or began to serve."""
    loaded: bool = False
    """Whether it has had a declared load, which decides its size from then on."""
    fresh: bool = True
    """Whether nothing has been reported of it."""
    reached: bool = False
    """Whether it has reached a terminal state."""

    def copied(self) -> Run:
        """Return a run that goes on from here by itself."""
        return Run(
            self.key,
            self.revision,
            self.incarnation,
            self.bounds,
            self.seed,
            self.progress.copied(),
            self.materialized,
            self.written,
            self.reason,
            self.counter,
            self.drawn,
            self.requested_at,
            self.loaded,
            self.fresh,
            self.reached,
        )

    def is_of(self, record: AppRecord) -> bool:
        """Return whether the run is of that revision of the app."""
        return (self.incarnation, self.revision) == (record.incarnation, record.revision)

    def next_step(self) -> Step | None:
        """Move to the next step that the app's bounds allow and return it, or None."""
        return self.progress.next_step(self.bounds.allow, self._draw)

    def _draw(self, number: int) -> float:
        """Return the draw of a choice, in [0, 1)."""
        return draws.fraction(self.seed, "choice", *self.key, self.incarnation, self.revision, number)

    def follow(self, steps: Steps) -> None:
        """Follow these steps instead of the ones that are left."""
        self.progress = Progress(steps)


def run_of(record: AppRecord, written: int, choice: ScenarioChoice, secrets: Secrets, seed: Seed) -> Run:
    """Return the run of a new revision."""
    app = record.parse_front()
    steps, reason = _program(record, app, choice, secrets)
    return Run(
        key=record.key,
        revision=record.revision,
        incarnation=record.incarnation,
        bounds=bounds_of(app.spec),
        seed=seed,
        progress=Progress(steps),
        materialized=_materialized(app) if should_run(record.desired_state) else None,
        written=written,
        reason=reason,
        counter=record.counter,
    )


def _program(record: AppRecord, app: App, choice: ScenarioChoice, secrets: Secrets) -> tuple[Steps, str]:
    """Return the steps of a revision, and the text for the placeholder of their messages."""
    if not should_run(app.spec.desired_state):
        return situation(STOP), ""
    if violation := violation_of(app.spec):
        return situation(REJECTED), violation
    if absent := missing_secret_of(app, secrets):
        return situation(
            MISSING_SECRET
        ), f"{quoted(absent)}: not found; create it, then deactivate and activate the app"
    chosen = choice.start(record.key, (record.incarnation, record.revision), app)
    if chosen.scenario is None:
        problem = choice.unknown(chosen.name)
        return situation(UNKNOWN), problem[0].upper() + problem[1:]
    return chosen.scenario.steps, ""


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
