"""What surrounds the backend: Kubernetes and Knative, as far as what they do shows. A recording has its own."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.flyte_oss.conditions import Said, Word
from flyteapps_fake.flyte_oss.simulation.pods import Pod, lines_of, next_line
from flyteapps_fake.flyte_oss.simulation.scenarios import SCENARIOS, Scenario
from flyteapps_fake.simulation.choice import Choice
from flyteapps_fake.simulation.log_lines import Line


class Surroundings:
    """A cluster as they are."""

    def scenario(self, app: App, choice: Choice) -> Scenario | None:
        """What happens to an app that shall run; None where what is chosen for it isn't there."""
        return SCENARIOS.get(choice.scenario(app))

    def failed(self, resource: str, generation: int, message: str) -> Said:
        """What is said of a service whose pods don't come up, or die."""
        word = Word(False, "RevisionFailed", f'Revision "{resource}-{generation:05d}" failed with message: {message}.')
        name = f'Configuration "{resource}" does not have any ready Revision.'
        return Said(word, word, Word(False, "RevisionMissing", name))

    def created(self, now: int) -> int:
        """The creation time that a new resource is stamped with; 0 for none. Kubernetes knows whole seconds."""
        return now // SECOND * SECOND

    def pod_name(self, resource: str, generation: int, seed: bytes) -> str:
        """How a pod is called."""
        return f"{resource}-{generation:05d}-deployment-{seed.hex()[:10]}-{seed.hex()[10:15]}"

    def lines(self, pod: Pod, after: int, until: int) -> list[Line]:
        """What the pod logs later than `after`, up to and with `until`, at most the last 1,000 lines."""
        return lines_of(pod, after, until)

    def next_line(self, pod: Pod, after: int) -> int | None:
        """When the pod logs its next line; None where it won't."""
        return next_line(pod, after)

    def ends(self, pod: Pod) -> bool:
        """Whether the pod's container is over, so that its log is."""
        return False
