"""The cluster environment of the recording: a Kubernetes in memory, and a small Knative.

docs/recordings.md says which of its effects are no evidence for the backend.
"""

from __future__ import annotations

from dataclasses import replace

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.core.lifecycle import ACTIVE, FAILED, PENDING
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.clock import MILLISECOND
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.flyte_oss.conditions import ConditionState, ReportedStatus
from flyteapps_fake.flyte_oss.dialect import FlyteOss
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.simulation.pods import Pod
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.simulation.scenarios import Size, Step, Steps

LINES = 250

OBSERVED = Step(PENDING, 0, "", 50 * MILLISECOND)
RUNS = Step(ACTIVE, 0, "", 50 * MILLISECOND, size=Size.START)
FAILS = Step(FAILED, 0, "", 100 * MILLISECOND)


class Recorded(ClusterEnvironment):
    """An image with "fail" in its name fails, a pod logs 250 lines and ends, resources have no creation time."""

    def steps(self, app: App) -> Steps:
        return OBSERVED, FAILS if "fail" in app.spec.container.image else RUNS

    def failed(self, resource: str, generation: int, message: str) -> ReportedStatus:
        state = ConditionState(
            False, "RevisionFailed", 'Revision "x-00001" failed with message: Unable to fetch image.'
        )
        return ReportedStatus(
            state, state, ConditionState(False, "RevisionMissing", "Configuration does not have any ready Revision.")
        )

    def created(self, now: int) -> int:
        return 0

    def pod_name(self, resource: str, generation: int, seed: bytes) -> str:
        return f"{resource}-{generation:05d}-deployment-abc"

    def lines(self, pod: Pod, after: int, until: int) -> list[Line]:
        lines = [Line(pod.began + number * MILLISECOND // LINES, False, f"line {number}") for number in range(LINES)]
        return [line for line in lines if after < line.at <= until]

    def next_line(self, pod: Pod, after: int) -> int | None:
        return None

    def ends(self, pod: Pod) -> bool:
        return True


def recorded(settings: Settings, timeline: Timeline) -> FlyteOss:
    """Return the dialect in this environment, whose Kubernetes refuses nothing; it was recorded at port 30081.

    It is for `FakeControlPlane.of(settings, recorded)`.
    """
    return FlyteOss(replace(settings, kubernetes="none"), timeline, Recorded())
