"""The scenarios that apps have, and why: what was chosen at the last start of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flyteapps_control.selection import AppGlobs, AppName
from flyteapps_fake.simulation.scenarios import Scenario

LABEL, VARIABLE, USE, SETTING, WHEN, THEN, DEFAULT = "label", "variable", "use", "setting", "when", "then", "default"
"""The reasons for which an app has a scenario."""


class Given(NamedTuple):
    """The scenario of an app's start. `scenario`: None where none has that name.

    `reason`: one of the above; `detail`: the label, variable, use, glob or scenario that it is about. `own`: whether
    the app itself names a scenario, this one or one that has led to it by `then`.
    """

    app: AppName
    name: str
    scenario: Scenario | None
    reason: str
    detail: str = ""
    own: bool = False


class GivenScenarios:
    """The scenarios of the last starts of all apps of one plane."""

    def __init__(self) -> None:
        self._by_app: dict[AppName, Given] = {}
        self.on_start: Callable[[Given], None] | None = None
        """The function that is called with the scenario of each start."""

    def record(self, given: Given) -> None:
        """Record the scenario of an app's start."""
        self._by_app[given.app] = given
        if self.on_start is not None:
            self.on_start(given)

    def put(self, given: Given) -> None:
        """Replace the scenario of an app's last start, which is no news."""
        self._by_app[given.app] = given

    def find(self, find: Callable[[str], Scenario | None]) -> None:
        """Find the scenarios that were not there when they were put."""
        for app, given in self._by_app.items():
            if given.scenario is None and (scenario := find(given.name)) is not None:
                self._by_app[app] = given._replace(scenario=scenario)

    def forget(self, app: AppName) -> None:
        """Forget a removed app."""
        self._by_app.pop(app, None)

    def get(self, app: AppName) -> Given | None:
        """Return the scenario of an app's last start, None for one without any."""
        return self._by_app.get(app)

    def of(self, apps: AppGlobs) -> list[Given]:
        """Return the scenarios of the selected apps, in order of project, domain and name."""
        return [given for app, given in sorted(self._by_app.items()) if apps.matches(app)]
