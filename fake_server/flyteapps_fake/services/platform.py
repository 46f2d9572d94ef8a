"""The platform services of one plane as one table of methods, and the messages for methods that it lacks."""

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
    "flyteidl2.artifact.": "only gets the artifacts that `flyteapps serve --artifact NAME=URI` declares",
    "flyteidl2.dataproxy.": "only accepts uploads of code: it runs no tasks and stores no data",
    "flyteidl2.project.": "can only create, update, get and list projects",
    "flyteidl2.secret.": "can only create, update, get, list and delete secrets",
    "flyteidl2.settings.": "has no settings",
    "flyteidl2.task.": "can only accept, get and list tasks",
    "flyteidl2.trigger.": "has no triggers: it runs no tasks",
    "flyteidl2.workflow.": "runs no tasks; it only has outputs that `flyteapps serve --run-output NAME=VALUE` declares",
}
"""The reason for a missing method, by the prefix of the service's name."""


class Platform:
    """The platform services of one plane; all of its servers share them."""

    def __init__(self, host: Host) -> None:
        self._projects = Projects(host)
        self._services = (Fixed(host), self._projects, SecretStore(host), Tasks(host), Artifacts(host), Runs(host))

    def methods(self, signer: Signer) -> Iterator[Method]:
        """Return the rows of every service, for a server whose upload URLs `signer` signs."""
        for service in (*self._services, DataProxy(self._projects, signer)):
            yield from service.methods()


def not_offered(path: str) -> str:
    """Return the message for a method that isn't offered."""
    name = path.strip("/")
    why = next((why for beginning, why in _LACKS.items() if name.startswith(beginning)), "has no such method")
    return f"{name} is not offered: {STAND_IN} {why}"
