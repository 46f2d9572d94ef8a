"""The choice of an app's scenario: its own label, its own variable, the configured pattern for its name, else healthy.

A scenario that the app names itself is meant for this app, so it wins over a configured pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.simulation.admission import named_scenario
from flyteapps_fake.simulation.scenarios import HEALTHY


class ScenarioChoice:
    """Configured scenarios by a pattern of app names, such as "worker-*"; the first match counts."""

    def __init__(self, configured: Mapping[str, str]) -> None:
        self._configured = configured

    def scenario(self, app: App) -> str:
        """Return the name of the app's scenario, known or not."""
        if named := named_scenario(app):
            return named
        name = app.metadata.id.name
        return next((chosen for glob, chosen in self._configured.items() if fnmatchcase(name, glob)), HEALTHY)
