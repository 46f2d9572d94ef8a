"""The services beside AppService of one plane, as one table of methods; what isn't offered, and why."""

from __future__ import annotations

from collections.abc import Iterator

from flyteapps_fake.services.artifacts import Artifacts
from flyteapps_fake.services.data_proxy import DataProxy, Signer
from flyteapps_fake.services.fixed import Fixed
from flyteapps_fake.services.projects import Projects
from flyteapps_fake.services.runs import Runs
from flyteapps_fake.services.secrets import SecretStore
from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.tasks import Tasks

STAND_IN = "this stand-in of the Flyte apps control plane"
_LACKS = {
    "flyteidl2.app.": "has no such method of apps",
    "flyteidl2.artifact.": "has the artifacts that `flyteapps serve --artifact NAME=URI` declares, and only gets them",
    "flyteidl2.dataproxy.": "takes uploads of code alone: it runs no tasks and keeps no data",
    "flyteidl2.project.": "creates, updates, gets and lists projects, and nothing else of them",
    "flyteidl2.secret.": "creates, updates, gets, lists and deletes secrets, and nothing else of them",
    "flyteidl2.settings.": "has no settings",
    "flyteidl2.task.": "accepts and lists tasks, and nothing else of them",
    "flyteidl2.trigger.": "has no triggers: it runs no tasks",
    "flyteidl2.workflow.": "runs no tasks; it has the outputs that `flyteapps serve --run-output NAME=VALUE` declares",
}
"""What is missing, by the beginning of the service's name."""


class Platform:
    """The services of one plane; what they keep is shared by its servers."""

    def __init__(self, host: Host) -> None:
        self._projects = Projects(host)
        self._services = (Fixed(host), self._projects, SecretStore(host), Tasks(host), Artifacts(host), Runs(host))

    def methods(self, signer: Signer) -> Iterator[Method]:
        """Return the rows of every service, for a server whose upload URLs `signer` signs."""
        for service in (*self._services, DataProxy(self._projects, signer)):
            yield from service.methods()


def not_offered(path: str) -> str:
    """Return one line on a method that isn't there."""
    name = path.strip("/")
    why = next((why for beginning, why in _LACKS.items() if name.startswith(beginning)), "doesn't have it")
    return f"{name} is not offered: {STAND_IN} {why}"
