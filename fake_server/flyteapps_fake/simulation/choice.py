"""Which scenario an app gets: the one that it names itself, else the one that is configured for its name, else none.

An app's own label, then its own variable, win over what is configured: whoever wrote them meant that app.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.simulation.admission import named_scenario
from flyteapps_fake.simulation.scenarios import HEALTHY


class Choice:
    """Scenarios by a pattern of apps' names, such as "worker-*"; the first that fits."""

    def __init__(self, configured: Mapping[str, str]) -> None:
        self._configured = configured

    def scenario(self, app: App) -> str:
        """The name of the app's scenario, which need not be a known one."""
        if named := named_scenario(app):
            return named
        name = app.metadata.id.name
        return next((chosen for glob, chosen in self._configured.items() if fnmatchcase(name, glob)), HEALTHY)
