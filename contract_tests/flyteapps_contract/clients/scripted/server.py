"""The scripted server: scripted planes behind one port, each for the requests of its own project."""

from __future__ import annotations

from typing import Any

from flyteapps.testing import Call, MockServer
from flyteapps_contract.clients.scripted.plane import ScriptedPlane


class ScriptedServer(MockServer):
    """A server that listens inside of `async with`; `plane(project)` answers the requests of a project."""

    def __init__(self) -> None:
        super().__init__(self._pass_on)
        self.failures: list[Exception] = []
        """Errors in here, or in actions of checks; nothing can be judged unless it is empty."""
        self._planes: dict[str, ScriptedPlane] = {}

    def plane(self, project: str) -> ScriptedPlane:
        """Return the scripted plane of that project."""
        return self._planes.setdefault(project, ScriptedPlane(self.failures))

    def _pass_on(self, call: Call) -> Any:
        request = call.request
        app_id = request.app.metadata.id if hasattr(request, "app") else getattr(request, "app_id", None)
        return self.plane((app_id and app_id.project) or request.project.name).answer(call)
