"""The cluster environment of the backend: the visible effects of Kubernetes and Knative. A recording has its own."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.flyte_oss.conditions import ConditionState, ReportedStatus
from flyteapps_fake.flyte_oss.simulation.pods import Pod, lines_of, next_line
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.simulation.scenarios import Steps


class ClusterEnvironment:
    """A usual cluster."""

    def steps(self, app: App) -> Steps | None:
        """Return the steps of an app that should run, None for those of its scenario."""
        return None

    def failed(self, resource: str, generation: int, message: str) -> ReportedStatus:
        """Return the reported status of a service whose pods don't start, or die."""
        state = ConditionState(
            False, "RevisionFailed", f'Revision "{resource}-{generation:05d}" failed with message: {message}.'
        )
        name = f'Configuration "{resource}" does not have any ready Revision.'
        return ReportedStatus(state, state, ConditionState(False, "RevisionMissing", name))

    def created(self, now: int) -> int:
        """Return the creation time of a new resource, 0 for none. Kubernetes has whole seconds."""
        return now // SECOND * SECOND

    def pod_name(self, resource: str, generation: int, seed: bytes) -> str:
        """Return the name of a pod."""
        return f"{resource}-{generation:05d}-deployment-{seed.hex()[:10]}-{seed.hex()[10:15]}"

    def lines(self, pod: Pod, after: int, until: int) -> list[Line]:
        """Return the pod's lines later than `after`, up to and including `until`, at most the last 1,000."""
        return lines_of(pod, after, until)

    def next_line(self, pod: Pod, after: int) -> int | None:
        """Return the time of the pod's next line, or None if there is none."""
        return next_line(pod, after)

    def ends(self, pod: Pod) -> bool:
        """Return whether the pod's container has ended, and its log with it."""
        return False
